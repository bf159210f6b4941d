// SPDX-License-Identifier: Apache-2.0
// Starting and stopping, versions, error texts.
#include "base/faults.h"
#include "nvml/handles.h"

using simgpu::InjectedFailure;
using simgpu::nvml::CopyText;
using simgpu::nvml::Initialize;
using simgpu::nvml::Refusal;
using simgpu::nvml::TheInventory;

namespace {

nvmlReturn_t Start(const char* function) {
  const std::optional<int> failure = InjectedFailure(function);
  return failure ? *failure : Initialize();
}

}  // namespace

extern "C" {

SIMGPU_EXPORT nvmlReturn_t nvmlInit_v2() { return Start("nvmlInit_v2"); }

SIMGPU_EXPORT nvmlReturn_t nvmlInit() { return Start("nvmlInit"); }

SIMGPU_EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned) { return Start("nvmlInitWithFlags"); }

SIMGPU_EXPORT nvmlReturn_t nvmlShutdown() {
  const std::optional<int> failure = InjectedFailure("nvmlShutdown");
  return failure ? *failure : simgpu::nvml::Shutdown();
}

SIMGPU_EXPORT const char* nvmlErrorString(nvmlReturn_t result) {
  switch (result) {
    case NVML_SUCCESS:
      return "Success";
    case NVML_ERROR_UNINITIALIZED:
      return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT:
      return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED:
      return "Not Supported";
    case NVML_ERROR_NO_PERMISSION:
      return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND:
      return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE:
      return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED:
      return "Driver Not Loaded";
    case NVML_ERROR_GPU_IS_LOST:
      return "GPU is lost";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH:
      return "Driver/library version mismatch";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
      return "Argument version mismatch";
    default:
      return "Unknown Error";
  }
}

SIMGPU_EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char* version, unsigned length) {
  if (const auto refusal = Refusal("nvmlSystemGetDriverVersion")) return *refusal;
  return CopyText(TheInventory()->topology->driver_version, version, length);
}

SIMGPU_EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char* version, unsigned length) {
  if (const auto refusal = Refusal("nvmlSystemGetNVMLVersion")) return *refusal;
  return CopyText("13." + TheInventory()->topology->driver_version, version, length);
}

SIMGPU_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int* version) {
  if (const auto refusal = Refusal("nvmlSystemGetCudaDriverVersion_v2")) return *refusal;
  if (version == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *version = static_cast<int>(TheInventory()->topology->cuda_version);
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int* version) {
  return nvmlSystemGetCudaDriverVersion_v2(version);
}

// The same as in libcuda.so.1: its presence tells that no real GPU is behind this library.
SIMGPU_EXPORT const char* simgpu_version() { return SIMGPU_VERSION; }

}  // extern "C"
