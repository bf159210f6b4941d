// SPDX-License-Identifier: Apache-2.0
// Copies and memsets of boxes.
#include <cuda_runtime_api.h>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {
namespace {

CUarray DriverArray(cudaArray_t array) { return reinterpret_cast<CUarray>(array); }

// Only plain memory tells by the kind of copy where it is.
CUmemorytype TypeOf(cudaArray_t array, cudaMemcpyKind kind, bool device) {
  if (array != nullptr) return CU_MEMORYTYPE_ARRAY;
  if (kind == cudaMemcpyDefault) return CU_MEMORYTYPE_UNIFIED;
  return device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
}

cudaError_t DriverCopy(const cudaMemcpy3DParms* params, CUDA_MEMCPY3D* copy) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  if (params == nullptr) return Fail(cudaErrorInvalidValue);
  const cudaMemcpyKind kind = params->kind;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return Fail(cudaErrorInvalidMemcpyDirection);
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  *copy = {};
  copy->srcXInBytes = params->srcPos.x;
  copy->srcY = params->srcPos.y;
  copy->srcZ = params->srcPos.z;
  copy->srcMemoryType = TypeOf(params->srcArray, kind, from_device);
  copy->srcHost = params->srcPtr.ptr;
  copy->srcDevice = reinterpret_cast<CUdeviceptr>(params->srcPtr.ptr);
  copy->srcArray = DriverArray(params->srcArray);
  copy->srcPitch = params->srcPtr.pitch;
  copy->srcHeight = params->srcPtr.ysize;
  copy->dstXInBytes = params->dstPos.x;
  copy->dstY = params->dstPos.y;
  copy->dstZ = params->dstPos.z;
  copy->dstMemoryType = TypeOf(params->dstArray, kind, to_device);
  copy->dstHost = params->dstPtr.ptr;
  copy->dstDevice = reinterpret_cast<CUdeviceptr>(params->dstPtr.ptr);
  copy->dstArray = DriverArray(params->dstArray);
  copy->dstPitch = params->dstPtr.pitch;
  copy->dstHeight = params->dstPtr.ysize;
  copy->WidthInBytes = params->extent.width;
  copy->Height = params->extent.height;
  copy->Depth = params->extent.depth;
  return cudaSuccess;
}

CUdeviceptr Plane(const cudaPitchedPtr& box, size_t z) {
  return reinterpret_cast<CUdeviceptr>(box.ptr) + z * box.pitch * box.ysize;
}

}  // namespace

cudaError_t Memcpy3D(const cudaMemcpy3DParms* p) {
  CUDA_MEMCPY3D copy;
  if (const cudaError_t error = DriverCopy(p, &copy); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTDS(cuMemcpy3D_v2)(&copy));
}

cudaError_t Memcpy3DAsync(const cudaMemcpy3DParms* p, cudaStream_t stream) {
  CUDA_MEMCPY3D copy;
  if (const cudaError_t error = DriverCopy(p, &copy); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuMemcpy3DAsync_v2)(&copy, stream));
}

// The driver has no memset of a box: one of a rectangle for each of its planes.
cudaError_t Memset3D(cudaPitchedPtr pitchedDevPtr, int value, cudaExtent extent) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const auto byte = static_cast<unsigned char>(value);
  for (size_t z = 0; z < extent.depth; ++z) {
    const CUresult result = SIMGPU_DRIVER_PTDS(cuMemsetD2D8_v2)(Plane(pitchedDevPtr, z), pitchedDevPtr.pitch, byte,
                                                                extent.width, extent.height);
    if (result != CUDA_SUCCESS) return Result(result);
  }
  return cudaSuccess;
}

cudaError_t Memset3DAsync(cudaPitchedPtr pitchedDevPtr, int value, cudaExtent extent, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const auto byte = static_cast<unsigned char>(value);
  for (size_t z = 0; z < extent.depth; ++z) {
    const CUresult result = SIMGPU_DRIVER_PTSZ(cuMemsetD2D8Async)(Plane(pitchedDevPtr, z), pitchedDevPtr.pitch, byte,
                                                                  extent.width, extent.height, stream);
    if (result != CUDA_SUCCESS) return Result(result);
  }
  return cudaSuccess;
}

cudaError_t GraphAddMemcpyNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                               size_t numDependencies, const cudaMemcpy3DParms* pCopyParams) {
  CUDA_MEMCPY3D copy;
  if (const cudaError_t error = DriverCopy(pCopyParams, &copy); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuGraphAddMemcpyNode)(pGraphNode, graph, pDependencies, numDependencies, &copy, nullptr));
}

}  // namespace simgpu::runtime::api
