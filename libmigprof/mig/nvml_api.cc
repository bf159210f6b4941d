// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/nvml_api.h"

#include <dlfcn.h>

namespace migprof::mig {
namespace {

// The loader's own search first; then where driver packages, container toolkits and operators mount it.
constexpr const char* kLibraries[] = {
    "libnvidia-ml.so.1",
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1",
    "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
};

template <typename Function>
void Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

Error LoadNvml(NvmlApi* api) {
  void* library = nullptr;
  for (const char* path : kLibraries) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) return {"libnvidia-ml.so.1 was not found", 0};
  Resolve(library, "nvmlInit_v2", &api->init);
  Resolve(library, "nvmlShutdown", &api->shutdown);
  Resolve(library, "nvmlDeviceGetHandleByUUID", &api->device_get_handle_by_uuid);
  Resolve(library, "nvmlDeviceGetGpuInstanceId", &api->device_get_gpu_instance_id);
  Resolve(library, "nvmlDeviceGetComputeInstanceId", &api->device_get_compute_instance_id);
  Resolve(library, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", &api->device_get_parent);
  Resolve(library, "nvmlDeviceGetUUID", &api->device_get_uuid);
  Resolve(library, "nvmlDeviceGetName", &api->device_get_name);
  Resolve(library, "nvmlDeviceGetAttributes_v2", &api->device_get_attributes);
  Resolve(library, "nvmlSystemGetDriverVersion", &api->system_get_driver_version);
  Resolve(library, "nvmlSystemGetCudaDriverVersion_v2", &api->system_get_cuda_driver_version);
  Resolve(library, "nvmlDeviceGetCount_v2", &api->device_get_count);
  Resolve(library, "nvmlDeviceGetHandleByIndex_v2", &api->device_get_handle_by_index);
  Resolve(library, "nvmlDeviceGetPciInfo_v3", &api->device_get_pci_info);
  Resolve(library, "nvmlDeviceGetCudaComputeCapability", &api->device_get_cuda_compute_capability);
  Resolve(library, "nvmlDeviceGetNumGpuCores", &api->device_get_num_gpu_cores);
  Resolve(library, "nvmlDeviceGetMemoryInfo", &api->device_get_memory_info);
  Resolve(library, "nvmlDeviceGetMemoryInfo_v2", &api->device_get_memory_info_v2);
  // Version 2 has the same records and is what drivers before 510 have.
  Resolve(library, "nvmlDeviceGetComputeRunningProcesses_v3", &api->device_get_compute_running_processes);
  if (api->device_get_compute_running_processes == nullptr) {
    Resolve(library, "nvmlDeviceGetComputeRunningProcesses_v2", &api->device_get_compute_running_processes);
  }
  Resolve(library, "nvmlDeviceGetMPSComputeRunningProcesses_v3", &api->device_get_mps_compute_running_processes);
  if (api->device_get_mps_compute_running_processes == nullptr) {
    Resolve(library, "nvmlDeviceGetMPSComputeRunningProcesses_v2", &api->device_get_mps_compute_running_processes);
  }
  Resolve(library, "nvmlDeviceGetMigMode", &api->device_get_mig_mode);
  Resolve(library, "nvmlDeviceGetMaxMigDeviceCount", &api->device_get_max_mig_device_count);
  Resolve(library, "nvmlDeviceGetMigDeviceHandleByIndex", &api->device_get_mig_device_handle_by_index);
  Resolve(library, "nvmlDeviceGetGpuInstanceProfileInfoV", &api->device_get_gpu_instance_profile_info);
  Resolve(library, "nvmlDeviceGetGpuInstancePossiblePlacements_v2", &api->device_get_gpu_instance_possible_placements);
  Resolve(library, "nvmlDeviceGetGpuInstances", &api->device_get_gpu_instances);
  Resolve(library, "nvmlDeviceGetGpuInstanceById", &api->device_get_gpu_instance_by_id);
  Resolve(library, "nvmlGpuInstanceGetInfo", &api->gpu_instance_get_info);
  Resolve(library, "nvmlGpuInstanceGetComputeInstanceById", &api->gpu_instance_get_compute_instance_by_id);
  Resolve(library, "nvmlComputeInstanceGetInfo_v2", &api->compute_instance_get_info);
  Resolve(library, "simgpu_version", &api->simulator_version);
  if (api->init == nullptr || api->shutdown == nullptr) return {"libnvidia-ml.so.1 has no nvmlInit_v2", 0};
  return Error::None();
}

}  // namespace migprof::mig
