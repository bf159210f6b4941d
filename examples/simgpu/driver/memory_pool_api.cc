// SPDX-License-Identifier: Apache-2.0
// Stream-ordered memory and its pools.
#include <cupti_activity.h>

#include <algorithm>

#include "bodies.h"
#include "driver/capture.h"
#include "driver/clock.h"
#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/memory.h"
#include "driver/memory_pool.h"
#include "driver/memory_report.h"
#include "driver/node_payload.h"
#include "driver/process.h"
#include "driver/stream.h"

namespace simgpu::driver::api {
namespace {

// Gives memory back in the order of a stream.
class FreeOperation : public Operation {
 public:
  FreeOperation(CUdeviceptr address, MemoryPool* pool, uint64_t bytes)
      : address_(address), pool_(pool), bytes_(bytes) {}
  uint64_t Schedule(uint64_t ready_ns) override { return ready_ns; }
  void Perform() override {
    FreeDevice(address_);
    RemoveUse(pool_, bytes_);
  }

 private:
  const CUdeviceptr address_;
  MemoryPool* const pool_;
  const uint64_t bytes_;
};

CUresult CaptureAllocation(Stream* stream, MemoryPool* pool, size_t bytes, CUdeviceptr* dptr) {
  AllocNode node;
  node.params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  node.params.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, static_cast<int>(pool->device->ordinal)};
  node.params.bytesize = bytes;
  if (const CUresult result = MakeAllocNode(node.params, &node); result != CUDA_SUCCESS) return result;
  *dptr = node.params.dptr;
  return CaptureNode(stream, std::move(node));
}

CUresult Allocate(CUdeviceptr* dptr, size_t bytes, MemoryPool* pool, CUstream handle) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(handle, &error);
  if (stream == nullptr) return error;
  if (dptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (bytes == 0) {
    *dptr = 0;
    return CUDA_SUCCESS;
  }
  if (pool == nullptr) pool = CurrentPool(stream->context->device);
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      return CaptureAllocation(stream, pool, bytes, dptr);
    case CaptureDecision::kSubmit:
      break;
  }
  const CUresult result = AllocateDevice(stream->context, bytes, AllocationKind::kPooled, dptr, pool);
  if (result != CUDA_SUCCESS) return result;
  AddUse(pool, bytes);
  ReportAllocation(*AllocationAt(*dptr), stream->id);
  return CUDA_SUCCESS;
}

void ReportPool(uint32_t type, MemoryPool* pool, uint64_t min_bytes_to_keep) {
  Tool* const tool = AttachedTool();
  if (tool == nullptr) return;
  tool->PoolChanged(
      {type, pool->device->ordinal, t_call.correlation_id, Clock::Get().NowNs(), min_bytes_to_keep, StateOf(*pool)});
}

// The member an attribute of 32 or 64 bits stands for; at most one of the two is set.
struct PoolAttribute {
  int* number = nullptr;
  uint64_t* bytes = nullptr;
  bool read_only = false;
};

PoolAttribute AttributeOf(MemoryPool* pool, CUmemPool_attribute attribute) {
  switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
      return {.number = &pool->reuse_follow_event_dependencies};
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
      return {.number = &pool->reuse_allow_opportunistic};
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      return {.number = &pool->reuse_allow_internal_dependencies};
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      return {.bytes = &pool->release_threshold};
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
      return {.bytes = &pool->reserved_bytes, .read_only = true};
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
      return {.bytes = &pool->reserved_high_bytes};
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
      return {.bytes = &pool->used_bytes, .read_only = true};
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      return {.bytes = &pool->used_high_bytes};
    default:
      return {};
  }
}

}  // namespace

CUresult MemAllocAsync(CUdeviceptr* dptr, size_t bytesize, CUstream hStream) {
  return Allocate(dptr, bytesize, nullptr, hStream);
}

CUresult MemAllocFromPoolAsync(CUdeviceptr* dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream) {
  MemoryPool* const found = FindPool(pool);
  return found != nullptr ? Allocate(dptr, bytesize, found, hStream) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult MemFreeAsync(CUdeviceptr dptr, CUstream hStream) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  if (dptr == 0) return CUDA_SUCCESS;
  const std::optional<Allocation> allocation = AllocationAt(dptr);
  if (!allocation || allocation->address != dptr || !allocation->on_device()) return CUDA_ERROR_INVALID_VALUE;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture:
      return CaptureNode(stream, FreeNode{dptr});
    case CaptureDecision::kSubmit:
      break;
  }
  ReportRelease(*allocation, stream->id);
  MemoryPool* const pool = allocation->pool != nullptr ? allocation->pool : DefaultPool(allocation->device);
  Engine::Get().Submit(stream->lane, FreeOperation(dptr, pool, allocation->pool != nullptr ? allocation->bytes : 0));
  return CUDA_SUCCESS;
}

