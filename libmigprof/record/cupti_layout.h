// SPDX-License-Identifier: Apache-2.0
// Where the fields of CUPTI's activity records are. Since CUDA 9 fields were only ever appended, so records of every
// version are read by these offsets, and a field near the end only when the running library's record is long enough
// (record_sizes.h).
#pragma once

#include <cupti.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace migprof::record::layout {

template <typename T>
T Load(const void* record, size_t offset) {
  T value;
  std::memcpy(&value, static_cast<const uint8_t*>(record) + offset, sizeof(T));
  return value;
}

// CUPTI_ACTIVITY_KIND_KERNEL and …_CONCURRENT_KERNEL
namespace kernel {
inline constexpr size_t kRegisters = 6, kStart = 16, kEnd = 24, kDevice = 40, kContext = 44, kStream = 48, kGrid = 52,
                        kBlock = 64, kStaticShared = 76, kDynamicShared = 80, kLocalPerThread = 84, kCorrelation = 92,
                        kName = 104, kGraphNode = 144, kGraph = 156, kCluster = 176;
inline constexpr size_t kMinimumBytes = kCluster + 12;
}  // namespace kernel

// CUPTI_ACTIVITY_KIND_MEMCPY
namespace memcpy_record {
inline constexpr size_t kCopyKind = 4, kBytes = 8, kStart = 16, kEnd = 24, kDevice = 32, kContext = 36, kStream = 40,
                        kCorrelation = 44, kGraphNode = 64, kGraph = 72;
inline constexpr size_t kMinimumBytes = kGraph + 4;
}  // namespace memcpy_record

// CUPTI_ACTIVITY_KIND_MEMCPY2: peer to peer
namespace memcpy_peer {
inline constexpr size_t kCopyKind = 4, kBytes = 8, kStart = 16, kEnd = 24, kDevice = 32, kContext = 36, kStream = 40,
                        kCorrelation = 60, kGraphNode = 72, kGraph = 80;
inline constexpr size_t kMinimumBytes = kGraph + 4;
}  // namespace memcpy_peer

// CUPTI_ACTIVITY_KIND_MEMSET
namespace memset_record {
inline constexpr size_t kBytes = 8, kStart = 16, kEnd = 24, kDevice = 32, kContext = 36, kStream = 40,
                        kCorrelation = 44, kGraphNode = 64, kGraph = 72;
inline constexpr size_t kMinimumBytes = kGraph + 4;
}  // namespace memset_record

// CUPTI_ACTIVITY_KIND_MEMORY2
namespace memory {
inline constexpr size_t kOperation = 4, kMemoryKind = 8, kCorrelation = 12, kAddress = 16, kBytes = 24, kTime = 32,
                        kDevice = 52, kContext = 56, kStream = 60;
inline constexpr size_t kMinimumBytes = kStream + 4;
}  // namespace memory

// CUPTI_ACTIVITY_KIND_SYNCHRONIZATION
namespace synchronization {
inline constexpr size_t kType = 4, kStart = 8, kEnd = 16, kCorrelation = 24, kContext = 28, kStream = 32;
inline constexpr size_t kMinimumBytes = kStream + 4;
}  // namespace synchronization

// CUPTI_ACTIVITY_KIND_GRAPH_TRACE
namespace graph_trace {
inline constexpr size_t kCorrelation = 4, kStart = 8, kEnd = 16, kDevice = 24, kGraph = 28, kContext = 32, kStream = 36;
inline constexpr size_t kMinimumBytes = kStream + 4;
}  // namespace graph_trace

// CUPTI_ACTIVITY_KIND_CONTEXT
namespace context {
inline constexpr size_t kContext = 4, kDevice = 8;
inline constexpr size_t kMinimumBytes = kDevice + 4;
}  // namespace context

// CUPTI_ACTIVITY_KIND_DEVICE
namespace device {
inline constexpr size_t kOrdinal = 112, kIsCudaVisible = 144, kIsMigEnabled = 145, kGpuInstance = 152,
                        kComputeInstance = 156, kMigUuid = 160;
inline constexpr size_t kMinimumBytes = kMigUuid + 16;
}  // namespace device

