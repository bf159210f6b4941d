// SPDX-License-Identifier: Apache-2.0
#include "bodies.h"
#include "driver/copy.h"
#include "driver/memory.h"

namespace simgpu::driver::api {
namespace {

MemsetPlan Line(CUdeviceptr address, uint32_t value, uint32_t element_bytes, size_t count) {
  return {static_cast<char*>(HostPointer(address)), 0, value, element_bytes, count, 1};
}

MemsetPlan Rows(CUdeviceptr address, size_t pitch, uint32_t value, uint32_t element_bytes, size_t width,
                size_t height) {
  return {static_cast<char*>(HostPointer(address)), pitch, value, element_bytes, width, height};
}

}  // namespace

CUresult MemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N) {
  return Memset(nullptr, Line(dstDevice, uc, 1, N), false);
}

CUresult MemsetD16_v2(CUdeviceptr dstDevice, unsigned short us, size_t N) {
  return Memset(nullptr, Line(dstDevice, us, 2, N), false);
}

CUresult MemsetD32_v2(CUdeviceptr dstDevice, unsigned int ui, size_t N) {
  return Memset(nullptr, Line(dstDevice, ui, 4, N), false);
}

CUresult MemsetD2D8_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width, size_t Height) {
  return Memset(nullptr, Rows(dstDevice, dstPitch, uc, 1, Width, Height), false);
}

CUresult MemsetD2D16_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width, size_t Height) {
  return Memset(nullptr, Rows(dstDevice, dstPitch, us, 2, Width, Height), false);
}

CUresult MemsetD2D32_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width, size_t Height) {
  return Memset(nullptr, Rows(dstDevice, dstPitch, ui, 4, Width, Height), false);
}

CUresult MemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream) {
  return Memset(hStream, Line(dstDevice, uc, 1, N), true);
}

CUresult MemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream) {
  return Memset(hStream, Line(dstDevice, us, 2, N), true);
}

CUresult MemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream) {
  return Memset(hStream, Line(dstDevice, ui, 4, N), true);
}

CUresult MemsetD2D8Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width, size_t Height,
                         CUstream hStream) {
  return Memset(hStream, Rows(dstDevice, dstPitch, uc, 1, Width, Height), true);
}

CUresult MemsetD2D16Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width, size_t Height,
                          CUstream hStream) {
  return Memset(hStream, Rows(dstDevice, dstPitch, us, 2, Width, Height), true);
}

CUresult MemsetD2D32Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width, size_t Height,
                          CUstream hStream) {
  return Memset(hStream, Rows(dstDevice, dstPitch, ui, 4, Width, Height), true);
}

}  // namespace simgpu::driver::api
