// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/registration.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {
namespace {

CUdeviceptr Address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

constexpr unsigned kPitchElement = 4;

}  // namespace

cudaError_t Malloc(void** devPtr, size_t size) {
  if (devPtr == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  *devPtr = nullptr;
  if (size == 0) return cudaSuccess;
  return Result(SIMGPU_DRIVER(cuMemAlloc_v2)(reinterpret_cast<CUdeviceptr*>(devPtr), size));
}

cudaError_t MallocPitch(void** devPtr, size_t* pitch, size_t width, size_t height) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(
      SIMGPU_DRIVER(cuMemAllocPitch_v2)(reinterpret_cast<CUdeviceptr*>(devPtr), pitch, width, height, kPitchElement));
}

cudaError_t Malloc3D(cudaPitchedPtr* pitchedDevPtr, cudaExtent extent) {
  if (pitchedDevPtr == nullptr) return Fail(cudaErrorInvalidValue);
  *pitchedDevPtr = {};
  pitchedDevPtr->xsize = extent.width;
  pitchedDevPtr->ysize = extent.height;
  return MallocPitch(&pitchedDevPtr->ptr, &pitchedDevPtr->pitch, extent.width, extent.height * extent.depth);
}

cudaError_t MallocManaged(void** devPtr, size_t size, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemAllocManaged)(reinterpret_cast<CUdeviceptr*>(devPtr), size, flags));
}

cudaError_t Free(void* devPtr) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return devPtr != nullptr ? Result(SIMGPU_DRIVER(cuMemFree_v2)(Address(devPtr))) : cudaSuccess;
}

cudaError_t HostAlloc(void** pHost, size_t size, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemHostAlloc)(pHost, size, flags));
}

cudaError_t MallocHost(void** ptr, size_t size) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemAllocHost_v2)(ptr, size));
}

cudaError_t FreeHost(void* ptr) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return ptr != nullptr ? Result(SIMGPU_DRIVER(cuMemFreeHost)(ptr)) : cudaSuccess;
}

cudaError_t HostRegister(void* ptr, size_t size, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemHostRegister_v2)(ptr, size, flags));
}

cudaError_t HostUnregister(void* ptr) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemHostUnregister)(ptr));
}

cudaError_t HostGetDevicePointer(void** pDevice, void* pHost, unsigned int flags) {
  return Result(SIMGPU_DRIVER(cuMemHostGetDevicePointer_v2)(reinterpret_cast<CUdeviceptr*>(pDevice), pHost, flags));
}

cudaError_t HostGetFlags(unsigned int* pFlags, void* pHost) {
  return Result(SIMGPU_DRIVER(cuMemHostGetFlags)(pFlags, pHost));
}

cudaError_t MemGetInfo(size_t* free, size_t* total) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemGetInfo_v2)(free, total));
}

cudaError_t MallocAsync(void** devPtr, size_t size, cudaStream_t hStream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemAllocAsync)(reinterpret_cast<CUdeviceptr*>(devPtr), size, hStream));
}

cudaError_t MallocFromPoolAsync(void** ptr, size_t size, cudaMemPool_t memPool, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(
      SIMGPU_DRIVER_PTSZ(cuMemAllocFromPoolAsync)(reinterpret_cast<CUdeviceptr*>(ptr), size, memPool, stream));
}

cudaError_t FreeAsync(void* devPtr, cudaStream_t hStream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemFreeAsync)(Address(devPtr), hStream));
}

cudaError_t MemPoolTrimTo(cudaMemPool_t memPool, size_t minBytesToKeep) {
  return Result(SIMGPU_DRIVER(cuMemPoolTrimTo)(memPool, minBytesToKeep));
}

cudaError_t MemPoolSetAttribute(cudaMemPool_t memPool, cudaMemPoolAttr attr, void* value) {
  return Result(SIMGPU_DRIVER(cuMemPoolSetAttribute)(memPool, static_cast<CUmemPool_attribute>(attr), value));
}

