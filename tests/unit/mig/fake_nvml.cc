// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mig/fake_nvml.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace migprof::mig {
namespace {

int FailureOf(const char* function) {
  const auto found = FakeNvml::Get().failures.find(function);
  return found != FakeNvml::Get().failures.end() ? found->second : kNvmlSuccess;
}

NvmlDevice HandleOf(const FakeDevice& device) { return reinterpret_cast<NvmlDevice>(const_cast<FakeDevice*>(&device)); }
const FakeDevice& DeviceOf(NvmlDevice device) { return *reinterpret_cast<const FakeDevice*>(device); }
const FakeGpu& GpuOf(NvmlDevice device) { return static_cast<const FakeGpu&>(DeviceOf(device)); }

int CopyText(const char* function, const std::string& text, char* buffer, uint32_t length) {
  if (const int failure = FailureOf(function)) return failure;
  if (text.size() >= length) return kNvmlInsufficientSize;
  std::memcpy(buffer, text.c_str(), text.size() + 1);
  return kNvmlSuccess;
}

int List(const char* function, std::vector<FakeProcess> processes, uint32_t* count, NvmlProcessInfo* infos) {
  if (const int failure = FailureOf(function)) return failure;
  int& growth = FakeNvml::Get().most_room_missing;
  if (growth > 0 && infos != nullptr) {
    --growth;
    *count += 1;
    return kNvmlInsufficientSize;
  }
  const uint32_t room = *count;
  *count = static_cast<uint32_t>(processes.size());
  if (processes.empty()) return kNvmlSuccess;
  if (infos == nullptr || room < processes.size()) return kNvmlInsufficientSize;
  for (const FakeProcess& process : processes) {
    *infos++ = {process.pid, process.bytes, process.gpu_instance, process.compute_instance};
  }
  return kNvmlSuccess;
}

NvmlApi MakeApi() {
  NvmlApi api;
  api.init = [] {
    const int failure = FailureOf("Init_v2");
    if (failure == kNvmlSuccess) ++FakeNvml::Get().open;
    return failure;
  };
  api.shutdown = [] { return --FakeNvml::Get().open, kNvmlSuccess; };
  api.system_get_driver_version = [](char* version, uint32_t length) {
    return CopyText("SystemGetDriverVersion", "570.1", version, length);
  };
  api.system_get_cuda_driver_version = [](int* version) {
    return *version = 12080, FailureOf("SystemGetCudaDriverVersion_v2");
  };
  api.device_get_count = [](uint32_t* count) {
    *count = static_cast<uint32_t>(FakeNvml::Get().gpus.size());
    return FailureOf("DeviceGetCount_v2");
  };
  api.device_get_handle_by_index = [](uint32_t index, NvmlDevice* gpu) {
    *gpu = HandleOf(FakeNvml::Get().gpus[index]);
    return FailureOf(("DeviceGetHandleByIndex_v2:" + std::to_string(index)).c_str());
  };
  api.device_get_handle_by_uuid = [](const char* uuid, NvmlDevice* device) {
    for (const FakeGpu& gpu : FakeNvml::Get().gpus) {
      if (gpu.uuid == uuid) return *device = HandleOf(gpu), FailureOf("DeviceGetHandleByUUID");
      for (const FakeDevice& mig_device : gpu.mig_devices) {
        if (mig_device.uuid == uuid) return *device = HandleOf(mig_device), FailureOf("DeviceGetHandleByUUID");
      }
    }
    return kNvmlNotFound;
  };
  api.device_get_uuid = [](NvmlDevice device, char* uuid, uint32_t length) {
    return CopyText("DeviceGetUUID", DeviceOf(device).uuid, uuid, length);
  };
  api.device_get_name = [](NvmlDevice device, char* name, uint32_t length) {
    return CopyText("DeviceGetName", DeviceOf(device).name, name, length);
  };
  api.device_get_pci_info = [](NvmlDevice, NvmlPciInfo* pci) {
    std::snprintf(pci->bus_id, sizeof(pci->bus_id), "00000000:4E:00.0");
    return FailureOf("DeviceGetPciInfo_v3");
  };
  api.device_get_cuda_compute_capability = [](NvmlDevice, int* major, int* minor) {
    *major = 9;
    *minor = 0;
    return FailureOf("DeviceGetCudaComputeCapability");
  };
  api.device_get_num_gpu_cores = [](NvmlDevice device, uint32_t* cores) {
    *cores = GpuOf(device).cores;
    return GpuOf(device).mig != 0 ? kNvmlNotSupported : FailureOf("DeviceGetNumGpuCores");
  };
  api.device_get_memory_info = [](NvmlDevice device, NvmlMemory* memory) {
    *memory = DeviceOf(device).memory;
    return DeviceOf(device).memory.total == 0 ? kNvmlNoPermission : FailureOf("DeviceGetMemoryInfo");
  };
  api.device_get_compute_running_processes = [](NvmlDevice device, uint32_t* count, NvmlProcessInfo* infos) {
    return List("DeviceGetComputeRunningProcesses_v3", DeviceOf(device).processes, count, infos);
  };
  api.device_get_mps_compute_running_processes = [](NvmlDevice device, uint32_t* count, NvmlProcessInfo* infos) {
    return List("DeviceGetMPSComputeRunningProcesses_v3", DeviceOf(device).mps_processes, count, infos);
  };
  api.device_get_mig_mode = [](NvmlDevice gpu, uint32_t* current, uint32_t* pending) {
    *current = GpuOf(gpu).mig;
    *pending = GpuOf(gpu).pending;
    return FailureOf("DeviceGetMigMode");
  };
  api.device_get_max_mig_device_count = [](NvmlDevice gpu, uint32_t* count) {
    return *count = GpuOf(gpu).most_mig_devices, FailureOf("DeviceGetMaxMigDeviceCount");
  };
  api.device_get_mig_device_handle_by_index = [](NvmlDevice gpu, uint32_t index, NvmlDevice* mig_device) {
    if (const int failure = FailureOf("DeviceGetMigDeviceHandleByIndex")) return failure;
    for (const FakeDevice& device : GpuOf(gpu).mig_devices) {
      if (device.index == index) return *mig_device = HandleOf(device), kNvmlSuccess;
    }
    return kNvmlNotFound;
  };
  api.device_get_gpu_instance_id = [](NvmlDevice device, uint32_t* id) {
    return *id = DeviceOf(device).gpu_instance, FailureOf("DeviceGetGpuInstanceId");
  };
  api.device_get_compute_instance_id = [](NvmlDevice device, uint32_t* id) {
    return *id = DeviceOf(device).compute_instance, FailureOf("DeviceGetComputeInstanceId");
  };
  api.device_get_attributes = [](NvmlDevice device, NvmlDeviceAttributes* attributes) {
    return *attributes = DeviceOf(device).attributes, FailureOf("DeviceGetAttributes_v2");
  };
  api.device_get_gpu_instance_profile_info = [](NvmlDevice gpu, uint32_t number, NvmlGpuInstanceProfileInfo* info) {
    if (const int failure = FailureOf("DeviceGetGpuInstanceProfileInfoV")) return failure;
    if (info->version != 0x02000098) return 25;
    if (number >= 0x12) return kNvmlInvalidArgument;
    for (const FakeProfile& profile : GpuOf(gpu).profiles) {
      if (profile.number != number) continue;
      info->id = profile.id;
      info->slice_count = profile.slices;
      info->memory_size_mib = 1000 * profile.slices;
      std::snprintf(info->name, sizeof(info->name), "MIG %s", profile.name);
      return kNvmlSuccess;
    }
    return kNvmlNotSupported;
  };
  api.device_get_gpu_instances = [](NvmlDevice gpu, uint32_t profile_id, NvmlGpuInstance* instances, uint32_t* count) {
    if (const int failure = FailureOf("DeviceGetGpuInstances")) return failure;
    *count = 0;
    for (const FakeGpuInstance& instance : GpuOf(gpu).gpu_instances) {
      if (instance.profile_id != profile_id) continue;
      instances[(*count)++] = reinterpret_cast<NvmlGpuInstance>(const_cast<FakeGpuInstance*>(&instance));
    }
    return kNvmlSuccess;
  };
  api.gpu_instance_get_info = [](NvmlGpuInstance handle, NvmlGpuInstanceInfo* info) {
    const auto* instance = reinterpret_cast<const FakeGpuInstance*>(handle);
    *info = {nullptr, instance->id, instance->profile_id, instance->placement};
    return FailureOf("GpuInstanceGetInfo");
  };
  api.gpu_instance_get_compute_instance_by_id = [](NvmlGpuInstance, uint32_t id, NvmlComputeInstance* compute) {
    *compute = reinterpret_cast<NvmlComputeInstance>(static_cast<uintptr_t>(id) + 1);
    return FailureOf("GpuInstanceGetComputeInstanceById");
  };
  // The first lies at 0, the next at 1, ….
  api.compute_instance_get_info = [](NvmlComputeInstance handle, NvmlComputeInstanceInfo* info) {
    const uint32_t id = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(handle) - 1);
    *info = {nullptr, nullptr, id, 0, {id, 1}};
    return FailureOf("ComputeInstanceGetInfo_v2");
  };
  api.device_get_gpu_instance_possible_placements = [](NvmlDevice, uint32_t profile_id, NvmlPlacement* placements,
                                                       uint32_t* count) {
    *count = 1;
    if (placements != nullptr) *placements = {0, profile_id == 0 ? 8u : 1u};
    return FailureOf("DeviceGetGpuInstancePossiblePlacements_v2");
  };
  return api;
}

