// SPDX-License-Identifier: Apache-2.0
// Records of what the GPU executed.
#include <atomic>

#include "base/faults.h"
#include "cupti/activity_kinds.h"
#include "cupti/record_faults.h"
#include "cupti/records.h"
#include "cupti/timestamps.h"

namespace simgpu::cupti {
namespace {

// Any number will do; these are what an H100 shows.
constexpr uint32_t kComputeChannel = 8;
constexpr uint32_t kCopyChannel = 13;

std::atomic<int64_t> g_next_grid_id{1};

void FillLaunch(const KernelWork& kernel, CUpti_ActivityKernel10* record) {
  record->registersPerThread = kernel.registers_per_thread;
  record->gridX = static_cast<int32_t>(kernel.grid[0]);
  record->gridY = static_cast<int32_t>(kernel.grid[1]);
  record->gridZ = static_cast<int32_t>(kernel.grid[2]);
  record->blockX = static_cast<int32_t>(kernel.block[0]);
  record->blockY = static_cast<int32_t>(kernel.block[1]);
  record->blockZ = static_cast<int32_t>(kernel.block[2]);
  record->clusterX = kernel.cluster[0];
  record->clusterY = kernel.cluster[1];
  record->clusterZ = kernel.cluster[2];
  record->staticSharedMemory = static_cast<int32_t>(kernel.static_shared_bytes);
  record->dynamicSharedMemory = static_cast<int32_t>(kernel.dynamic_shared_bytes);
  record->sharedMemoryExecuted = kernel.static_shared_bytes + kernel.dynamic_shared_bytes;
  record->localMemoryPerThread = kernel.local_bytes_per_thread;
  record->launchType = kernel.cooperative != 0 ? CUPTI_ACTIVITY_LAUNCH_TYPE_COOPERATIVE_SINGLE_DEVICE
                                               : CUPTI_ACTIVITY_LAUNCH_TYPE_REGULAR;
  record->shmemLimitConfig =
      kernel.shared_memory_optin != 0 ? CUPTI_FUNC_SHMEM_LIMIT_OPTIN : CUPTI_FUNC_SHMEM_LIMIT_DEFAULT;
}

// The members that all records of work have under the same names.
template <class Record>
void FillCommon(const Work& work, uint32_t channel, CUpti_ChannelType channel_type, Record* record) {
  record->start = RecordTime(work.start_ns);
  record->end = RecordTime(work.end_ns);
  record->deviceId = work.device;
  record->contextId = work.context_id;
  record->streamId = work.stream_id;
  record->correlationId = work.correlation_id;
  record->graphNodeId = work.graph_node_id;
  record->graphId = work.graph_id;
  record->channelID = channel;
  record->channelType = channel_type;
}

void WritePeerCopy(const Work& work) {
  CUpti_ActivityMemcpyPtoP4 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_MEMCPY2;
  FillCommon(work, kCopyChannel, CUPTI_CHANNEL_TYPE_ASYNC_MEMCPY, &record);
  record.copyKind = work.copy.copy_kind;
  record.srcKind = work.copy.source_kind;
  record.dstKind = work.copy.destination_kind;
  record.flags = work.async ? CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC : 0;
  record.bytes = work.bytes;
  record.srcDeviceId = work.copy.source_device;
  record.srcContextId = work.copy.source_context;
  record.dstDeviceId = work.copy.destination_device;
  record.dstContextId = work.copy.destination_context;
  WriteRecord(&record, work.end_ns);
}

}  // namespace

void WriteKernel(const Work& work) {
  CUpti_ActivityKernel10 record = {};
  record.kind = static_cast<CUpti_ActivityKind>(ActivityKinds::Get().KernelKind());
  FillCommon(work, kComputeChannel, CUPTI_CHANNEL_TYPE_COMPUTE, &record);
  FillLaunch(work.kernel, &record);
  record.completed = record.end;
  record.gridId = g_next_grid_id.fetch_add(1, std::memory_order_relaxed);
  static const bool no_names = FaultSwitch("null-symbol").has_value();
  record.name = no_names ? nullptr : work.name;
  if (ActivityKinds::Get().latency_timestamps.load(std::memory_order_relaxed)) {
    record.queued = record.submitted = RecordTime(work.queued_ns);
  }
  SpoilStamps(&record);
  SpoilIds(&record);
  WriteRecord(&record, work.end_ns);
  static FaultEvery& twice = *new FaultEvery("duplicate-records");
  if (twice.Due()) WriteRecord(&record, work.end_ns);
}

void WriteCopy(const Work& work) {
  if (work.copy.peer != 0) {
    if (ActivityKinds::Get().IsEnabled(CUPTI_ACTIVITY_KIND_MEMCPY2)) WritePeerCopy(work);
    return;
  }
  if (!ActivityKinds::Get().IsEnabled(CUPTI_ACTIVITY_KIND_MEMCPY)) return;
  CUpti_ActivityMemcpy6 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_MEMCPY;
  FillCommon(work, kCopyChannel, CUPTI_CHANNEL_TYPE_ASYNC_MEMCPY, &record);
  record.copyKind = work.copy.copy_kind;
  record.srcKind = work.copy.source_kind;
  record.dstKind = work.copy.destination_kind;
  record.flags = work.async ? CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC : 0;
  record.bytes = work.bytes;
  record.copyCount = 1;
  WriteRecord(&record, work.end_ns);
}

void WriteMemset(const Work& work) {
  CUpti_ActivityMemset4 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_MEMSET;
  FillCommon(work, kComputeChannel, CUPTI_CHANNEL_TYPE_COMPUTE, &record);
  record.value = work.memset.value;
  record.bytes = work.bytes;
  record.flags = work.async ? CUPTI_ACTIVITY_FLAG_MEMSET_ASYNC : 0;
  record.memoryKind = work.memset.memory_kind;
  WriteRecord(&record, work.end_ns);
}

void WriteGraphTrace(const GraphLaunch& launch) {
  CUpti_ActivityGraphTrace2 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_GRAPH_TRACE;
  record.start = RecordTime(launch.start_ns);
  record.end = RecordTime(launch.end_ns);
  record.deviceId = record.endDeviceId = launch.device;
  record.contextId = record.endContextId = launch.context_id;
  record.streamId = launch.stream_id;
  record.correlationId = launch.correlation_id;
  record.graphId = launch.graph_id;
  WriteRecord(&record, launch.end_ns);
}

}  // namespace simgpu::cupti
