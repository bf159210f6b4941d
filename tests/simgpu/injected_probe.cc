// SPDX-License-Identifier: Apache-2.0
// A library for CUDA_INJECTION64_PATH that writes down what happens to it. PROBE_MODE says what it returns and does.
#include <cupti.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void Write(const char* format, ...) __attribute__((format(printf, 1, 2)));

void Write(const char* format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  const int file = open(std::getenv("PROBE_PROTOCOL"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (write(file, line, static_cast<size_t>(length)) != length) std::abort();
  close(file);
}

void Callback(void*, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
  if (domain == CUPTI_CB_DOMAIN_RESOURCE && id == CUPTI_CBID_RESOURCE_CU_INIT_FINISHED) Write("init finished\n");
  if (domain == CUPTI_CB_DOMAIN_RESOURCE && id == CUPTI_CBID_RESOURCE_CONTEXT_CREATED) Write("context created\n");
  if (domain != CUPTI_CB_DOMAIN_DRIVER_API) return;
  const auto* const call = static_cast<const CUpti_CallbackData*>(data);
  if (call->callbackSite == CUPTI_API_ENTER) Write("launch %s\n", call->symbolName);
}

void Request(uint8_t** buffer, size_t* size, size_t* max_records) {
  *size = 1 << 16;
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, *size));
  *max_records = 0;
}

void Complete(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  CUpti_Activity* record = nullptr;
  int kernels = 0;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) ++kernels;
  }
  Write("kernels %d\n", kernels);
  std::free(buffer);
}

void FlushAtExit() { cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED); }

void Watch() {
  CUpti_SubscriberHandle subscriber;
  cuptiSubscribe(&subscriber, &Callback, nullptr);
  cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel);
  cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_RESOURCE);
  cuptiActivityRegisterCallbacks(&Request, &Complete);
  cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
  std::atexit(&FlushAtExit);
}

struct Loaded {
  Loaded() { Write("load\n"); }
  ~Loaded() {
    if (std::strcmp(std::getenv("PROBE_MODE"), "zero") == 0) Write("unload\n");
  }
} g_loaded;

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  const char* const mode = std::getenv("PROBE_MODE");
  if (std::strcmp(mode, "watch") == 0) {
    Watch();
    return 1;
  }
  int count = 0;
  const int counted = cuDeviceGetCount(&count);
  Write("initialize count=%d nested=%d\n", counted, cuInit(0));
  if (std::strcmp(mode, "zero") == 0) return 0;
  return std::strcmp(mode, "negative") == 0 ? -5 : 1;
}
