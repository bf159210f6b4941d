// SPDX-License-Identifier: Apache-2.0
// The copies of the driver API. A null stream in a `…_ptds` door already means the calling thread's own.
#include "bodies.h"
#include "driver/array.h"
#include "driver/context.h"
#include "driver/copy.h"
#include "driver/memory.h"

namespace simgpu::driver::api {
namespace {

constexpr CopyOptions kSync{};
constexpr CopyOptions kAsync{.async = true};

// One side of a copy that touches an array.
struct ArraySide {
  CUarray array;
  size_t offset;
};

CUDA_MEMCPY3D ToArray(ArraySide to, CUmemorytype from_type, CUdeviceptr from, size_t bytes) {
  CUDA_MEMCPY3D copy = LinearCopy(CU_MEMORYTYPE_ARRAY, 0, from_type, from, bytes);
  copy.dstArray = to.array;
  copy.dstXInBytes = to.offset;
  return copy;
}

CUDA_MEMCPY3D FromArray(CUmemorytype to_type, CUdeviceptr to, ArraySide from, size_t bytes) {
  CUDA_MEMCPY3D copy = LinearCopy(to_type, to, CU_MEMORYTYPE_ARRAY, 0, bytes);
  copy.srcArray = from.array;
  copy.srcXInBytes = from.offset;
  return copy;
}

CUresult CopyPeer(CUstream stream, const CUDA_MEMCPY3D& copy, CUcontext destination, CUcontext source, bool async) {
  Context* const to = FindContext(destination);
  Context* const from = FindContext(source);
  if (to == nullptr || from == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  return Copy(stream, copy, {.async = async, .source_context = from, .destination_context = to});
}

CUDA_MEMCPY3D BoxOfPeer(const CUDA_MEMCPY3D_PEER& peer) {
  CUDA_MEMCPY3D box = {};
  box.srcXInBytes = peer.srcXInBytes;
  box.srcY = peer.srcY;
  box.srcZ = peer.srcZ;
  box.srcMemoryType = peer.srcMemoryType;
  box.srcHost = peer.srcHost;
  box.srcDevice = peer.srcDevice;
  box.srcArray = peer.srcArray;
  box.srcPitch = peer.srcPitch;
  box.srcHeight = peer.srcHeight;
  box.dstXInBytes = peer.dstXInBytes;
  box.dstY = peer.dstY;
  box.dstZ = peer.dstZ;
  box.dstMemoryType = peer.dstMemoryType;
  box.dstHost = peer.dstHost;
  box.dstDevice = peer.dstDevice;
  box.dstArray = peer.dstArray;
  box.dstPitch = peer.dstPitch;
  box.dstHeight = peer.dstHeight;
  box.WidthInBytes = peer.WidthInBytes;
  box.Height = peer.Height;
  box.Depth = peer.Depth;
  return box;
}

}  // namespace

CUresult Memcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount) {
  return Copy(nullptr, LinearCopy(CU_MEMORYTYPE_UNIFIED, dst, CU_MEMORYTYPE_UNIFIED, src, ByteCount), kSync);
}

CUresult MemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream) {
  return Copy(hStream, LinearCopy(CU_MEMORYTYPE_UNIFIED, dst, CU_MEMORYTYPE_UNIFIED, src, ByteCount), kAsync);
}

CUresult MemcpyHtoD_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount) {
  return Copy(nullptr,
              LinearCopy(CU_MEMORYTYPE_DEVICE, dstDevice, CU_MEMORYTYPE_HOST, DevicePointer(srcHost), ByteCount),
              kSync);
}

CUresult MemcpyDtoH_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount) {
  return Copy(nullptr,
              LinearCopy(CU_MEMORYTYPE_HOST, DevicePointer(dstHost), CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount),
              kSync);
}

CUresult MemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount) {
  return Copy(nullptr, LinearCopy(CU_MEMORYTYPE_DEVICE, dstDevice, CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount), kSync);
}

CUresult MemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount, CUstream hStream) {
  return Copy(hStream,
              LinearCopy(CU_MEMORYTYPE_DEVICE, dstDevice, CU_MEMORYTYPE_HOST, DevicePointer(srcHost), ByteCount),
              kAsync);
}

CUresult MemcpyDtoHAsync_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream) {
  return Copy(hStream,
              LinearCopy(CU_MEMORYTYPE_HOST, DevicePointer(dstHost), CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount),
              kAsync);
}

CUresult MemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream) {
  return Copy(hStream, LinearCopy(CU_MEMORYTYPE_DEVICE, dstDevice, CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount), kAsync);
}

