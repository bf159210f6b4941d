// SPDX-License-Identifier: Apache-2.0
// The one subscriber to callbacks, and what it wants to be called for.
#pragma once

#include <cupti_callbacks.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace simgpu::cupti {

// Never freed: a callback in progress may outlast the subscription.
struct Subscriber {
  CUpti_CallbackFunc callback = nullptr;
  void* userdata = nullptr;
  std::string name;
  Subscriber* former = nullptr;  // that ended before it: calls may still be under way in it, so none is ever freed
};

class Subscription {
 public:
  static Subscription& Get();

  // Fails while somebody is subscribed; `holder` then tells who.
  CUptiResult Subscribe(CUpti_CallbackFunc callback, void* userdata, const char* name, CUpti_SubscriberHandle* handle,
                        std::string* holder);
  CUptiResult Unsubscribe(CUpti_SubscriberHandle handle);
  // Without asking who is subscribed.
  void End();
  bool IsCurrent(CUpti_SubscriberHandle handle) const;

  // One callback, or with `cbid` 0 all of a domain.
  void Enable(CUpti_CallbackDomain domain, uint32_t cbid, bool enable);
  bool IsEnabled(CUpti_CallbackDomain domain, uint32_t cbid) const;

  // Calls the subscriber, if it wants to be.
  void Call(CUpti_CallbackDomain domain, uint32_t cbid, const void* data);

 private:
  static constexpr size_t kMaxResourceIds = 32;

  std::atomic<Subscriber*> subscriber_{nullptr};
  std::atomic<Subscriber*> former_{nullptr};
  std::atomic<Subscriber*> departed_{nullptr};  // still called while "late-callbacks" is on
  std::atomic<int64_t> late_calls_{0};
  // Domains other than the two of the API, whose switches are in the tool's interest table.
  std::atomic<bool> enabled_[CUPTI_CB_DOMAIN_SIZE][kMaxResourceIds] = {};
};

// First and last callback id of a domain, plus one.
uint32_t CallbackIdEnd(CUpti_CallbackDomain domain);
// What a callback id is called; null for an unknown one.
const char* CallbackName(CUpti_CallbackDomain domain, uint32_t cbid);

}  // namespace simgpu::cupti
