// SPDX-License-Identifier: Apache-2.0
#include "cupti/activity_kinds.h"

#include "cupti/api_version.h"
#include "cupti/subscriber.h"
#include "cupti/tool.h"

namespace simgpu::cupti {
namespace {

// The answer to a request for `kind`, whatever else is enabled.
CUptiResult Support(uint32_t kind) {
  const uint32_t end = ApiVersion() >= kApi130 ? CUPTI_ACTIVITY_KIND_COUNT : CUPTI_ACTIVITY_KIND_JIT + 1;
  if (kind == 0 || kind >= end) return CUPTI_ERROR_INVALID_KIND;
  switch (kind) {
    case CUPTI_ACTIVITY_KIND_SOURCE_LOCATOR:
    case CUPTI_ACTIVITY_KIND_GLOBAL_ACCESS:
    case CUPTI_ACTIVITY_KIND_BRANCH:
    case CUPTI_ACTIVITY_KIND_INSTRUCTION_EXECUTION:
    case CUPTI_ACTIVITY_KIND_SHARED_ACCESS:
    case CUPTI_ACTIVITY_KIND_PC_SAMPLING:
    case CUPTI_ACTIVITY_KIND_PC_SAMPLING_RECORD_INFO:
    case CUPTI_ACTIVITY_KIND_INSTRUCTION_CORRELATION:
      return CUPTI_ERROR_LEGACY_PROFILER_NOT_SUPPORTED;
    case CUPTI_ACTIVITY_KIND_EVENT:
    case CUPTI_ACTIVITY_KIND_METRIC:
    case CUPTI_ACTIVITY_KIND_CDP_KERNEL:
    case CUPTI_ACTIVITY_KIND_EVENT_INSTANCE:
    case CUPTI_ACTIVITY_KIND_METRIC_INSTANCE:
    case CUPTI_ACTIVITY_KIND_MODULE:
    case CUPTI_ACTIVITY_KIND_DEVICE_ATTRIBUTE:
    case CUPTI_ACTIVITY_KIND_INSTANTANEOUS_EVENT:
    case CUPTI_ACTIVITY_KIND_INSTANTANEOUS_EVENT_INSTANCE:
    case CUPTI_ACTIVITY_KIND_INSTANTANEOUS_METRIC:
    case CUPTI_ACTIVITY_KIND_INSTANTANEOUS_METRIC_INSTANCE:
      return CUPTI_ERROR_NOT_COMPATIBLE;
    default:
      return CUPTI_SUCCESS;
  }
}

void SetRecordInterest(std::atomic<uint8_t>* interest, uint32_t first, uint32_t end, bool enable) {
  for (uint32_t id = first; id < end; ++id) {
    if (enable) {
      interest[id].fetch_or(kInterestRecord, std::memory_order_relaxed);
    } else {
      interest[id].fetch_and(static_cast<uint8_t>(~kInterestRecord), std::memory_order_relaxed);
    }
  }
}

void SetDomainInterest(uint32_t kind, bool enable) {
  InterestTable& interest = TheTool().interest;
  if (kind == CUPTI_ACTIVITY_KIND_DRIVER) {
    SetRecordInterest(interest.driver, 1, CallbackIdEnd(CUPTI_CB_DOMAIN_DRIVER_API), enable);
  } else if (kind == CUPTI_ACTIVITY_KIND_RUNTIME) {
    SetRecordInterest(interest.runtime, 1, CallbackIdEnd(CUPTI_CB_DOMAIN_RUNTIME_API), enable);
  }
}

}  // namespace

ActivityKinds& ActivityKinds::Get() {
  static ActivityKinds& kinds = *new ActivityKinds;  // for the life of the process
  return kinds;
}

uint32_t ActivityKinds::KernelKind() const {
  if (IsEnabled(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)) return CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
  return IsEnabled(CUPTI_ACTIVITY_KIND_KERNEL) ? CUPTI_ACTIVITY_KIND_KERNEL : 0;
}

CUptiResult ActivityKinds::Enable(CUpti_ActivityKind kind) {
  if (const CUptiResult result = Support(kind); result != CUPTI_SUCCESS) return result;
  // One of the two serialises kernels, the other does not.
  const bool is_kernel = kind == CUPTI_ACTIVITY_KIND_KERNEL || kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
  if (is_kernel && KernelKind() != 0 && KernelKind() != static_cast<uint32_t>(kind)) return CUPTI_ERROR_NOT_COMPATIBLE;
  enabled_[kind].store(true, std::memory_order_relaxed);
  SetDomainInterest(kind, true);
  return CUPTI_SUCCESS;
}

CUptiResult ActivityKinds::Disable(CUpti_ActivityKind kind) {
  if (kind <= CUPTI_ACTIVITY_KIND_INVALID || kind >= CUPTI_ACTIVITY_KIND_COUNT) return CUPTI_ERROR_INVALID_KIND;
  enabled_[kind].store(false, std::memory_order_relaxed);
  SetDomainInterest(kind, false);
  return CUPTI_SUCCESS;
}

void ActivityKinds::DisableAll() {
  for (uint32_t kind = 1; kind < CUPTI_ACTIVITY_KIND_COUNT; ++kind) Disable(static_cast<CUpti_ActivityKind>(kind));
}

void ActivityKinds::EnableFunction(CUpti_CallbackDomain domain, uint32_t cbid, bool enable) {
  InterestTable& interest = TheTool().interest;
  SetRecordInterest(domain == CUPTI_CB_DOMAIN_DRIVER_API ? interest.driver : interest.runtime, cbid, cbid + 1, enable);
}

}  // namespace simgpu::cupti
