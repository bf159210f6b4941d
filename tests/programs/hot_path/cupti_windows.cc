// SPDX-License-Identifier: Apache-2.0
// Opens a window around each of migprof's callbacks: when migprof looks up the functions of CUPTI that take callbacks,
// it is given others, which hand over callbacks with a window around them.
#include <cupti.h>
#include <dlfcn.h>

#include <cstring>

#include "tests/programs/hot_path/windows.h"

namespace {

using hot_path::Close;
using hot_path::Open;

// One tool per process, as with CUPTI itself.
CUpti_CallbackFunc g_callback;
CUpti_BuffersCallbackRequestFunc g_requested;
CUpti_BuffersCallbackCompleteFunc g_completed;

void CUPTIAPI OnCallback(void* user, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
  const bool is_driver_call = domain == CUPTI_CB_DOMAIN_DRIVER_API;
  const bool is_context = domain == CUPTI_CB_DOMAIN_RESOURCE && id == CUPTI_CBID_RESOURCE_CONTEXT_CREATED;
  Open(is_context ? hot_path::kContext : hot_path::kCall);
  g_callback(user, domain, id, data);
  Close(is_driver_call && static_cast<const CUpti_CallbackData*>(data)->callbackSite == CUPTI_API_EXIT);
}

void CUPTIAPI OnRequested(uint8_t** buffer, size_t* bytes, size_t* most_records) {
  Open(hot_path::kBufferRequested);
  g_requested(buffer, bytes, most_records);
  Close(false);
}

void CUPTIAPI OnCompleted(CUcontext context, uint32_t stream, uint8_t* buffer, size_t bytes, size_t valid) {
  Open(hot_path::kBufferCompleted);
  g_completed(context, stream, buffer, bytes, valid);
  Close(false);
}

decltype(&cuptiSubscribe) g_subscribe;
CUptiResult(CUPTIAPI* g_subscribe_v2)(CUpti_SubscriberHandle*, CUpti_CallbackFunc, void*, void*);
decltype(&cuptiActivityRegisterCallbacks) g_register;

CUptiResult CUPTIAPI Subscribe(CUpti_SubscriberHandle* subscriber, CUpti_CallbackFunc callback, void* user) {
  g_callback = callback;
  return g_subscribe(subscriber, &OnCallback, user);
}

CUptiResult CUPTIAPI SubscribeV2(CUpti_SubscriberHandle* subscriber, CUpti_CallbackFunc callback, void* user,
                                 void* more) {
  g_callback = callback;
  return g_subscribe_v2(subscriber, &OnCallback, user, more);
}

CUptiResult CUPTIAPI Register(CUpti_BuffersCallbackRequestFunc requested, CUpti_BuffersCallbackCompleteFunc completed) {
  g_requested = requested;
  g_completed = completed;
  return g_register(&OnRequested, &OnCompleted);
}

template <typename Function>
void* Replace(void* found, Function* original, Function replacement) {
  *original = reinterpret_cast<Function>(found);
  return reinterpret_cast<void*>(replacement);
}

}  // namespace

// Callers that ask for RTLD_NEXT would get the wrong one; none of the programs that this is preloaded into do.
extern "C" __attribute__((visibility("default"))) void* dlsym(void* library, const char* name) {
  using Dlsym = void* (*)(void*, const char*);
  static const auto next = [] {
    void* const todays = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    return reinterpret_cast<Dlsym>(todays != nullptr ? todays : dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5"));
  }();
  hot_path::Note("dlsym");
  void* const found = next(library, name);
  if (found == nullptr) return nullptr;
  if (std::strcmp(name, "cuptiSubscribe") == 0) return Replace(found, &g_subscribe, &Subscribe);
  if (std::strcmp(name, "cuptiSubscribe_v2") == 0) return Replace(found, &g_subscribe_v2, &SubscribeV2);
  if (std::strcmp(name, "cuptiActivityRegisterCallbacks") == 0) return Replace(found, &g_register, &Register);
  return found;
}
