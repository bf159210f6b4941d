// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/activity_translate.h"

#include "libmigprof/record/cupti_layout.h"

namespace migprof::record {
namespace {

using layout::Load;

// CUPTI leaves times at 0, or the end before the start, when its device buffers ran out or the record was forced out
// unfinished.
void SetTimes(uint64_t start, uint64_t end, ActivityBase* activity) {
  if (start == 0 || end < start) {
    activity->untimed = true;
    return;
  }
  activity->start_ns = start;
  activity->duration_ns = end - start;
}

KernelActivity ReadKernel(const void* record) {
  namespace at = layout::kernel;
  KernelActivity kernel;
  kernel.correlation = Load<uint32_t>(record, at::kCorrelation);
  kernel.device = Load<uint32_t>(record, at::kDevice);
  kernel.context = Load<uint32_t>(record, at::kContext);
  kernel.stream = Load<uint32_t>(record, at::kStream);
  kernel.graph = Load<uint32_t>(record, at::kGraph);
  kernel.graph_node = Load<uint64_t>(record, at::kGraphNode);
  SetTimes(Load<uint64_t>(record, at::kStart), Load<uint64_t>(record, at::kEnd), &kernel);
  kernel.name = Load<const char*>(record, at::kName);
  KernelShape& shape = kernel.shape;
  for (size_t axis = 0; axis < 3; ++axis) {
    shape.grid[axis] = Load<uint32_t>(record, at::kGrid + 4 * axis);
    shape.block[axis] = Load<uint32_t>(record, at::kBlock + 4 * axis);
    shape.cluster[axis] = Load<uint32_t>(record, at::kCluster + 4 * axis);
  }
  shape.registers = Load<uint16_t>(record, at::kRegisters);
  shape.static_shared = Load<uint32_t>(record, at::kStaticShared);
  shape.dynamic_shared = Load<uint32_t>(record, at::kDynamicShared);
  shape.local_per_thread = Load<uint32_t>(record, at::kLocalPerThread);
  return kernel;
}

// The three transfer records differ in where things are, not in what they hold.
struct TransferOffsets {
  size_t bytes, start, end, device, context, stream, correlation, graph_node, graph;
};

TransferActivity ReadTransfer(const void* record, const TransferOffsets& at, uint64_t what) {
  TransferActivity transfer;
  transfer.correlation = Load<uint32_t>(record, at.correlation);
  transfer.device = Load<uint32_t>(record, at.device);
  transfer.context = Load<uint32_t>(record, at.context);
  transfer.stream = Load<uint32_t>(record, at.stream);
  transfer.graph = Load<uint32_t>(record, at.graph);
  transfer.graph_node = Load<uint64_t>(record, at.graph_node);
  SetTimes(Load<uint64_t>(record, at.start), Load<uint64_t>(record, at.end), &transfer);
  transfer.bytes = Load<uint64_t>(record, at.bytes);
  transfer.what = what;
  return transfer;
}

TransferActivity ReadMemcpy(const void* record) {
  namespace at = layout::memcpy_record;
  return ReadTransfer(record,
                      {at::kBytes, at::kStart, at::kEnd, at::kDevice, at::kContext, at::kStream, at::kCorrelation,
                       at::kGraphNode, at::kGraph},
                      Load<uint8_t>(record, at::kCopyKind));
}

TransferActivity ReadPeerMemcpy(const void* record) {
  namespace at = layout::memcpy_peer;
  return ReadTransfer(record,
                      {at::kBytes, at::kStart, at::kEnd, at::kDevice, at::kContext, at::kStream, at::kCorrelation,
                       at::kGraphNode, at::kGraph},
                      Load<uint8_t>(record, at::kCopyKind));
}

TransferActivity ReadMemset(const void* record) {
  namespace at = layout::memset_record;
  return ReadTransfer(record,
                      {at::kBytes, at::kStart, at::kEnd, at::kDevice, at::kContext, at::kStream, at::kCorrelation,
                       at::kGraphNode, at::kGraph},
                      format::kMemset);
}

GraphRunActivity ReadGraphRun(const void* record) {
  namespace at = layout::graph_trace;
  GraphRunActivity run;
  run.correlation = Load<uint32_t>(record, at::kCorrelation);
  run.device = Load<uint32_t>(record, at::kDevice);
  run.context = Load<uint32_t>(record, at::kContext);
  run.stream = Load<uint32_t>(record, at::kStream);
  run.graph = Load<uint32_t>(record, at::kGraph);
  SetTimes(Load<uint64_t>(record, at::kStart), Load<uint64_t>(record, at::kEnd), &run);
  return run;
}

AllocationActivity ReadAllocation(const void* record) {
  namespace at = layout::memory;
  AllocationActivity allocation;
  allocation.correlation = Load<uint32_t>(record, at::kCorrelation);
  allocation.device = Load<uint32_t>(record, at::kDevice);
  allocation.context = Load<uint32_t>(record, at::kContext);
  allocation.stream = Load<uint32_t>(record, at::kStream);
  allocation.time_ns = Load<uint64_t>(record, at::kTime);
  allocation.address = Load<uint64_t>(record, at::kAddress);
  allocation.bytes = Load<uint64_t>(record, at::kBytes);
  allocation.operation = static_cast<format::AllocationOperation>(Load<uint32_t>(record, at::kOperation));
  allocation.memory_kind = Load<uint32_t>(record, at::kMemoryKind);
  return allocation;
}

SynchronizationActivity ReadSynchronization(const void* record) {
  namespace at = layout::synchronization;
  SynchronizationActivity synchronization;
  synchronization.correlation = Load<uint32_t>(record, at::kCorrelation);
  synchronization.context = Load<uint32_t>(record, at::kContext);
  synchronization.stream = Load<uint32_t>(record, at::kStream);
  const uint64_t start = Load<uint64_t>(record, at::kStart);
  const uint64_t end = Load<uint64_t>(record, at::kEnd);
  synchronization.start_ns = start;
  synchronization.duration_ns = end > start ? end - start : 0;
  synchronization.what = Load<uint32_t>(record, at::kType);
  return synchronization;
}

// True when `record` describes a MIG slice. Devices the process cannot see are left out: CUPTI before 13.3 update 1
// reports wrong UUIDs for them.
bool ReadDevice(const void* record, DeviceActivity* device) {
  namespace at = layout::device;
  if (Load<uint8_t>(record, at::kIsCudaVisible) == 0 || Load<uint8_t>(record, at::kIsMigEnabled) == 0) return false;
  device->ordinal = Load<uint32_t>(record, at::kOrdinal);
  device->gpu_instance_id = Load<uint32_t>(record, at::kGpuInstance);
  device->compute_instance_id = Load<uint32_t>(record, at::kComputeInstance);
  std::memcpy(device->mig_uuid, static_cast<const uint8_t*>(record) + at::kMigUuid, sizeof(device->mig_uuid));
  return true;
}

void TranslateOne(const CUpti_Activity* record, size_t size, ActivitySink* sink) {
  switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_KERNEL:
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
      if (size >= layout::kernel::kMinimumBytes) return sink->OnKernel(ReadKernel(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      if (size >= layout::memcpy_record::kMinimumBytes) return sink->OnTransfer(ReadMemcpy(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMCPY2:
      if (size >= layout::memcpy_peer::kMinimumBytes) return sink->OnTransfer(ReadPeerMemcpy(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
      if (size >= layout::memset_record::kMinimumBytes) return sink->OnTransfer(ReadMemset(record));
      break;
    case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
      if (size >= layout::graph_trace::kMinimumBytes) return sink->OnGraphRun(ReadGraphRun(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMORY2:
      if (size >= layout::memory::kMinimumBytes) return sink->OnAllocation(ReadAllocation(record));
      break;
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
      if (size >= layout::synchronization::kMinimumBytes) return sink->OnSynchronization(ReadSynchronization(record));
      break;
    case CUPTI_ACTIVITY_KIND_CONTEXT:
      if (size >= layout::context::kMinimumBytes) {
        return sink->OnContext({.context = Load<uint32_t>(record, layout::context::kContext),
                                .device = Load<uint32_t>(record, layout::context::kDevice)});
      }
      break;
    case CUPTI_ACTIVITY_KIND_DEVICE:
      if (size >= layout::device::kMinimumBytes) {
        // The record's name is not freed: newer headers ask the client to, older ones forbid it, and it is a few bytes
        // per device of the machine, once.
        DeviceActivity device;
        if (ReadDevice(record, &device)) sink->OnMigDevice(device);
        return;
      }
      break;
    default:
      break;
  }
  sink->OnUnknownRecord();
}

}  // namespace

uint64_t TranslateActivities(const CuptiApi& api, const RecordSizes& sizes, uint8_t* data, size_t valid_bytes,
                             ActivitySink* sink) {
  uint64_t count = 0;
  CUpti_Activity* record = nullptr;
  while (api.activity_get_next_record(data, valid_bytes, &record) == CUPTI_SUCCESS) {
    TranslateOne(record, sizes.of(record->kind), sink);
    ++count;
  }
  return count;
}

}  // namespace migprof::record