FakeDevice MigDevice(unsigned index, const char* uuid, const char* profile, uint32_t gpu_instance,
                     uint32_t compute_instance, NvmlDeviceAttributes attributes) {
  FakeDevice device;
  device.index = index;
  device.uuid = uuid;
  device.name = std::string("NVIDIA H200 MIG ") + profile;
  device.gpu_instance = gpu_instance;
  device.compute_instance = compute_instance;
  device.attributes = attributes;
  device.memory = {attributes.memory_size_mib << 20, 0, 5'000'000'000};
  return device;
}

}  // namespace

FakeNvml& FakeNvml::Get() {
  static FakeNvml nvml;
  return nvml;
}

NvmlApi FakeNvml::Api() { return MakeApi(); }

FakeGpu SampleMigGpu() {
  FakeGpu gpu;
  gpu.uuid = "GPU-11111111-1111-1111-1111-111111111111";
  gpu.name = "NVIDIA H200";
  gpu.mig = gpu.pending = 1;
  gpu.profiles = {{1, 14, 2, "2g.35gb"}, {2, 9, 3, "3g.71gb"}, {4, 0, 7, "7g.141gb"}};
  gpu.gpu_instances = {{1, 9, {4, 4}}, {3, 14, {0, 2}}};
  gpu.mig_devices = {
      MigDevice(0, "MIG-a", "2g.35gb", 3, 0, {32, 2, 2, 0, 0, 0, 2, 2, 33024}),
      MigDevice(4, "MIG-b", "1c.3g.71gb", 1, 0, {16, 3, 3, 0, 0, 0, 3, 1, 71000}),
      MigDevice(5, "MIG-c", "2c.3g.71gb", 1, 1, {44, 3, 3, 0, 0, 0, 3, 2, 71000}),
  };
  gpu.mig_devices[0].processes = {{41, 1'000'000, 3, 0}};
  gpu.mig_devices[1].processes = {{42, 2'000'000, 1, 0}};
  return gpu;
}

FakeGpu SampleWholeGpu() {
  FakeGpu gpu;
  gpu.uuid = "GPU-22222222-2222-2222-2222-222222222222";
  gpu.name = "NVIDIA H200";
  gpu.memory = {150'000'000'000, 149'000'000'000, 1'000'000'000};
  gpu.most_mig_devices = 0;
  return gpu;
}

}  // namespace migprof::mig
