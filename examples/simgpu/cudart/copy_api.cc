// SPDX-License-Identifier: Apache-2.0
// Copies and memsets. The runtime calls the driver's function for the direction that the program or the addresses tell.
#include <cuda_runtime_api.h>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/registration.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {
namespace {

CUdeviceptr Address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

CUmemorytype SourceType(cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDefault) return CU_MEMORYTYPE_UNIFIED;
  return kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
}

CUmemorytype DestinationType(cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDefault) return CU_MEMORYTYPE_UNIFIED;
  return kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
}

CUresult CopyNow(void* dst, const void* src, size_t count, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return SIMGPU_DRIVER_PTDS(cuMemcpyHtoD_v2)(Address(dst), src, count);
    case cudaMemcpyDeviceToHost:
      return SIMGPU_DRIVER_PTDS(cuMemcpyDtoH_v2)(dst, Address(src), count);
    case cudaMemcpyDeviceToDevice:
      return SIMGPU_DRIVER_PTDS(cuMemcpyDtoD_v2)(Address(dst), Address(src), count);
    default:
      return SIMGPU_DRIVER_PTDS(cuMemcpy)(Address(dst), Address(src), count);
  }
}

CUresult CopyLater(void* dst, const void* src, size_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return SIMGPU_DRIVER_PTSZ(cuMemcpyHtoDAsync_v2)(Address(dst), src, count, stream);
    case cudaMemcpyDeviceToHost:
      return SIMGPU_DRIVER_PTSZ(cuMemcpyDtoHAsync_v2)(dst, Address(src), count, stream);
    case cudaMemcpyDeviceToDevice:
      return SIMGPU_DRIVER_PTSZ(cuMemcpyDtoDAsync_v2)(Address(dst), Address(src), count, stream);
    default:
      return SIMGPU_DRIVER_PTSZ(cuMemcpyAsync)(Address(dst), Address(src), count, stream);
  }
}

CUDA_MEMCPY2D Rows(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
                   cudaMemcpyKind kind) {
  CUDA_MEMCPY2D copy = {};
  copy.srcMemoryType = SourceType(kind);
  copy.srcHost = src;
  copy.srcDevice = Address(src);
  copy.srcPitch = spitch;
  copy.dstMemoryType = DestinationType(kind);
  copy.dstHost = dst;
  copy.dstDevice = Address(dst);
  copy.dstPitch = dpitch;
  copy.WidthInBytes = width;
  copy.Height = height;
  return copy;
}

// The address `offset` bytes into the device variable behind `symbol`.
cudaError_t Locate(const void* symbol, size_t offset, size_t count, void** address) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  CUdeviceptr start = 0;
  size_t bytes = 0;
  if (const cudaError_t error = FindVariable(symbol, &start, &bytes); error != cudaSuccess) return error;
  if (offset > bytes || count > bytes - offset) return Fail(cudaErrorInvalidValue);
  *address = reinterpret_cast<void*>(start + offset);
  return cudaSuccess;
}

}  // namespace

cudaError_t Memcpy(void* dst, const void* src, size_t count, cudaMemcpyKind kind) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return Fail(cudaErrorInvalidMemcpyDirection);
  return Result(CopyNow(dst, src, count, kind));
}

cudaError_t MemcpyAsync(void* dst, const void* src, size_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return Fail(cudaErrorInvalidMemcpyDirection);
  return Result(CopyLater(dst, src, count, kind, stream));
}

cudaError_t Memcpy2D(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
                     cudaMemcpyKind kind) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const CUDA_MEMCPY2D copy = Rows(dst, dpitch, src, spitch, width, height, kind);
  return Result(SIMGPU_DRIVER_PTDS(cuMemcpy2D_v2)(&copy));
}

cudaError_t Memcpy2DAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
                          cudaMemcpyKind kind, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const CUDA_MEMCPY2D copy = Rows(dst, dpitch, src, spitch, width, height, kind);
  return Result(SIMGPU_DRIVER_PTSZ(cuMemcpy2DAsync_v2)(&copy, stream));
}

cudaError_t MemcpyPeer(void* dst, int dstDevice, const void* src, int srcDevice, size_t count) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTDS(cuMemcpyPeer)(Address(dst), ContextOfDevice(dstDevice), Address(src),
                                                 ContextOfDevice(srcDevice), count));
}

cudaError_t MemcpyPeerAsync(void* dst, int dstDevice, const void* src, int srcDevice, size_t count,
                            cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemcpyPeerAsync)(Address(dst), ContextOfDevice(dstDevice), Address(src),
                                                      ContextOfDevice(srcDevice), count, stream));
}

cudaError_t MemcpyToSymbol(const void* symbol, const void* src, size_t count, size_t offset, cudaMemcpyKind kind) {
  void* address = nullptr;
  if (const cudaError_t error = Locate(symbol, offset, count, &address); error != cudaSuccess) return error;
  return Result(CopyNow(address, src, count, kind));
}

cudaError_t MemcpyToSymbolAsync(const void* symbol, const void* src, size_t count, size_t offset, cudaMemcpyKind kind,
                                cudaStream_t stream) {
  void* address = nullptr;
  if (const cudaError_t error = Locate(symbol, offset, count, &address); error != cudaSuccess) return error;
  return Result(CopyLater(address, src, count, kind, stream));
}

cudaError_t MemcpyFromSymbol(void* dst, const void* symbol, size_t count, size_t offset, cudaMemcpyKind kind) {
  void* address = nullptr;
  if (const cudaError_t error = Locate(symbol, offset, count, &address); error != cudaSuccess) return error;
  return Result(CopyNow(dst, address, count, kind));
}

cudaError_t MemcpyFromSymbolAsync(void* dst, const void* symbol, size_t count, size_t offset, cudaMemcpyKind kind,
                                  cudaStream_t stream) {
  void* address = nullptr;
  if (const cudaError_t error = Locate(symbol, offset, count, &address); error != cudaSuccess) return error;
  return Result(CopyLater(dst, address, count, kind, stream));
}

cudaError_t Memset(void* devPtr, int value, size_t count) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTDS(cuMemsetD8_v2)(Address(devPtr), static_cast<unsigned char>(value), count));
}

cudaError_t MemsetAsync(void* devPtr, int value, size_t count, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemsetD8Async)(Address(devPtr), static_cast<unsigned char>(value), count, stream));
}

cudaError_t Memset2D(void* devPtr, size_t pitch, int value, size_t width, size_t height) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(
      SIMGPU_DRIVER_PTDS(cuMemsetD2D8_v2)(Address(devPtr), pitch, static_cast<unsigned char>(value), width, height));
}

cudaError_t Memset2DAsync(void* devPtr, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemsetD2D8Async)(Address(devPtr), pitch, static_cast<unsigned char>(value), width,
                                                      height, stream));
}

}  // namespace simgpu::runtime::api
