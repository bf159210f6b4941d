// SPDX-License-Identifier: Apache-2.0
#include "tests/programs/clients/client.h"

#include <cupti.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>

namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr CUpti_ActivityKind kKinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                                         CUPTI_ACTIVITY_KIND_MEMSET};

CUpti_SubscriberHandle g_subscriber = nullptr;
// CUPTI gives buffers back until the very end of the process.
std::mutex& g_mutex = *new std::mutex;
std::set<uint8_t*>& g_buffers = *new std::set<uint8_t*>;
std::atomic<long> g_kernels{0};
std::atomic<long> g_strangers{0};
std::atomic<long> g_launches{0};
std::atomic<bool> g_tearing_down{false};

void CUPTIAPI OnCallback(void*, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
  if (domain != CUPTI_CB_DOMAIN_DRIVER_API) return;
  const auto& call = *static_cast<const CUpti_CallbackData*>(data);
  if (id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel && call.callbackSite == CUPTI_API_ENTER) ++g_launches;
  if (call.callbackSite != CUPTI_API_EXIT || !g_tearing_down.exchange(false)) return;
  cuptiUnsubscribe(g_subscriber);
  cuptiFinalize();
  g_subscriber = nullptr;
}

void CUPTIAPI OnRequest(uint8_t** buffer, size_t* bytes, size_t* most_records) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, kBufferBytes));
  *bytes = kBufferBytes;
  *most_records = 0;
  const std::lock_guard lock(g_mutex);
  g_buffers.insert(*buffer);
}

void CUPTIAPI OnComplete(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  {
    const std::lock_guard lock(g_mutex);
    if (g_buffers.erase(buffer) == 0) {
      ++g_strangers;
      return;
    }
  }
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) ++g_kernels;
  }
  std::free(buffer);
}

CUptiResult DisableAll() {
  for (const CUpti_ActivityKind kind : kKinds) {
    if (const CUptiResult result = cuptiActivityDisable(kind)) return result;
  }
  return CUPTI_SUCCESS;
}

}  // namespace

int client_subscribe() { return cuptiSubscribe(&g_subscriber, &OnCallback, nullptr); }

int client_unsubscribe() {
  const CUptiResult result = cuptiUnsubscribe(g_subscriber);
  g_subscriber = nullptr;
  return result;
}

int client_start() {
  if (const CUptiResult result = cuptiActivityRegisterCallbacks(&OnRequest, &OnComplete)) return result;
  for (const CUpti_ActivityKind kind : kKinds) {
    if (const CUptiResult result = cuptiActivityEnable(kind)) return result;
  }
  return 0;
}

int client_stop() {
  if (const CUptiResult result = DisableAll()) return result;
  return cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
}

int client_stop_softly() {
  if (const CUptiResult result = DisableAll()) return result;
  return cuptiActivityFlushAll(0);
}

int client_disable_kernels() { return cuptiActivityDisable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL); }

int client_finalize() { return cuptiFinalize(); }

int client_teardown() {
  g_tearing_down = true;
  return cuptiEnableDomain(1, g_subscriber, CUPTI_CB_DOMAIN_DRIVER_API);
}

int client_enable_launches(int enable) {
  return cuptiEnableCallback(enable, g_subscriber, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel);
}

int client_zeroed() {
  uint8_t zeroed = 0;
  size_t size = sizeof(zeroed);
  const CUptiResult result = cuptiActivityGetAttribute(CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER, &size, &zeroed);
  return result != CUPTI_SUCCESS ? -1 : zeroed;
}

long client_kernels() { return g_kernels; }
long client_strangers() { return g_strangers; }
long client_launches() { return g_launches; }
