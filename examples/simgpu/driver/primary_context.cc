// SPDX-License-Identifier: Apache-2.0
#include "driver/primary_context.h"
#include "bodies.h"
#include "driver/process.h"

namespace simgpu::driver {
namespace {

void Destroy(Device* device) {
  Context* const context = device->primary;
  device->primary = nullptr;
  device->primary_retained = 0;
  DestroyContext(context);
}

}  // namespace

Context* RetainPrimaryContext(Device* device) {
  const std::lock_guard lock(device->primary_mutex);
  ++device->primary_retained;
  if (device->primary == nullptr) {
    device->primary = CreateContext(device, device->primary_flags, CUDA_VERSION);
    device->primary->is_primary = true;
    ReportContext(device->primary);
  }
  return device->primary;
}

bool ReleasePrimaryContext(Device* device) {
  const std::lock_guard lock(device->primary_mutex);
  if (device->primary == nullptr || device->primary_retained == 0) return false;
  if (--device->primary_retained == 0) Destroy(device);
  return true;
}

void ResetPrimaryContext(Device* device) {
  const std::lock_guard lock(device->primary_mutex);
  if (device->primary != nullptr) Destroy(device);
}

namespace api {

CUresult DevicePrimaryCtxRetain(CUcontext* pctx, CUdevice dev) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pctx = HandleOf(RetainPrimaryContext(device));
  return CUDA_SUCCESS;
}

CUresult DevicePrimaryCtxRelease_v2(CUdevice dev) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  return ReleasePrimaryContext(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult DevicePrimaryCtxRelease(CUdevice dev) { return DevicePrimaryCtxRelease_v2(dev); }

CUresult DevicePrimaryCtxReset_v2(CUdevice dev) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  ResetPrimaryContext(device);
  return CUDA_SUCCESS;
}

CUresult DevicePrimaryCtxReset(CUdevice dev) { return DevicePrimaryCtxReset_v2(dev); }

CUresult DevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(device->primary_mutex);
  device->primary_flags = flags;
  return CUDA_SUCCESS;
}

CUresult DevicePrimaryCtxSetFlags(CUdevice dev, unsigned int flags) { return DevicePrimaryCtxSetFlags_v2(dev, flags); }

CUresult DevicePrimaryCtxGetState(CUdevice dev, unsigned int* flags, int* active) {
  Device* const device = Process::Get().DeviceAt(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::lock_guard lock(device->primary_mutex);
  *flags = device->primary_flags;
  *active = device->primary != nullptr ? 1 : 0;
  return CUDA_SUCCESS;
}

}  // namespace api
}  // namespace simgpu::driver
