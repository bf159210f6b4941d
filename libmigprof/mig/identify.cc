// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/identify.h"

#include "libmigprof/mig/gpu_instances.h"
#include "libmigprof/mig/nvml_ask.h"
#include "libmigprof/mig/profile_name.h"
#include "libmigprof/mig/uuid.h"

namespace migprof::mig {
namespace {

int Attribute(const DriverApi& driver, int attribute, CuDevice device) {
  int value = 0;
  if (driver.device_get_attribute == nullptr ||
      driver.device_get_attribute(&value, attribute, device) != kCudaSuccess) {
    return 0;
  }
  return value;
}

// Everything NVML says of the slice behind `device`, a MIG device handle.
void AddSlice(const NvmlApi& nvml, NvmlDevice device, SliceIdentity* identity) {
  uint32_t id = 0;
  if (nvml.device_get_gpu_instance_id != nullptr && nvml.device_get_gpu_instance_id(device, &id) == kNvmlSuccess) {
    identity->gpu_instance_id = id;
  }
  if (nvml.device_get_compute_instance_id != nullptr &&
      nvml.device_get_compute_instance_id(device, &id) == kNvmlSuccess) {
    identity->compute_instance_id = id;
  }
  NvmlDeviceAttributes attributes{};
  if (identity->sm_count == 0 && nvml.device_get_attributes != nullptr &&
      nvml.device_get_attributes(device, &attributes) == kNvmlSuccess) {
    identity->sm_count = attributes.multiprocessor_count;
    if (identity->memory_bytes == 0) identity->memory_bytes = attributes.memory_size_mib << 20;
  }
  const DeviceName name = SplitDeviceName(AskText(nvml.device_get_name, device, kNvmlNameBufferBytes));
  if (identity->profile.empty()) identity->profile = name.profile;
  NvmlDevice gpu = nullptr;
  if (nvml.device_get_parent == nullptr || nvml.device_get_parent(device, &gpu) != kNvmlSuccess) return;
  const std::string gpu_uuid = AskText(nvml.device_get_uuid, gpu, kNvmlUuidBufferBytes);
  if (!gpu_uuid.empty()) identity->gpu_uuid = gpu_uuid;
  const std::string gpu_name = AskText(nvml.device_get_name, gpu, kNvmlNameBufferBytes);
  if (!gpu_name.empty()) identity->gpu_name = gpu_name;
  if (identity->gpu_instance_id) {
    identity->placement = GpuInstancePlacement(nvml, gpu, *identity->gpu_instance_id, &identity->memory_slices);
  }
}

}  // namespace

Error IdentifyFromDriver(const DriverApi& driver, int ordinal, SliceIdentity* identity) {
  CuDevice device = 0;
  if (const int result = driver.device_get(&device, ordinal); result != kCudaSuccess) {
    return {"cuDeviceGet failed", result};
  }
  UuidBytes uuid{};
  if (const int result = driver.device_get_uuid(uuid.data(), device); result != kCudaSuccess) {
    return {"cuDeviceGetUuid_v2 failed", result};
  }
  char name[256] = {};
  // Without a name NVML still tells a slice from a GPU.
  if (driver.device_get_name == nullptr || driver.device_get_name(name, sizeof(name) - 1, device) != kCudaSuccess) {
    *name = '\0';
  }
  const DeviceName split = SplitDeviceName(name);
  identity->gpu_name = split.board;
  identity->profile = split.profile;
  // The driver gives 16 bytes and does not say whose; the name tells a slice from a GPU.
  (split.profile.empty() ? identity->gpu_uuid : identity->mig_uuid) =
      split.profile.empty() ? GpuUuidText(uuid) : MigUuidText(uuid);
  identity->sm_count = Attribute(driver, kAttributeMultiprocessorCount, device);
  identity->compute_major = Attribute(driver, kAttributeComputeCapabilityMajor, device);
  identity->compute_minor = Attribute(driver, kAttributeComputeCapabilityMinor, device);
  size_t memory = 0;
  if (driver.device_total_memory != nullptr && driver.device_total_memory(&memory, device) == kCudaSuccess) {
    identity->memory_bytes = memory;
  }
  char bus_id[32] = {};
  if (driver.device_get_pci_bus_id != nullptr &&
      driver.device_get_pci_bus_id(bus_id, sizeof(bus_id) - 1, device) == kCudaSuccess) {
    identity->pci_bus_id = bus_id;
  }
  identity->source = "driver";
  return Error::None();
}

Error AddFromNvml(const NvmlApi& nvml, SliceIdentity* identity) {
  if (const int result = nvml.init(); result != kNvmlSuccess) return {"nvmlInit_v2 failed", result};
  Error error = Error::None();
  NvmlDevice device = nullptr;
  if (nvml.device_get_handle_by_uuid == nullptr) {
    error = {"NVML has no nvmlDeviceGetHandleByUUID", 0};
  } else if (identity->is_mig()) {
    const int result = nvml.device_get_handle_by_uuid(identity->mig_uuid.c_str(), &device);
    if (result == kNvmlSuccess) {
      AddSlice(nvml, device, identity);
    } else {
      error = {"NVML does not know the slice", result};
    }
  } else if (nvml.device_get_handle_by_uuid(identity->gpu_uuid.c_str(), &device) != kNvmlSuccess) {
    // A device that the driver does not name as a slice may still be one, on a driver with other names.
    const std::string mig_uuid = "MIG-" + identity->gpu_uuid.substr(4);
    const int result = nvml.device_get_handle_by_uuid(mig_uuid.c_str(), &device);
    if (result == kNvmlSuccess) {
      identity->mig_uuid = mig_uuid;
      identity->gpu_uuid.clear();
      AddSlice(nvml, device, identity);
    } else {
      error = {"NVML does not know the GPU", result};
    }
  }
  nvml.shutdown();
  if (error.ok()) identity->source = "driver+nvml";
  return error;
}

std::string SliceLabel(const SliceIdentity& identity) {
  const std::string& uuid = identity.device_uuid();
  const std::string start = uuid.size() >= 12 ? uuid.substr(4, 8) : "unknown";
  if (!identity.is_mig()) return "gpu-" + start;
  return (identity.profile.empty() ? "mig" : identity.profile) + "-" + start;
}

}  // namespace migprof::mig
