// SPDX-License-Identifier: Apache-2.0
#include "driver/memory_report.h"

#include <cupti_activity.h>

#include "driver/clock.h"
#include "driver/device.h"
#include "driver/ledger.h"
#include "driver/memory_pool.h"
#include "driver/process.h"

namespace simgpu::driver {
namespace {

uint8_t KindOf(const Allocation& allocation) {
  switch (allocation.kind) {
    case AllocationKind::kManaged:
      return CUPTI_ACTIVITY_MEMORY_KIND_MANAGED;
    case AllocationKind::kPinned:
    case AllocationKind::kRegistered:
      return CUPTI_ACTIVITY_MEMORY_KIND_PINNED;
    default:
      return CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
  }
}

void Report(const Allocation& allocation, uint32_t stream_id, bool release) {
  Ledger* const ledger = Ledger::ForProcess();
  Tool* const tool = AttachedTool();
  if (ledger == nullptr && tool == nullptr) return;
  MemoryOperation operation = {};
  operation.release = release;
  operation.async = allocation.pool != nullptr;
  operation.memory_kind = KindOf(allocation);
  operation.device = allocation.device->ordinal;
  operation.context_id = allocation.context_id;
  operation.stream_id = stream_id;
  operation.correlation_id = t_call.correlation_id;
  operation.address = allocation.address;
  operation.bytes = allocation.bytes;
  operation.time_ns = Clock::Get().NowNs();
  if (allocation.pool != nullptr) operation.pool = StateOf(*allocation.pool);
  if (ledger != nullptr) ledger->AppendMemory(allocation.device->slice, operation);
  if (tool != nullptr) tool->MemoryChanged(operation);
}

}  // namespace

void ReportAllocation(const Allocation& allocation, uint32_t stream_id) { Report(allocation, stream_id, false); }

void ReportRelease(const Allocation& allocation, uint32_t stream_id) { Report(allocation, stream_id, true); }

}  // namespace simgpu::driver
