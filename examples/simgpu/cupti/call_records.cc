// SPDX-License-Identifier: Apache-2.0
// Records of what the program did: its calls, its waits, its memory.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "base/faults.h"
#include "cupti/activity_buffers.h"
#include "cupti/activity_kinds.h"
#include "cupti/api_version.h"
#include "cupti/external_correlation.h"
#include "cupti/record_faults.h"
#include "cupti/records.h"
#include "cupti/timestamps.h"

namespace simgpu::cupti {
namespace {

std::atomic<uint64_t> g_next_event_sync_id{1};

CUpti_ActivityMemoryPoolType PoolType(const PoolState& pool) {
  return pool.present ? CUPTI_ACTIVITY_MEMORY_POOL_TYPE_LOCAL : CUPTI_ACTIVITY_MEMORY_POOL_TYPE_INVALID;
}

}  // namespace

uint32_t ThreadId() {
  if (ActivityKinds::Get().thread_id_type.load(std::memory_order_relaxed) == CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM) {
    return static_cast<uint32_t>(syscall(SYS_gettid));
  }
  return static_cast<uint32_t>(pthread_self());
}

void WriteRecord(const void* record, uint64_t complete_ns) {
  static FaultEvery& drop = *new FaultEvery("drop-records");
  static FaultEvery& unknown = *new FaultEvery("unknown-kind");
  ActivityBuffers& buffers = ActivityBuffers::Get();
  if (!buffers.has_callbacks()) return;
  if (drop.Due()) return buffers.CountDropped();
  if (unknown.Due()) {
    uint32_t stranger[kUnknownKindBytes / sizeof(uint32_t)] = {kUnknownKind};
    buffers.Write(stranger, sizeof(stranger), 0);
  }
  const uint32_t kind = static_cast<const CUpti_Activity*>(record)->kind;
  buffers.Write(record, RecordBytes(kind), complete_ns != 0 ? RecordTime(complete_ns) : 0);
}

void WriteApi(const ApiCall& call, uint64_t end_ns, uint32_t result) {
  WriteExternalCorrelations(call.correlation_id);
  CUpti_ActivityAPI record = {};
  record.kind = call.domain == CUPTI_CB_DOMAIN_DRIVER_API ? CUPTI_ACTIVITY_KIND_DRIVER : CUPTI_ACTIVITY_KIND_RUNTIME;
  record.cbid = call.callback_id;
  record.start = RecordTime(call.start_ns);
  record.end = RecordTime(end_ns);
  record.processId = static_cast<uint32_t>(getpid());
  record.threadId = ThreadId();
  record.correlationId = call.correlation_id;
  record.returnValue = result;
  WriteRecord(&record, 0);
}

void WriteSynchronization(const Synchronization& synchronization) {
  CUpti_ActivitySynchronization2 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION;
  record.type = static_cast<CUpti_ActivitySynchronizationType>(synchronization.type);
  record.start = RecordTime(synchronization.start_ns);
  record.end = RecordTime(synchronization.end_ns);
  record.correlationId = synchronization.correlation_id;
  record.contextId = synchronization.context_id;
  record.streamId = synchronization.stream_id;
  record.cudaEventId = synchronization.event_id;
  record.returnValue = synchronization.result;
  WriteRecord(&record, 0);
}

void WriteCudaEvent(const EventRecord& event) {
  CUpti_ActivityCudaEvent2 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_CUDA_EVENT;
  record.correlationId = event.correlation_id;
  record.contextId = event.context_id;
  record.streamId = event.stream_id;
  record.eventId = event.event_id;
  record.deviceId = event.device;
  record.cudaEventSyncId = g_next_event_sync_id.fetch_add(1, std::memory_order_relaxed);
  if (ActivityKinds::Get().event_timestamps.load(std::memory_order_relaxed))
    record.deviceTimestamp = RecordTime(event.time_ns);
  WriteRecord(&record, 0);
}

void WriteMemory(const MemoryOperation& operation) {
  CUpti_ActivityMemory4 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_MEMORY2;
  record.memoryOperationType = operation.release ? CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE
                                                 : CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION;
  record.memoryKind = static_cast<CUpti_ActivityMemoryKind>(operation.memory_kind);
  record.correlationId = operation.correlation_id;
  record.address = operation.address;
  record.bytes = operation.bytes;
  record.timestamp = RecordTime(operation.time_ns);
  record.processId = static_cast<uint32_t>(getpid());
  record.deviceId = operation.device;
  record.contextId = operation.context_id;
  record.streamId = operation.async ? operation.stream_id : CUPTI_INVALID_STREAM_ID;
  record.isAsync = operation.async ? 1 : 0;
  record.memoryPoolConfig.memoryPoolType = PoolType(operation.pool);
  record.memoryPoolConfig.address = operation.pool.address;
  record.memoryPoolConfig.releaseThreshold = operation.pool.release_threshold;
  record.memoryPoolConfig.pool.size = operation.pool.size;
  record.memoryPoolConfig.utilizedSize = operation.pool.used;
  WriteRecord(&record, 0);
}

void WritePool(const PoolOperation& operation) {
  CUpti_ActivityMemoryPool3 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_MEMORY_POOL;
  record.memoryPoolOperationType = static_cast<CUpti_ActivityMemoryPoolOperationType>(operation.type);
  record.memoryPoolType = PoolType(operation.pool);
  record.correlationId = operation.correlation_id;
  record.processId = static_cast<uint32_t>(getpid());
  record.deviceId = operation.device;
  record.minBytesToKeep = operation.min_bytes_to_keep;
  record.address = operation.pool.address;
  record.size = operation.pool.size;
  record.releaseThreshold = operation.pool.release_threshold;
  record.timestamp = RecordTime(operation.time_ns);
  record.utilizedSize = operation.pool.used;
  WriteRecord(&record, 0);
}

}  // namespace simgpu::cupti
