// SPDX-License-Identifier: Apache-2.0
// Subscribing to callbacks.
#include <algorithm>
#include <cstring>

#include "bodies.h"
#include "cupti/driver_link.h"
#include "cupti/subscriber.h"

namespace simgpu::cupti::api {
namespace {

// The tables of the domains that have callbacks here. NVTX and STATE can be enabled like the others.
CUpti_CallbackDomain g_domains[] = {CUPTI_CB_DOMAIN_DRIVER_API,  CUPTI_CB_DOMAIN_RUNTIME_API, CUPTI_CB_DOMAIN_RESOURCE,
                                    CUPTI_CB_DOMAIN_SYNCHRONIZE, CUPTI_CB_DOMAIN_NVTX,        CUPTI_CB_DOMAIN_STATE};

bool IsDomain(CUpti_CallbackDomain domain) { return domain > CUPTI_CB_DOMAIN_INVALID && domain < CUPTI_CB_DOMAIN_SIZE; }

CUptiResult SubscribeAs(const char* name, CUpti_SubscriberHandle* handle, CUpti_CallbackFunc callback, void* userdata,
                        std::string* holder) {
  if (handle == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  const CUptiResult result = Subscription::Get().Subscribe(callback, userdata, name, handle, holder);
  if (result == CUPTI_SUCCESS) Attach();
  return result;
}

}  // namespace

CUptiResult SupportedDomains(size_t* domainCount, CUpti_DomainTable* domainTable) {
  if (domainCount == nullptr || domainTable == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *domainCount = std::size(g_domains);
  *domainTable = g_domains;
  return CUPTI_SUCCESS;
}

CUptiResult Subscribe(CUpti_SubscriberHandle* subscriber, CUpti_CallbackFunc callback, void* userdata) {
  std::string holder;
  return SubscribeAs(nullptr, subscriber, callback, userdata, &holder);
}

CUptiResult Subscribe_v2(CUpti_SubscriberHandle* subscriber, CUpti_CallbackFunc callback, void* userdata,
                         CUpti_SubscriberParams* pParams) {
  if (pParams != nullptr && pParams->structSize == 0) return CUPTI_ERROR_INVALID_PARAMETER;
  std::string holder;
  const CUptiResult result =
      SubscribeAs(pParams != nullptr ? pParams->subscriberName : nullptr, subscriber, callback, userdata, &holder);
  const bool wants_holder =
      pParams != nullptr && pParams->oldSubscriberName != nullptr && pParams->oldSubscriberSize != 0;
  if (result != CUPTI_SUCCESS && wants_holder) {
    const size_t length = std::min(holder.size(), pParams->oldSubscriberSize - 1);
    std::memcpy(pParams->oldSubscriberName, holder.data(), length);
    pParams->oldSubscriberName[length] = '\0';
  }
  return result;
}

CUptiResult Unsubscribe(CUpti_SubscriberHandle subscriber) { return Subscription::Get().Unsubscribe(subscriber); }

CUptiResult EnableCallback(uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
                           CUpti_CallbackId cbid) {
  Subscription& subscription = Subscription::Get();
  if (!subscription.IsCurrent(subscriber) || !IsDomain(domain)) return CUPTI_ERROR_INVALID_PARAMETER;
  if (domain == CUPTI_CB_DOMAIN_NVTX) return CUPTI_SUCCESS;
  if (cbid == 0 || cbid >= CallbackIdEnd(domain)) return CUPTI_ERROR_INVALID_PARAMETER;
  subscription.Enable(domain, cbid, enable != 0);
  return CUPTI_SUCCESS;
}

CUptiResult EnableDomain(uint32_t enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain) {
  Subscription& subscription = Subscription::Get();
  if (!subscription.IsCurrent(subscriber) || !IsDomain(domain)) return CUPTI_ERROR_INVALID_PARAMETER;
  subscription.Enable(domain, 0, enable != 0);
  return CUPTI_SUCCESS;
}

CUptiResult EnableAllDomains(uint32_t enable, CUpti_SubscriberHandle subscriber) {
  for (const CUpti_CallbackDomain domain : g_domains) {
    if (const CUptiResult result = EnableDomain(enable, subscriber, domain); result != CUPTI_SUCCESS) return result;
  }
  return CUPTI_SUCCESS;
}

CUptiResult GetCallbackState(uint32_t* enable, CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
                             CUpti_CallbackId cbid) {
  Subscription& subscription = Subscription::Get();
  if (enable == nullptr || !subscription.IsCurrent(subscriber) || !IsDomain(domain) || cbid >= CallbackIdEnd(domain)) {
    return CUPTI_ERROR_INVALID_PARAMETER;
  }
  *enable = subscription.IsEnabled(domain, cbid) ? 1 : 0;
  return CUPTI_SUCCESS;
}

CUptiResult GetCallbackName(CUpti_CallbackDomain domain, uint32_t cbid, const char** name) {
  if (name == nullptr) return CUPTI_ERROR_INVALID_PARAMETER;
  *name = CallbackName(domain, cbid);
  return *name != nullptr ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_PARAMETER;
}

}  // namespace simgpu::cupti::api