// The offsets above, against the header this is built with.
#define MIGPROF_AT(type, field, offset) static_assert(offsetof(type, field) == (offset))
#if CUPTI_API_VERSION >= 130000
MIGPROF_AT(CUpti_ActivityKernel10, registersPerThread, kernel::kRegisters);
MIGPROF_AT(CUpti_ActivityKernel10, start, kernel::kStart);
MIGPROF_AT(CUpti_ActivityKernel10, end, kernel::kEnd);
MIGPROF_AT(CUpti_ActivityKernel10, deviceId, kernel::kDevice);
MIGPROF_AT(CUpti_ActivityKernel10, contextId, kernel::kContext);
MIGPROF_AT(CUpti_ActivityKernel10, streamId, kernel::kStream);
MIGPROF_AT(CUpti_ActivityKernel10, gridX, kernel::kGrid);
MIGPROF_AT(CUpti_ActivityKernel10, blockX, kernel::kBlock);
MIGPROF_AT(CUpti_ActivityKernel10, staticSharedMemory, kernel::kStaticShared);
MIGPROF_AT(CUpti_ActivityKernel10, dynamicSharedMemory, kernel::kDynamicShared);
MIGPROF_AT(CUpti_ActivityKernel10, localMemoryPerThread, kernel::kLocalPerThread);
MIGPROF_AT(CUpti_ActivityKernel10, correlationId, kernel::kCorrelation);
MIGPROF_AT(CUpti_ActivityKernel10, name, kernel::kName);
MIGPROF_AT(CUpti_ActivityKernel10, graphNodeId, kernel::kGraphNode);
MIGPROF_AT(CUpti_ActivityKernel10, graphId, kernel::kGraph);
MIGPROF_AT(CUpti_ActivityKernel10, clusterX, kernel::kCluster);
MIGPROF_AT(CUpti_ActivityMemcpy6, copyKind, memcpy_record::kCopyKind);
MIGPROF_AT(CUpti_ActivityMemcpy6, correlationId, memcpy_record::kCorrelation);
MIGPROF_AT(CUpti_ActivityMemcpy6, graphId, memcpy_record::kGraph);
MIGPROF_AT(CUpti_ActivityMemcpyPtoP4, correlationId, memcpy_peer::kCorrelation);
MIGPROF_AT(CUpti_ActivityMemcpyPtoP4, graphId, memcpy_peer::kGraph);
MIGPROF_AT(CUpti_ActivityMemset4, correlationId, memset_record::kCorrelation);
MIGPROF_AT(CUpti_ActivityMemset4, graphId, memset_record::kGraph);
MIGPROF_AT(CUpti_ActivityMemory4, memoryOperationType, memory::kOperation);
MIGPROF_AT(CUpti_ActivityMemory4, timestamp, memory::kTime);
MIGPROF_AT(CUpti_ActivityMemory4, streamId, memory::kStream);
MIGPROF_AT(CUpti_ActivitySynchronization2, correlationId, synchronization::kCorrelation);
MIGPROF_AT(CUpti_ActivitySynchronization2, streamId, synchronization::kStream);
MIGPROF_AT(CUpti_ActivityGraphTrace2, correlationId, graph_trace::kCorrelation);
MIGPROF_AT(CUpti_ActivityGraphTrace2, start, graph_trace::kStart);
MIGPROF_AT(CUpti_ActivityGraphTrace2, graphId, graph_trace::kGraph);
MIGPROF_AT(CUpti_ActivityGraphTrace2, streamId, graph_trace::kStream);
MIGPROF_AT(CUpti_ActivityContext3, deviceId, context::kDevice);
MIGPROF_AT(CUpti_ActivityDevice5, id, device::kOrdinal);
MIGPROF_AT(CUpti_ActivityDevice5, isCudaVisible, device::kIsCudaVisible);
MIGPROF_AT(CUpti_ActivityDevice5, isMigEnabled, device::kIsMigEnabled);
MIGPROF_AT(CUpti_ActivityDevice5, gpuInstanceId, device::kGpuInstance);
MIGPROF_AT(CUpti_ActivityDevice5, migUuid, device::kMigUuid);
#endif
#undef MIGPROF_AT

}  // namespace migprof::record::layout
