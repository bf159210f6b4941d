// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/driver_api.h"

#include <dlfcn.h>

namespace migprof::mig {
namespace {

template <typename Function>
void Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

Error FindLoadedDriver(DriverApi* api) {
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return {"libcuda.so.1 is not loaded", 0};
  Resolve(library, "cuDriverGetVersion", &api->driver_get_version);
  Resolve(library, "cuDeviceGetCount", &api->device_get_count);
  Resolve(library, "cuDeviceGet", &api->device_get);
  Resolve(library, "cuDeviceGetName", &api->device_get_name);
  Resolve(library, "cuDeviceGetUuid_v2", &api->device_get_uuid);
  Resolve(library, "cuDeviceGetAttribute", &api->device_get_attribute);
  Resolve(library, "cuDeviceTotalMem_v2", &api->device_total_memory);
  Resolve(library, "cuDeviceGetPCIBusId", &api->device_get_pci_bus_id);
  Resolve(library, "simgpu_version", &api->simulator_version);
  if (!api->can_identify()) {
    return {"libcuda.so.1 has no cuDeviceGetUuid_v2: the driver is older than CUDA 11.4", 0};
  }
  return Error::None();
}

}  // namespace migprof::mig
