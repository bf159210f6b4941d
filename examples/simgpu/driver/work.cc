// SPDX-License-Identifier: Apache-2.0
#include "driver/work.h"

#include <cupti_activity.h>

#include <algorithm>
#include <cstring>

#include "driver/clock.h"
#include "driver/context.h"
#include "driver/ledger.h"
#include "driver/process.h"
#include "driver/time_model.h"

namespace simgpu::driver {

void PerformCopy(const CopyPlan& plan) {
  for (size_t slice = 0; slice < plan.depth; ++slice) {
    for (size_t row = 0; row < plan.height; ++row) {
      const char* const from = plan.from.address + slice * plan.from.slice_pitch + row * plan.from.row_pitch;
      std::memmove(plan.to.address + slice * plan.to.slice_pitch + row * plan.to.row_pitch, from, plan.width);
    }
  }
}

void PerformMemset(const MemsetPlan& plan) {
  for (size_t row = 0; row < plan.height; ++row) {
    char* const start = plan.address + row * plan.row_pitch;
    if (plan.element_bytes == 1) {
      std::memset(start, static_cast<int>(plan.value & 0xff), plan.width);
      continue;
    }
    for (size_t i = 0; i < plan.width; ++i)
      std::memcpy(start + i * plan.element_bytes, &plan.value, plan.element_bytes);
  }
}

Work NewWork(WorkKind kind, const Stream& stream) {
  Work work;
  work.kind = kind;
  work.device = stream.context->device->ordinal;
  work.context_id = stream.context->id;
  work.stream_id = stream.id;
  work.correlation_id = t_call.correlation_id;
  work.queued_ns = Clock::Get().NowNs();
  return work;
}

const char* CopyName(uint8_t copy_kind) {
  switch (copy_kind) {
    case CUPTI_ACTIVITY_MEMCPY_KIND_HTOD:
      return "memcpy HtoD";
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOH:
      return "memcpy DtoH";
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOD:
      return "memcpy DtoD";
    case CUPTI_ACTIVITY_MEMCPY_KIND_HTOH:
      return "memcpy HtoH";
    case CUPTI_ACTIVITY_MEMCPY_KIND_PTOP:
      return "memcpy PtoP";
    case CUPTI_ACTIVITY_MEMCPY_KIND_HTOA:
      return "memcpy HtoA";
    case CUPTI_ACTIVITY_MEMCPY_KIND_ATOH:
      return "memcpy AtoH";
    case CUPTI_ACTIVITY_MEMCPY_KIND_ATOA:
      return "memcpy AtoA";
    case CUPTI_ACTIVITY_MEMCPY_KIND_ATOD:
      return "memcpy AtoD";
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOA:
      return "memcpy DtoA";
    default:
      return "memcpy";
  }
}

void ReportWork(const Device& device, const Work& work) {
  device.meter.Add(device, work, Clock::Get().NowNs());
  if (Ledger* const ledger = Ledger::ForProcess()) ledger->Append(device.slice, work);
  if (Tool* const tool = AttachedTool()) tool->Executed(work);
}

uint64_t StartTime(uint64_t queued_ns, uint64_t ready_ns) {
  const TimeModel& model = Model();
  return std::max(queued_ns + model.launch_latency_ns, ready_ns + model.gap_ns);
}

uint64_t TimedOperation::Schedule(uint64_t ready_ns) {
  work_.start_ns = StartTime(work_.queued_ns, ready_ns);
  work_.end_ns = work_.start_ns + duration_ns_;
  return work_.end_ns;
}

}  // namespace simgpu::driver
