// SPDX-License-Identifier: Apache-2.0
// Which kinds of activity records the client has asked for.
#pragma once

#include <cupti_activity.h>

#include <atomic>
#include <cstdint>

namespace simgpu::cupti {

constexpr uint32_t kMaxKinds = 64;

class ActivityKinds {
 public:
  static ActivityKinds& Get();

  CUptiResult Enable(CUpti_ActivityKind kind);
  CUptiResult Disable(CUpti_ActivityKind kind);
  void DisableAll();
  // Records of a single function of the driver or the runtime.
  void EnableFunction(CUpti_CallbackDomain domain, uint32_t cbid, bool enable);

  bool IsEnabled(uint32_t kind) const { return enabled_[kind].load(std::memory_order_relaxed); }
  // The kind in which kernels are recorded; 0: they are not.
  uint32_t KernelKind() const;

  // What cuptiActivityEnable… functions switch.
  std::atomic<bool> latency_timestamps{false};
  std::atomic<bool> event_timestamps{false};
  std::atomic<CUpti_ActivityThreadIdType> thread_id_type{CUPTI_ACTIVITY_THREAD_ID_TYPE_DEFAULT};

 private:
  std::atomic<bool> enabled_[kMaxKinds] = {};
};

}  // namespace simgpu::cupti
