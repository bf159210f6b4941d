// SPDX-License-Identifier: Apache-2.0
// What can be asked of a GPU or a MIG device.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <vector>

#include "nvml/handles.h"
#include "nvml/usage.h"

using simgpu::DeviceRef;
using simgpu::FormatUuid;
using simgpu::Gpu;
using simgpu::nvml::CopyText;
using simgpu::nvml::DeviceHandle;
using simgpu::nvml::HandleOf;
using simgpu::nvml::IsPrivileged;
using simgpu::nvml::MemoryInUse;
using simgpu::nvml::NeedsPrivilege;
using simgpu::nvml::Refusal;
using simgpu::nvml::TheInventory;

namespace {

std::string Lower(const char* text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// How drivers before 470 wrote the UUID of a MIG device.
std::string OldMigUuid(const DeviceRef& ref) {
  return "MIG-" + FormatUuid("GPU-", ref.gpu->uuid) + "/" + std::to_string(ref.instance->id) + "/" +
         std::to_string(ref.compute->id);
}

}  // namespace

extern "C" {

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned* count) {
  if (const auto refusal = Refusal("nvmlDeviceGetCount_v2")) return *refusal;
  if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *count = static_cast<unsigned>(TheInventory()->gpus.size());
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetCount(unsigned* count) { return nvmlDeviceGetCount_v2(count); }

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t* device) {
  if (const auto refusal = Refusal("nvmlDeviceGetHandleByIndex_v2")) return *refusal;
  if (device == nullptr || index >= TheInventory()->gpus.size()) return NVML_ERROR_INVALID_ARGUMENT;
  *device = HandleOf(TheInventory()->gpus[index]);
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned index, nvmlDevice_t* device) {
  return nvmlDeviceGetHandleByIndex_v2(index, device);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char* uuid, nvmlDevice_t* device) {
  if (const auto refusal = Refusal("nvmlDeviceGetHandleByUUID")) return *refusal;
  if (uuid == nullptr || device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  const std::string wanted = Lower(uuid);
  for (const DeviceHandle& gpu : TheInventory()->gpus) {
    if (Lower(gpu.ref.uuid_text().c_str()) == wanted) return *device = HandleOf(gpu), NVML_SUCCESS;
  }
  for (const DeviceHandle& mig : TheInventory()->mig_devices) {
    const bool matches = Lower(mig.ref.uuid_text().c_str()) == wanted || Lower(OldMigUuid(mig.ref).c_str()) == wanted;
    if (matches) return *device = HandleOf(mig), NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, nvmlDevice_t* device) {
  if (const auto refusal = Refusal("nvmlDeviceGetHandleByPciBusId_v2")) return *refusal;
  unsigned domain, bus, slot;
  if (bus_id == nullptr || device == nullptr || std::sscanf(bus_id, "%x:%x:%x", &domain, &bus, &slot) != 3) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  for (const DeviceHandle& gpu : TheInventory()->gpus) {
    const Gpu& facts = *gpu.ref.gpu;
    if (facts.pci_domain == domain && facts.pci_bus == bus && facts.pci_slot == slot)
      return *device = HandleOf(gpu), NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char* name, unsigned length) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetName", device, &handle)) return *refusal;
  return CopyText(handle->ref.name(), name, length);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char* uuid, unsigned length) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetUUID", device, &handle)) return *refusal;
  const bool old_form = handle->ref.is_mig() && TheInventory()->topology->driver_branch < 470;
  return CopyText(old_form ? OldMigUuid(handle->ref) : handle->ref.uuid_text(), uuid, length);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned* index) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetIndex", device, &handle)) return *refusal;
  if (index == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *index = handle->index;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned* minor) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetMinorNumber", device, &handle)) return *refusal;
  if (minor == nullptr || handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  *minor = handle->index;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t* pci) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetPciInfo_v3", device, &handle)) return *refusal;
  if (pci == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  const Gpu& gpu = *handle->ref.gpu;
  *pci = {};
  pci->domain = gpu.pci_domain;
  pci->bus = gpu.pci_bus;
  pci->device = gpu.pci_slot;
  pci->pciDeviceId = gpu.pci_device_id;
  pci->pciSubSystemId = gpu.pci_subsystem_id;
  std::snprintf(pci->busId, sizeof(pci->busId), "%08X:%02X:%02X.0", gpu.pci_domain, gpu.pci_bus, gpu.pci_slot);
  std::snprintf(pci->busIdLegacy, sizeof(pci->busIdLegacy), "%04X:%02X:%02X.0", gpu.pci_domain & 0xffff,
                gpu.pci_bus & 0xff, gpu.pci_slot & 0xff);
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int* major, int* minor) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetCudaComputeCapability", device, &handle)) return *refusal;
  if (major == nullptr || minor == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *major = static_cast<int>(handle->ref.gpu->compute_major);
  *minor = static_cast<int>(handle->ref.gpu->compute_minor);
  return NVML_SUCCESS;
}

// FP32 cores; not told in MIG mode.
SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned* cores) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetNumGpuCores", device, &handle)) return *refusal;
  if (cores == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (handle->ref.gpu->mig) return NVML_ERROR_NOT_SUPPORTED;
  const Gpu& gpu = *handle->ref.gpu;
  const bool has_64_per_sm = gpu.compute_major == 7 || (gpu.compute_major == 8 && gpu.compute_minor == 0);
  *cores = gpu.sm_count * (has_64_per_sm ? 64 : 128);
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetMemoryInfo", device, &handle)) return *refusal;
  if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (NeedsPrivilege(*handle) && !IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  const uint64_t used = MemoryInUse(handle->ref);
  *memory = {handle->ref.memory_bytes(), handle->ref.memory_bytes() - used, used};
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* memory) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetMemoryInfo_v2", device, &handle)) return *refusal;
  if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (memory->version != kNvmlMemoryV2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (NeedsPrivilege(*handle) && !IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  const uint64_t used = MemoryInUse(handle->ref);
  *memory = {kNvmlMemoryV2, handle->ref.memory_bytes(), 0, handle->ref.memory_bytes() - used, used};
  return NVML_SUCCESS;
}

// Nobody can say how busy one instance of a GPU in MIG mode is; of a whole one, nothing is simulated.
SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t* utilization) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetUtilizationRates", device, &handle)) return *refusal;
  if (utilization == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (handle->ref.gpu->mig) return NVML_ERROR_NOT_SUPPORTED;
  *utilization = {};
  return NVML_SUCCESS;
}

}  // extern "C"
