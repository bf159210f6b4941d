// SPDX-License-Identifier: Apache-2.0
// Which processes use a GPU or a MIG device.
#include <algorithm>
#include <vector>

#include "nvml/handles.h"
#include "nvml/usage.h"

using simgpu::nvml::DeviceHandle;
using simgpu::nvml::IsPrivileged;
using simgpu::nvml::NeedsPrivilege;
using simgpu::nvml::ProcessUse;
using simgpu::nvml::Refusal;
using simgpu::nvml::UsesOf;

namespace {

template <class Process>
nvmlReturn_t ListProcesses(const char* function, nvmlDevice_t device, unsigned* count, Process* processes,
                           bool mps_only = false) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal(function, device, &handle)) return *refusal;
  if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (NeedsPrivilege(*handle) && !IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  std::vector<ProcessUse> uses = UsesOf(handle->ref);
  std::erase_if(uses, [&](const ProcessUse& use) { return mps_only && !use.mps_client; });
  const unsigned room = *count;
  *count = static_cast<unsigned>(uses.size());
  if (uses.empty()) return NVML_SUCCESS;
  if (room < uses.size() || processes == nullptr) return NVML_ERROR_INSUFFICIENT_SIZE;
  for (const ProcessUse& use : uses) {
    *processes = {};
    processes->pid = use.pid;
    processes->usedGpuMemory = use.bytes;
    if constexpr (requires { processes->gpuInstanceId; }) {
      processes->gpuInstanceId = use.device.is_mig() ? use.device.instance->id : kNvmlNoInstance;
      processes->computeInstanceId = use.device.is_mig() ? use.device.compute->id : kNvmlNoInstance;
    }
    ++processes;
  }
  return NVML_SUCCESS;
}

}  // namespace

extern "C" {

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                                   nvmlProcessInfo_v2_t* processes) {
  return ListProcesses("nvmlDeviceGetComputeRunningProcesses_v3", device, count, processes);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                                   nvmlProcessInfo_v2_t* processes) {
  return ListProcesses("nvmlDeviceGetComputeRunningProcesses_v2", device, count, processes);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned* count,
                                                                nvmlProcessInfo_v1_t* processes) {
  return ListProcesses("nvmlDeviceGetComputeRunningProcesses", device, count, processes);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device, unsigned* count,
                                                                      nvmlProcessInfo_v2_t* processes) {
  return ListProcesses("nvmlDeviceGetMPSComputeRunningProcesses_v3", device, count, processes, true);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v2(nvmlDevice_t device, unsigned* count,
                                                                      nvmlProcessInfo_v2_t* processes) {
  return ListProcesses("nvmlDeviceGetMPSComputeRunningProcesses_v2", device, count, processes, true);
}

}  // extern "C"
