// SPDX-License-Identifier: Apache-2.0
// CUPTI's functions that decide who has CUPTI, as the process sees them where this library comes before libcupti. Each
// tells OtherClient and calls the real one. The recorder calls the real ones only.
#include <cupti.h>

#include <atomic>

#include "injection/yield/other_client.h"
#include "injection/yield/real_cupti.h"

#define MIGPROF_WRAPPER extern "C" __attribute__((visibility("default"))) CUptiResult CUPTIAPI

using migprof::yield::OtherClient;

MIGPROF_WRAPPER cuptiSubscribe(CUpti_SubscriberHandle* subscriber, CUpti_CallbackFunc callback, void* userdata) {
  OtherClient& client = OtherClient::Get();
  client.Wants();
  const CUptiResult result = MIGPROF_REAL(cuptiSubscribe, subscriber, callback, userdata);
  if (result == CUPTI_SUCCESS) client.Subscribed(*subscriber, callback, userdata);
  return result;
}

#if CUPTI_API_VERSION < 130000
// Not in these headers. The parameters are passed on as they are.
typedef struct CUpti_SubscriberParams CUpti_SubscriberParams;
extern "C" CUptiResult cuptiSubscribe_v2(CUpti_SubscriberHandle*, CUpti_CallbackFunc, void*, CUpti_SubscriberParams*);
#endif

MIGPROF_WRAPPER cuptiSubscribe_v2(CUpti_SubscriberHandle* subscriber, CUpti_CallbackFunc callback, void* userdata,
                                  CUpti_SubscriberParams* parameters) {
  OtherClient& client = OtherClient::Get();
  client.Wants();
  const CUptiResult result = MIGPROF_REAL(cuptiSubscribe_v2, subscriber, callback, userdata, parameters);
  if (result == CUPTI_SUCCESS) client.Subscribed(*subscriber, callback, userdata);
  return result;
}

MIGPROF_WRAPPER cuptiUnsubscribe(CUpti_SubscriberHandle subscriber) {
  OtherClient& client = OtherClient::Get();
  if (client.IsSetAside(subscriber)) return client.Unsubscribed(), CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiUnsubscribe, client.Translate(subscriber));
  if (result == CUPTI_SUCCESS) client.Unsubscribed();
  return result;
}

namespace {

// Before a change of callbacks of `subscriber`. Returns false where there is nothing to be changed.
bool Prepare(OtherClient* client, uint32_t enable, CUpti_SubscriberHandle subscriber) {
  if (!client->IsSetAside(subscriber)) return true;
  if (enable == 0) return false;
  client->Wants();
  return true;
}

}  // namespace

MIGPROF_WRAPPER cuptiEnableCallback(uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
                                    CUpti_CallbackId id) {
  OtherClient& client = OtherClient::Get();
  if (!Prepare(&client, enable, subscriber)) return CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiEnableCallback, enable, client.Translate(subscriber), domain, id);
  if (result == CUPTI_SUCCESS) client.CallbacksChanged(enable != 0, domain, id);
  return result;
}

MIGPROF_WRAPPER cuptiEnableDomain(uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain) {
  OtherClient& client = OtherClient::Get();
  if (!Prepare(&client, enable, subscriber)) return CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiEnableDomain, enable, client.Translate(subscriber), domain);
  if (result == CUPTI_SUCCESS) client.CallbacksChanged(enable != 0, domain, 0);
  return result;
}

MIGPROF_WRAPPER cuptiEnableAllDomains(uint32_t enable, CUpti_SubscriberHandle subscriber) {
  OtherClient& client = OtherClient::Get();
  if (!Prepare(&client, enable, subscriber)) return CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiEnableAllDomains, enable, client.Translate(subscriber));
  if (result == CUPTI_SUCCESS) client.AllCallbacksChanged(enable != 0);
  return result;
}

MIGPROF_WRAPPER cuptiGetCallbackState(uint32_t* enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
                                      CUpti_CallbackId id) {
  OtherClient& client = OtherClient::Get();
  if (client.IsSetAside(subscriber)) {
    if (enable == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
    *enable = 0;
    return CUPTI_SUCCESS;
  }
  return MIGPROF_REAL(cuptiGetCallbackState, enable, client.Translate(subscriber), domain, id);
}

MIGPROF_WRAPPER cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc request,
                                               CUpti_BuffersCallbackCompleteFunc complete) {
  OtherClient& client = OtherClient::Get();
  if (request == nullptr || complete == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  client.Wants();
  client.SetBufferCallbacks(request, complete);
  return MIGPROF_REAL(cuptiActivityRegisterCallbacks, &OtherClient::RouteRequest, &OtherClient::RouteComplete);
}

MIGPROF_WRAPPER cuptiActivityEnable(CUpti_ActivityKind kind) {
  OtherClient& client = OtherClient::Get();
  client.Wants();
  const CUptiResult result = MIGPROF_REAL(cuptiActivityEnable, kind);
  if (result == CUPTI_SUCCESS) client.KindChanged(true, kind);
  return result;
}

MIGPROF_WRAPPER cuptiActivityEnableContext(CUcontext context, CUpti_ActivityKind kind) {
  OtherClient& client = OtherClient::Get();
  client.Wants();
  const CUptiResult result = MIGPROF_REAL(cuptiActivityEnableContext, context, kind);
  if (result == CUPTI_SUCCESS) client.KindChanged(true, kind);
  return result;
}

// What the recorder has enabled is not the other client's to disable, nor its buffers to flush.
MIGPROF_WRAPPER cuptiActivityDisable(CUpti_ActivityKind kind) {
  OtherClient& client = OtherClient::Get();
  if (client.RecorderHasCupti()) return CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiActivityDisable, kind);
  if (result == CUPTI_SUCCESS) client.KindChanged(false, kind);
  return result;
}

MIGPROF_WRAPPER cuptiActivityDisableContext(CUcontext context, CUpti_ActivityKind kind) {
  OtherClient& client = OtherClient::Get();
  if (client.RecorderHasCupti()) return CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiActivityDisableContext, context, kind);
  if (result == CUPTI_SUCCESS) client.KindChanged(false, kind);
  return result;
}

MIGPROF_WRAPPER cuptiActivityFlushAll(uint32_t flag) {
  OtherClient& client = OtherClient::Get();
  if (client.RecorderHasCupti()) return CUPTI_SUCCESS;
  const CUptiResult result = MIGPROF_REAL(cuptiActivityFlushAll, flag);
  client.Flushed();
  return result;
}

MIGPROF_WRAPPER cuptiFinalize(void) {
  OtherClient& client = OtherClient::Get();
  client.Wants();
  const CUptiResult result = MIGPROF_REAL(cuptiFinalize);
  if (result == CUPTI_SUCCESS) client.Finalized();
  return result;
}

// For libmigprof.so, which finds it with dlsym.
extern "C" __attribute__((visibility("default"))) const migprof::record::YieldDoor* migprof_yield_door(void) {
  static constexpr migprof::record::YieldDoor kDoor = {
      .is_free = [] { return OtherClient::Get().IsFree(); },
      .attach = [](const migprof::record::YieldRecorder* recorder) { OtherClient::Get().Attach(recorder); },
      .take_back = [](bool (*take)(void*), void* context) { return OtherClient::Get().TakeBack(take, context); },
      .foreign = &OtherClient::ReturnBuffer,
  };
  return &kDoor;
}
