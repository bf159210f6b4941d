// SPDX-License-Identifier: Apache-2.0
// Records of devices, contexts and streams.
#include <cstring>

#include "base/faults.h"
#include "cupti/driver_link.h"
#include "cupti/records.h"
#include "cupti/timestamps.h"

namespace simgpu::cupti {
namespace {

constexpr uint32_t kDefaultStreamId = 7;

void CopyUuid(const Uuid& from, CUuuid* to) { std::memcpy(to->bytes, from.data(), from.size()); }

}  // namespace

void WriteDevice(const DeviceRef& device, uint32_t ordinal, bool visible) {
  Driver& driver = *LinkedDriver();
  // Instances that are not visible have no ordinal to ask; nearly all they have in common with a visible one is the
  // board.
  const auto ask = [&](CUdevice_attribute attribute) {
    return static_cast<uint32_t>(driver.DeviceAttribute(attribute, visible ? ordinal : 0));
  };
  CUpti_ActivityDevice5 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_DEVICE;
  record.flags = CUPTI_ACTIVITY_FLAG_DEVICE_CONCURRENT_KERNELS;
  record.globalMemoryBandwidth = device.memory_bytes_per_us() * 1000;  // in KB/s
  record.globalMemorySize = device.memory_bytes();
  record.constantMemorySize = ask(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY);
  record.l2CacheSize = ask(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  record.numThreadsPerWarp = ask(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
  record.coreClockRate = ask(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  record.numMemcpyEngines = device.copy_engines();
  record.numMultiprocessors = device.sm_count();
  record.maxIPC = 4;
  record.maxWarpsPerMultiprocessor = ask(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR) / 32;
  record.maxBlocksPerMultiprocessor = ask(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR);
  record.maxSharedMemoryPerMultiprocessor = ask(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  record.maxRegistersPerMultiprocessor = ask(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  record.maxRegistersPerBlock = ask(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
  record.maxSharedMemoryPerBlock = ask(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  record.maxThreadsPerBlock = ask(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  record.maxBlockDimX = ask(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
  record.maxBlockDimY = ask(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
  record.maxBlockDimZ = ask(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
  record.maxGridDimX = ask(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
  record.maxGridDimY = ask(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
  record.maxGridDimZ = ask(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
  record.computeCapabilityMajor = device.gpu->compute_major;
  record.computeCapabilityMinor = device.gpu->compute_minor;
  record.id = ordinal;
  record.eccEnabled = 1;
  CopyUuid(device.gpu->uuid, &record.uuid);
  record.name = strdup(device.name().c_str());  // the client frees it
  record.isCudaVisible = visible ? 1 : 0;
  record.isMigEnabled = device.is_mig() ? 1 : 0;
  record.gpuInstanceId = device.is_mig() ? device.instance->id : UINT32_MAX;
  record.computeInstanceId = device.is_mig() ? device.compute->id : UINT32_MAX;
  if (device.is_mig()) CopyUuid(device.compute->uuid, &record.migUuid);
  // Before 13.3 CUPTI mixed these up for instances the process may not use.
  if (!visible && FaultSwitch("wrong-invisible-uuids")) {
    CopyUuid(device.gpu->uuid, &record.migUuid);
    std::memset(&record.uuid, 0, sizeof(record.uuid));
    record.numMultiprocessors = 0;
  }
  record.numaId = invalidNumaId;
  WriteRecord(&record, 0);
}

void WriteContext(const ContextFacts& context) {
  CUpti_ActivityContext3 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_CONTEXT;
  record.contextId = context.id;
  record.deviceId = context.device;
  record.computeApiKind = CUPTI_ACTIVITY_COMPUTE_API_CUDA;
  record.nullStreamId = kDefaultStreamId;
  record.parentContextId = CUPTI_INVALID_CONTEXT_ID;
  record.numMultiprocessors = static_cast<uint16_t>(context.sm_count);
  WriteRecord(&record, 0);
}

void WriteStream(const StreamFacts& stream) {
  CUpti_ActivityStream record = {};
  record.kind = CUPTI_ACTIVITY_KIND_STREAM;
  record.contextId = stream.context_id;
  record.streamId = stream.stream_id;
  record.priority = stream.priority;
  record.flag = static_cast<CUpti_ActivityStreamFlag>(stream.flag);
  record.correlationId = stream.correlation_id;
  WriteRecord(&record, 0);
}

void WriteFlushOverhead(uint64_t start_ns, uint64_t end_ns) {
  CUpti_ActivityOverhead3 record = {};
  record.kind = CUPTI_ACTIVITY_KIND_OVERHEAD;
  record.overheadKind = CUPTI_ACTIVITY_OVERHEAD_CUPTI_BUFFER_FLUSH;
  record.objectKind = CUPTI_ACTIVITY_OBJECT_THREAD;
  record.objectId.pt.threadId = ThreadId();
  record.start = RecordTime(start_ns);
  record.end = RecordTime(end_ns);
  WriteRecord(&record, 0);
}

}  // namespace simgpu::cupti