CUresult MemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* poolProps) {
  if (pool == nullptr || poolProps == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (poolProps->location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
  Device* const device = Process::Get().DeviceAt(poolProps->location.id);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  MemoryPool* const created = HandlePool<MemoryPool>::New(device);
  ReportPool(CUPTI_ACTIVITY_MEMORY_POOL_OPERATION_TYPE_CREATED, created, 0);
  *pool = HandleOf(created);
  return CUDA_SUCCESS;
}

CUresult MemPoolDestroy(CUmemoryPool pool) {
  MemoryPool* const found = FindPool(pool);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  {
    const std::lock_guard lock(found->device->pool_mutex);
    if (found == found->device->default_pool) return CUDA_ERROR_INVALID_VALUE;
    if (found == found->device->current_pool) found->device->current_pool = nullptr;
  }
  ReportPool(CUPTI_ACTIVITY_MEMORY_POOL_OPERATION_TYPE_DESTROYED, found, 0);
  HandlePool<MemoryPool>::Delete(found);
  return CUDA_SUCCESS;
}

CUresult MemPoolTrimTo(CUmemoryPool pool, size_t minBytesToKeep) {
  MemoryPool* const found = FindPool(pool);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  {
    const std::lock_guard lock(found->mutex);
    found->reserved_bytes = std::max(found->used_bytes, std::min<uint64_t>(found->reserved_bytes, minBytesToKeep));
  }
  ReportPool(CUPTI_ACTIVITY_MEMORY_POOL_OPERATION_TYPE_TRIMMED, found, minBytesToKeep);
  return CUDA_SUCCESS;
}

CUresult MemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void* value) {
  MemoryPool* const found = FindPool(pool);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const std::lock_guard lock(found->mutex);
  const PoolAttribute attribute = AttributeOf(found, attr);
  if (value == nullptr || (attribute.number == nullptr && attribute.bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  if (attribute.number != nullptr) *static_cast<int*>(value) = *attribute.number;
  if (attribute.bytes != nullptr) *static_cast<cuuint64_t*>(value) = *attribute.bytes;
  return CUDA_SUCCESS;
}

CUresult MemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void* value) {
  MemoryPool* const found = FindPool(pool);
  if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const std::lock_guard lock(found->mutex);
  const PoolAttribute attribute = AttributeOf(found, attr);
  if (value == nullptr || attribute.read_only || (attribute.number == nullptr && attribute.bytes == nullptr)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (attribute.number != nullptr) *attribute.number = *static_cast<int*>(value);
  // The high marks can only be reset, to what is in use.
  if (attr == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH) found->reserved_high_bytes = found->reserved_bytes;
  if (attr == CU_MEMPOOL_ATTR_USED_MEM_HIGH) found->used_high_bytes = found->used_bytes;
  if (attr == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) found->release_threshold = *static_cast<cuuint64_t*>(value);
  return CUDA_SUCCESS;
}

CUresult MemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc*, size_t) {
  return FindPool(pool) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult MemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool memPool, CUmemLocation* location) {
  const MemoryPool* const pool = FindPool(memPool);
  if (pool == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (flags == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const bool same =
      location->type == CU_MEM_LOCATION_TYPE_DEVICE && location->id == static_cast<int>(pool->device->ordinal);
  *flags = same ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_NONE;
  return CUDA_SUCCESS;
}

CUresult DeviceGetDefaultMemPool(CUmemoryPool* pool_out, CUdevice dev) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (pool_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pool_out = HandleOf(DefaultPool(device));
  return CUDA_SUCCESS;
}

CUresult DeviceGetMemPool(CUmemoryPool* pool, CUdevice dev) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pool = HandleOf(CurrentPool(device));
  return CUDA_SUCCESS;
}

CUresult DeviceSetMemPool(CUdevice dev, CUmemoryPool pool) {
  Device* const device = Process::Get().DeviceAt(dev);
  MemoryPool* const found = FindPool(pool);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (found == nullptr || found->device != device) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(device->pool_mutex);
  device->current_pool = found;
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