CUresult MemcpyPeer(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext srcContext,
                    size_t ByteCount) {
  return CopyPeer(nullptr, LinearCopy(CU_MEMORYTYPE_DEVICE, dstDevice, CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount),
                  dstContext, srcContext, false);
}

CUresult MemcpyPeerAsync(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext srcContext,
                         size_t ByteCount, CUstream hStream) {
  return CopyPeer(hStream, LinearCopy(CU_MEMORYTYPE_DEVICE, dstDevice, CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount),
                  dstContext, srcContext, true);
}

CUresult Memcpy2D_v2(const CUDA_MEMCPY2D* pCopy) {
  return pCopy != nullptr ? Copy(nullptr, BoxOf(*pCopy), kSync) : CUDA_ERROR_INVALID_VALUE;
}

CUresult Memcpy2DUnaligned_v2(const CUDA_MEMCPY2D* pCopy) { return Memcpy2D_v2(pCopy); }

CUresult Memcpy2DAsync_v2(const CUDA_MEMCPY2D* pCopy, CUstream hStream) {
  return pCopy != nullptr ? Copy(hStream, BoxOf(*pCopy), kAsync) : CUDA_ERROR_INVALID_VALUE;
}

CUresult Memcpy3D_v2(const CUDA_MEMCPY3D* pCopy) {
  return pCopy != nullptr ? Copy(nullptr, *pCopy, kSync) : CUDA_ERROR_INVALID_VALUE;
}

CUresult Memcpy3DAsync_v2(const CUDA_MEMCPY3D* pCopy, CUstream hStream) {
  return pCopy != nullptr ? Copy(hStream, *pCopy, kAsync) : CUDA_ERROR_INVALID_VALUE;
}

CUresult Memcpy3DPeer(const CUDA_MEMCPY3D_PEER* pCopy) {
  if (pCopy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return CopyPeer(nullptr, BoxOfPeer(*pCopy), pCopy->dstContext, pCopy->srcContext, false);
}

CUresult Memcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER* pCopy, CUstream hStream) {
  if (pCopy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return CopyPeer(hStream, BoxOfPeer(*pCopy), pCopy->dstContext, pCopy->srcContext, true);
}

CUresult MemcpyHtoA_v2(CUarray dstArray, size_t dstOffset, const void* srcHost, size_t ByteCount) {
  return Copy(nullptr, ToArray({dstArray, dstOffset}, CU_MEMORYTYPE_HOST, DevicePointer(srcHost), ByteCount), kSync);
}

CUresult MemcpyHtoAAsync_v2(CUarray dstArray, size_t dstOffset, const void* srcHost, size_t ByteCount,
                            CUstream hStream) {
  return Copy(hStream, ToArray({dstArray, dstOffset}, CU_MEMORYTYPE_HOST, DevicePointer(srcHost), ByteCount), kAsync);
}

CUresult MemcpyAtoH_v2(void* dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount) {
  return Copy(nullptr, FromArray(CU_MEMORYTYPE_HOST, DevicePointer(dstHost), {srcArray, srcOffset}, ByteCount), kSync);
}

CUresult MemcpyAtoHAsync_v2(void* dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount, CUstream hStream) {
  return Copy(hStream, FromArray(CU_MEMORYTYPE_HOST, DevicePointer(dstHost), {srcArray, srcOffset}, ByteCount), kAsync);
}

CUresult MemcpyDtoA_v2(CUarray dstArray, size_t dstOffset, CUdeviceptr srcDevice, size_t ByteCount) {
  return Copy(nullptr, ToArray({dstArray, dstOffset}, CU_MEMORYTYPE_DEVICE, srcDevice, ByteCount), kSync);
}

CUresult MemcpyAtoD_v2(CUdeviceptr dstDevice, CUarray srcArray, size_t srcOffset, size_t ByteCount) {
  return Copy(nullptr, FromArray(CU_MEMORYTYPE_DEVICE, dstDevice, {srcArray, srcOffset}, ByteCount), kSync);
}

CUresult MemcpyAtoA_v2(CUarray dstArray, size_t dstOffset, CUarray srcArray, size_t srcOffset, size_t ByteCount) {
  CUDA_MEMCPY3D copy = FromArray(CU_MEMORYTYPE_ARRAY, 0, {srcArray, srcOffset}, ByteCount);
  copy.dstArray = dstArray;
  copy.dstXInBytes = dstOffset;
  return Copy(nullptr, copy, kSync);
}

}  // namespace simgpu::driver::api
