// SPDX-License-Identifier: Apache-2.0
// Memory of the device.
#include "bodies.h"
#include "driver/capture.h"
#include "driver/context.h"
#include "driver/memory.h"
#include "driver/memory_pool.h"
#include "driver/memory_report.h"

namespace simgpu::driver::api {
namespace {

// Rows of cuMemAllocPitch start at multiples of this.
constexpr size_t kPitch = 512;

// Freeing waits for everything that might still use the memory.
void WaitForUsers(Context* context) { Engine::Get().WaitForGroup(context->lanes); }

}  // namespace

CUresult MemAlloc_v2(CUdeviceptr* dptr, size_t bytesize) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (dptr == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = ForbidUnsafeCall(); result != CUDA_SUCCESS) return result;
  const CUresult result = AllocateDevice(context, bytesize, AllocationKind::kDevice, dptr);
  if (result == CUDA_SUCCESS) ReportAllocation(*AllocationAt(*dptr));
  return result;
}

CUresult MemAllocPitch_v2(CUdeviceptr* dptr, size_t* pPitch, size_t WidthInBytes, size_t Height,
                          unsigned int ElementSizeBytes) {
  if (pPitch == nullptr || WidthInBytes == 0 || Height == 0) return CUDA_ERROR_INVALID_VALUE;
  if (ElementSizeBytes != 4 && ElementSizeBytes != 8 && ElementSizeBytes != 16) return CUDA_ERROR_INVALID_VALUE;
  *pPitch = (WidthInBytes + kPitch - 1) / kPitch * kPitch;
  return MemAlloc_v2(dptr, *pPitch * Height);
}

CUresult MemAllocManaged(CUdeviceptr* dptr, size_t bytesize, unsigned int flags) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (dptr == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
  if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = ForbidUnsafeCall(); result != CUDA_SUCCESS) return result;
  void* address = nullptr;
  const CUresult result = AllocateHost(context, bytesize, AllocationKind::kManaged, flags, &address);
  if (result != CUDA_SUCCESS) return result;
  *dptr = DevicePointer(address);
  ReportAllocation(*AllocationAt(*dptr));
  return CUDA_SUCCESS;
}

CUresult MemFree_v2(CUdeviceptr dptr) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  if (dptr == 0) return CUDA_SUCCESS;
  if (const CUresult result = ForbidUnsafeCall(); result != CUDA_SUCCESS) return result;
  const std::optional<Allocation> allocation = AllocationAt(dptr);
  if (!allocation || allocation->address != dptr || allocation->kind == AllocationKind::kStatic)
    return CUDA_ERROR_INVALID_VALUE;
  WaitForUsers(context);
  const CUresult result = FreeDevice(dptr);
  if (result != CUDA_SUCCESS) return result;
  ReportRelease(*allocation);
  if (allocation->pool != nullptr) RemoveUse(allocation->pool, allocation->bytes);
  return CUDA_SUCCESS;
}

CUresult MemGetInfo_v2(size_t* free, size_t* total) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  const MemoryArena& arena = context->device->arena;
  if (free != nullptr) *free = arena.capacity() - arena.used();
  if (total != nullptr) *total = arena.capacity();
  return CUDA_SUCCESS;
}

CUresult MemGetAddressRange_v2(CUdeviceptr* pbase, size_t* psize, CUdeviceptr dptr) {
  const std::optional<Allocation> allocation = AllocationAt(dptr);
  if (!allocation) return CUDA_ERROR_NOT_FOUND;
  if (pbase != nullptr) *pbase = allocation->address;
  if (psize != nullptr) *psize = allocation->bytes;
  return CUDA_SUCCESS;
}

// Advice and prefetching move nothing: managed memory is host memory here.
CUresult MemAdvise_v2(CUdeviceptr devPtr, size_t count, CUmem_advise, CUmemLocation) {
  return IsKnownRange(devPtr, count) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult MemAdvise(CUdeviceptr devPtr, size_t count, CUmem_advise, CUdevice) {
  return IsKnownRange(devPtr, count) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult MemPrefetchAsync_v2(CUdeviceptr devPtr, size_t count, CUmemLocation, unsigned int, CUstream hStream) {
  CUresult error = CUDA_SUCCESS;
  if (ResolveStream(hStream, &error) == nullptr) return error;
  return IsKnownRange(devPtr, count) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult MemPrefetchAsync(CUdeviceptr devPtr, size_t count, CUdevice, CUstream hStream) {
  return MemPrefetchAsync_v2(devPtr, count, {}, 0, hStream);
}

}  // namespace simgpu::driver::api
