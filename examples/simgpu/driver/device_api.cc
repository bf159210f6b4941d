// SPDX-License-Identifier: Apache-2.0
// What a program can ask about its devices.
#include <cstdio>
#include <cstring>

#include "bodies.h"
#include "driver/process.h"

namespace simgpu::driver::api {
namespace {

Device* DeviceOf(CUdevice dev) { return Process::Get().DeviceAt(dev); }

void CopyText(const std::string& text, char* buffer, int length) {
  if (length > 0) std::snprintf(buffer, static_cast<size_t>(length), "%s", text.c_str());
}

CUresult CopyUuid(const Uuid& from, CUuuid* to) {
  std::memcpy(to->bytes, from.data(), from.size());
  return CUDA_SUCCESS;
}

}  // namespace

CUresult DeviceGetCount(int* count) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = static_cast<int>(Process::Get().devices().size());
  return CUDA_SUCCESS;
}

CUresult DeviceGet(CUdevice* device, int ordinal) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (DeviceOf(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult DeviceGetName(char* name, int len, CUdevice dev) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  CopyText(device->ref.name(), name, len);
  return CUDA_SUCCESS;
}

// The symbol without a suffix is older than MIG and names the physical GPU.
CUresult DeviceGetUuid(CUuuid* uuid, CUdevice dev) {
  if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  return CopyUuid(device->ref.gpu->uuid, uuid);
}

CUresult DeviceGetUuid_v2(CUuuid* uuid, CUdevice dev) {
  if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  return CopyUuid(device->ref.is_mig() ? device->ref.compute->uuid : device->ref.gpu->uuid, uuid);
}

CUresult DeviceTotalMem_v2(size_t* bytes, CUdevice dev) {
  if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = device->ref.memory_bytes();
  return CUDA_SUCCESS;
}

CUresult DeviceGetAttribute(int* pi, CUdevice_attribute attrib, CUdevice dev) {
  if (pi == nullptr || attrib <= 0 || attrib >= CU_DEVICE_ATTRIBUTE_MAX) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *pi = DeviceAttribute(attrib, *device);
  return CUDA_SUCCESS;
}

CUresult DeviceComputeCapability(int* major, int* minor, CUdevice dev) {
  if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *major = static_cast<int>(device->ref.gpu->compute_major);
  *minor = static_cast<int>(device->ref.gpu->compute_minor);
  return CUDA_SUCCESS;
}

CUresult DeviceGetProperties(CUdevprop* prop, CUdevice dev) {
  if (prop == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *prop = {};
  prop->maxThreadsPerBlock = DeviceAttribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, *device);
  for (int i = 0; i < 3; ++i) {
    prop->maxThreadsDim[i] =
        DeviceAttribute(static_cast<CUdevice_attribute>(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X + i), *device);
    prop->maxGridSize[i] =
        DeviceAttribute(static_cast<CUdevice_attribute>(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X + i), *device);
  }
  prop->sharedMemPerBlock = DeviceAttribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, *device);
  prop->totalConstantMemory = DeviceAttribute(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, *device);
  prop->SIMDWidth = DeviceAttribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE, *device);
  prop->memPitch = DeviceAttribute(CU_DEVICE_ATTRIBUTE_MAX_PITCH, *device);
  prop->regsPerBlock = DeviceAttribute(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, *device);
  prop->clockRate = DeviceAttribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE, *device);
  prop->textureAlign = DeviceAttribute(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, *device);
  return CUDA_SUCCESS;
}

CUresult DeviceGetPCIBusId(char* pciBusId, int len, CUdevice dev) {
  if (pciBusId == nullptr || len <= 0) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  const Gpu& gpu = *device->ref.gpu;
  std::snprintf(pciBusId, static_cast<size_t>(len), "%04x:%02x:%02x.0", gpu.pci_domain, gpu.pci_bus, gpu.pci_slot);
  return CUDA_SUCCESS;
}

CUresult DeviceGetByPCIBusId(CUdevice* dev, const char* pciBusId) {
  if (dev == nullptr || pciBusId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  unsigned domain = 0, bus = 0, slot = 0;
  if (std::sscanf(pciBusId, "%x:%x:%x", &domain, &bus, &slot) != 3) return CUDA_ERROR_INVALID_VALUE;
  for (const auto& device : Process::Get().devices()) {
    const Gpu& gpu = *device->ref.gpu;
    if (gpu.pci_domain != domain || gpu.pci_bus != bus || gpu.pci_slot != slot) continue;
    *dev = static_cast<CUdevice>(device->ordinal);
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_DEVICE;
}

CUresult DeviceCanAccessPeer(int* canAccessPeer, CUdevice dev, CUdevice peerDev) {
  if (canAccessPeer == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* const device = DeviceOf(dev);
  const Device* const peer = DeviceOf(peerDev);
  if (device == nullptr || peer == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  // MIG devices have no access to one another.
  *canAccessPeer = device != peer && !device->ref.is_mig() && !peer->ref.is_mig() ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult DeviceGetP2PAttribute(int* value, CUdevice_P2PAttribute attrib, CUdevice srcDevice, CUdevice dstDevice) {
  if (value == nullptr || srcDevice == dstDevice) return CUDA_ERROR_INVALID_VALUE;
  int can_access = 0;
  if (const CUresult result = DeviceCanAccessPeer(&can_access, srcDevice, dstDevice); result != CUDA_SUCCESS)
    return result;
  *value = attrib == CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED ? can_access : 0;
  return CUDA_SUCCESS;
}

CUresult DeviceGetExecAffinitySupport(int* pi, CUexecAffinityType, CUdevice dev) {
  if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (DeviceOf(dev) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *pi = 0;  // only under MPS
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
