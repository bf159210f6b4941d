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
  if (api->init == nullptr || api->shutdown == nullptr) return {"libnvidia-ml.so.1 has no nvmlInit_v2", 0};
  return Error::None();
}

}  // namespace migprof::mig
