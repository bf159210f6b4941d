// SPDX-License-Identifier: Apache-2.0
#include "cupti/subscriber.h"

#include <cupti_driver_cbid.h>
#include <cupti_runtime_cbid.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/faults.h"
#include "cupti/api_version.h"
#include "cupti/tool.h"

namespace simgpu::cupti {
namespace {

struct IdName {
  uint32_t id;
  const char* name;
};

constexpr IdName kDriverNames[] = {
#include "driver_callback_names.inc"
};
constexpr IdName kRuntimeNames[] = {
#include "runtime_callback_names.inc"
};

template <size_t kCount>
const char* NameIn(const IdName (&names)[kCount], uint32_t id) {
  const auto same = [&](const IdName& candidate) { return candidate.id == id; };
  const IdName* const found = std::find_if(std::begin(names), std::end(names), same);
  return found != std::end(names) ? found->name : nullptr;
}

std::atomic<uint8_t>* InterestOf(CUpti_CallbackDomain domain) {
  InterestTable& interest = TheTool().interest;
  if (domain == CUPTI_CB_DOMAIN_DRIVER_API) return interest.driver;
  if (domain == CUPTI_CB_DOMAIN_RUNTIME_API) return interest.runtime;
  return nullptr;
}

}  // namespace

uint32_t CallbackIdEnd(CUpti_CallbackDomain domain) {
  switch (domain) {
    case CUPTI_CB_DOMAIN_DRIVER_API:
      return CUPTI_DRIVER_TRACE_CBID_SIZE;
    case CUPTI_CB_DOMAIN_RUNTIME_API:
      return CUPTI_RUNTIME_TRACE_CBID_SIZE;
    case CUPTI_CB_DOMAIN_RESOURCE:
      // Updates of graph nodes came with 13.0, attributes of streams with 12.
      if (ApiVersion() < kApi124) return CUPTI_CBID_RESOURCE_STREAM_ATTRIBUTE_CHANGED;
      if (ApiVersion() < kApi130) return CUPTI_CBID_RESOURCE_GRAPH_NODE_UPDATED;
      return CUPTI_CBID_RESOURCE_SIZE;
    case CUPTI_CB_DOMAIN_SYNCHRONIZE:
      return CUPTI_CBID_SYNCHRONIZE_SIZE;
    case CUPTI_CB_DOMAIN_STATE:
      return CUPTI_CBID_STATE_SIZE;
    default:
      return 0;
  }
}

const char* CallbackName(CUpti_CallbackDomain domain, uint32_t cbid) {
  if (domain == CUPTI_CB_DOMAIN_DRIVER_API) return NameIn(kDriverNames, cbid);
  if (domain == CUPTI_CB_DOMAIN_RUNTIME_API) return NameIn(kRuntimeNames, cbid);
  return nullptr;
}

Subscription& Subscription::Get() {
  static Subscription& subscription = *new Subscription;  // for the life of the process
  return subscription;
}

CUptiResult Subscription::Subscribe(CUpti_CallbackFunc callback, void* userdata, const char* name,
                                    CUpti_SubscriberHandle* handle, std::string* holder) {
  if (const std::optional<std::string> other = FaultSwitch("second-client")) {
    *holder = "CUPTI for " + *other;
    return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
  }
  auto* const subscriber = new Subscriber{callback, userdata, name != nullptr ? name : ""};
  Subscriber* expected = nullptr;
  if (!subscriber_.compare_exchange_strong(expected, subscriber, std::memory_order_acq_rel)) {
    *holder = "CUPTI for " + expected->name;
    delete subscriber;
    return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
  }
  *handle = reinterpret_cast<CUpti_SubscriberHandle>(subscriber);
  return CUPTI_SUCCESS;
}

bool Subscription::IsCurrent(CUpti_SubscriberHandle handle) const {
  return handle != nullptr && reinterpret_cast<Subscriber*>(handle) == subscriber_.load(std::memory_order_acquire);
}

CUptiResult Subscription::Unsubscribe(CUpti_SubscriberHandle handle) {
  if (!IsCurrent(handle)) return CUPTI_ERROR_INVALID_PARAMETER;
  End();
  return CUPTI_SUCCESS;
}

void Subscription::End() {
  Subscriber* const ended = subscriber_.exchange(nullptr, std::memory_order_acq_rel);
  if (ended != nullptr) ended->former = former_.exchange(ended, std::memory_order_acq_rel);
  departed_.store(ended, std::memory_order_release);
  late_calls_.store(static_cast<int64_t>(FaultNumber("late-callbacks", 10)), std::memory_order_release);
  if (late_calls_.load(std::memory_order_relaxed) == 0) {
    for (int domain = CUPTI_CB_DOMAIN_DRIVER_API; domain < CUPTI_CB_DOMAIN_SIZE; ++domain) {
      Enable(static_cast<CUpti_CallbackDomain>(domain), 0, false);
    }
  }
}

void Subscription::Enable(CUpti_CallbackDomain domain, uint32_t cbid, bool enable) {
  std::atomic<uint8_t>* const interest = InterestOf(domain);
  const uint32_t first = cbid != 0 ? cbid : 1;
  const uint32_t end = cbid != 0 ? cbid + 1 : CallbackIdEnd(domain);
  for (uint32_t id = first; id < end; ++id) {
    if (interest == nullptr) {
      enabled_[domain][id].store(enable, std::memory_order_relaxed);
    } else if (enable) {
      interest[id].fetch_or(kInterestCallback, std::memory_order_relaxed);
    } else {
      interest[id].fetch_and(static_cast<uint8_t>(~kInterestCallback), std::memory_order_relaxed);
    }
  }
}

bool Subscription::IsEnabled(CUpti_CallbackDomain domain, uint32_t cbid) const {
  const std::atomic<uint8_t>* const interest = InterestOf(domain);
  if (interest != nullptr) return (interest[cbid].load(std::memory_order_relaxed) & kInterestCallback) != 0;
  return cbid < kMaxResourceIds && enabled_[domain][cbid].load(std::memory_order_relaxed);
}

void Subscription::Call(CUpti_CallbackDomain domain, uint32_t cbid, const void* data) {
  if (!IsEnabled(domain, cbid)) return;
  const Subscriber* subscriber = subscriber_.load(std::memory_order_acquire);
  if (subscriber == nullptr) {
    if (late_calls_.fetch_sub(1, std::memory_order_relaxed) <= 0) return;
    subscriber = departed_.load(std::memory_order_acquire);
    if (subscriber == nullptr) return;
  }
  subscriber->callback(subscriber->userdata, domain, cbid, data);
}

}  // namespace simgpu::cupti
