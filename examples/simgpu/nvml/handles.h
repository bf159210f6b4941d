// SPDX-License-Identifier: Apache-2.0
// The objects NVML hands out, and whether it may be asked at all.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/topology.h"
#include "nvml/nvml_abi.h"

namespace simgpu::nvml {

// A GPU, or a MIG device: a compute instance in its GPU instance. `nvmlDevice_t` points to one.
struct DeviceHandle {
  DeviceRef ref;
  unsigned index = 0;  // of a GPU among all; of a MIG device in its GPU, where there are holes
};

struct GpuInstanceHandle {
  const DeviceHandle* gpu = nullptr;
  const GpuInstance* instance = nullptr;
};

struct ComputeInstanceHandle {
  const GpuInstanceHandle* gpu_instance = nullptr;
  const ComputeInstance* compute = nullptr;
};

// Everything there is. Handles stay valid until the topology file is replaced.
struct Inventory {
  const Topology* topology = nullptr;
  std::deque<DeviceHandle> gpus;
  std::deque<DeviceHandle> mig_devices;
  std::deque<GpuInstanceHandle> gpu_instances;
  std::deque<ComputeInstanceHandle> compute_instances;
};

// Null where there is no topology, and so no driver.
const Inventory* TheInventory();

// As many initialisations as shutdowns are needed, like in the real library.
nvmlReturn_t Initialize();
nvmlReturn_t Shutdown();

// To be asked first in every function: the error with which it has to fail, if any.
std::optional<nvmlReturn_t> Refusal(const char* function);
// The same for one that is about a device; `handle` becomes what `device` points to.
std::optional<nvmlReturn_t> Refusal(const char* function, nvmlDevice_t device, const DeviceHandle** handle);

// The process may look at whole GPUs in MIG mode and at GPU instances: root, or a monitor capability.
bool IsPrivileged();

// A GPU in MIG mode tells about all its instances at once, and so not to everybody.
inline bool NeedsPrivilege(const DeviceHandle& handle) { return handle.ref.gpu->mig && !handle.ref.is_mig(); }

inline nvmlDevice_t HandleOf(const DeviceHandle& handle) {
  return reinterpret_cast<nvmlDevice_t>(const_cast<DeviceHandle*>(&handle));
}

// Copies `text` with its final zero; INSUFFICIENT_SIZE when it does not fit.
nvmlReturn_t CopyText(const std::string& text, char* buffer, unsigned length);

}  // namespace simgpu::nvml