cudaError_t MemPoolGetAttribute(cudaMemPool_t memPool, cudaMemPoolAttr attr, void* value) {
  return Result(SIMGPU_DRIVER(cuMemPoolGetAttribute)(memPool, static_cast<CUmemPool_attribute>(attr), value));
}

cudaError_t MemPoolCreate(cudaMemPool_t* memPool, const cudaMemPoolProps* poolProps) {
  static_assert(sizeof(cudaMemPoolProps) == sizeof(CUmemPoolProps));
  return Result(SIMGPU_DRIVER(cuMemPoolCreate)(memPool, reinterpret_cast<const CUmemPoolProps*>(poolProps)));
}

cudaError_t MemPoolDestroy(cudaMemPool_t memPool) { return Result(SIMGPU_DRIVER(cuMemPoolDestroy)(memPool)); }

cudaError_t MemPoolSetAccess(cudaMemPool_t memPool, const cudaMemAccessDesc* descList, size_t count) {
  static_assert(sizeof(cudaMemAccessDesc) == sizeof(CUmemAccessDesc));
  return Result(SIMGPU_DRIVER(cuMemPoolSetAccess)(memPool, reinterpret_cast<const CUmemAccessDesc*>(descList), count));
}

cudaError_t MemPoolGetAccess(cudaMemAccessFlags* flags, cudaMemPool_t memPool, cudaMemLocation* location) {
  return Result(SIMGPU_DRIVER(cuMemPoolGetAccess)(reinterpret_cast<CUmemAccess_flags*>(flags), memPool,
                                                  reinterpret_cast<CUmemLocation*>(location)));
}

cudaError_t PointerGetAttributes(cudaPointerAttributes* attributes, const void* ptr) {
  if (attributes == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  unsigned type = 0, managed = 0;
  int ordinal = 0;
  CUdeviceptr device_pointer = 0;
  void* host_pointer = nullptr;
  CUpointer_attribute wanted[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_IS_MANAGED,
                                  CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
                                  CU_POINTER_ATTRIBUTE_HOST_POINTER};
  void* values[] = {&type, &managed, &ordinal, &device_pointer, &host_pointer};
  const CUresult result = SIMGPU_DRIVER(cuPointerGetAttributes)(5, wanted, values, Address(ptr));
  if (result != CUDA_SUCCESS) return Result(result);
  *attributes = {};
  attributes->type = managed != 0                   ? cudaMemoryTypeManaged
                     : type == CU_MEMORYTYPE_DEVICE ? cudaMemoryTypeDevice
                     : type == CU_MEMORYTYPE_HOST   ? cudaMemoryTypeHost
                                                    : cudaMemoryTypeUnregistered;
  attributes->device = ordinal;
  attributes->devicePointer = reinterpret_cast<void*>(device_pointer);
  attributes->hostPointer = type == 0 ? const_cast<void*>(ptr) : host_pointer;
  return cudaSuccess;
}

cudaError_t MemPrefetchAsync(const void* devPtr, size_t count, cudaMemLocation, unsigned int flags,
                             cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemPrefetchAsync_v2)(Address(devPtr), count, {}, flags, stream));
}

cudaError_t MemAdvise(const void* devPtr, size_t count, cudaMemoryAdvise advice, cudaMemLocation) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuMemAdvise_v2)(Address(devPtr), count, static_cast<CUmem_advise>(advice), {}));
}

cudaError_t GetSymbolAddress(void** devPtr, const void* symbol) {
  if (devPtr == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return FindVariable(symbol, reinterpret_cast<CUdeviceptr*>(devPtr), nullptr);
}

cudaError_t GetSymbolSize(size_t* size, const void* symbol) {
  if (size == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  CUdeviceptr unused = 0;
  return FindVariable(symbol, &unused, size);
}

}  // namespace simgpu::runtime::api
