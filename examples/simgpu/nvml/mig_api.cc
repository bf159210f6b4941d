// SPDX-License-Identifier: Apache-2.0
// What can be asked about MIG.
#include "nvml/handles.h"

using simgpu::nvml::ComputeInstanceHandle;
using simgpu::nvml::DeviceHandle;
using simgpu::nvml::GpuInstanceHandle;
using simgpu::nvml::HandleOf;
using simgpu::nvml::IsPrivileged;
using simgpu::nvml::Refusal;
using simgpu::nvml::TheInventory;

namespace {

constexpr unsigned kMostMigDevices = 7;
constexpr uint64_t kMebibyte = 1024 * 1024;
// The handle behind `instance`; null when it is none of ours.
const GpuInstanceHandle* Find(nvmlGpuInstance_t instance) {
  for (const GpuInstanceHandle& handle : TheInventory()->gpu_instances) {
    if (static_cast<const void*>(&handle) == static_cast<const void*>(instance)) return &handle;
  }
  return nullptr;
}

template <class Handle, class Owned>
Handle Give(const Owned& handle) {
  return reinterpret_cast<Handle>(const_cast<Owned*>(&handle));
}

}  // namespace

extern "C" {

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned* current, unsigned* pending) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetMigMode", device, &handle)) return *refusal;
  if (current == nullptr || pending == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (handle->ref.is_mig() || !handle->ref.gpu->mig_capable) return NVML_ERROR_NOT_SUPPORTED;
  *current = handle->ref.gpu->mig ? 1 : 0;
  *pending = handle->ref.gpu->mig_pending ? 1 : 0;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned* count) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetMaxMigDeviceCount", device, &handle)) return *refusal;
  if (count == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *count = handle->ref.gpu->mig ? kMostMigDevices : 0;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index,
                                                               nvmlDevice_t* mig_device) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetMigDeviceHandleByIndex", device, &handle)) return *refusal;
  if (mig_device == nullptr || index >= kMostMigDevices) return NVML_ERROR_INVALID_ARGUMENT;
  for (const DeviceHandle& mig : TheInventory()->mig_devices) {
    if (mig.ref.gpu_index == handle->index && mig.index == index) return *mig_device = HandleOf(mig), NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned* is_mig) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceIsMigDeviceHandle", device, &handle)) return *refusal;
  if (is_mig == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *is_mig = handle->ref.is_mig() ? 1 : 0;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned* id) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetGpuInstanceId", device, &handle)) return *refusal;
  if (id == nullptr || !handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  *id = handle->ref.instance->id;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned* id) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetComputeInstanceId", device, &handle)) return *refusal;
  if (id == nullptr || !handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  *id = handle->ref.compute->id;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t mig_device, nvmlDevice_t* device) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", mig_device, &handle))
    return *refusal;
  if (device == nullptr || !handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  *device = HandleOf(TheInventory()->gpus[handle->ref.gpu_index]);
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t* attributes) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetAttributes_v2", device, &handle)) return *refusal;
  if (attributes == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (!handle->ref.is_mig()) return NVML_ERROR_NOT_SUPPORTED;
  *attributes = {};
  attributes->multiprocessorCount = handle->ref.compute->sm_count;
  attributes->sharedCopyEngineCount = handle->ref.instance->copy_engines;
  attributes->sharedDecoderCount = handle->ref.instance->decoders;
  attributes->gpuInstanceSliceCount = handle->ref.instance->slices;
  attributes->computeInstanceSliceCount = handle->ref.compute->slices;
  attributes->memorySizeMB = handle->ref.memory_bytes() / kMebibyte;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device, nvmlDeviceAttributes_t* attributes) {
  return nvmlDeviceGetAttributes_v2(device, attributes);
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned id, nvmlGpuInstance_t* instance) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetGpuInstanceById", device, &handle)) return *refusal;
  if (instance == nullptr || handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  if (!IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  for (const GpuInstanceHandle& known : TheInventory()->gpu_instances) {
    if (known.gpu == handle && known.instance->id == id)
      return *instance = Give<nvmlGpuInstance_t>(known), NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t device, unsigned profile_id,
                                                     nvmlGpuInstance_t* instances, unsigned* count) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetGpuInstances", device, &handle)) return *refusal;
  if (instances == nullptr || count == nullptr || handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  if (!IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  *count = 0;
  for (const GpuInstanceHandle& known : TheInventory()->gpu_instances) {
    if (known.gpu == handle && known.instance->profile_id == profile_id)
      instances[(*count)++] = Give<nvmlGpuInstance_t>(known);
  }
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t instance, nvmlGpuInstanceInfo_t* info) {
  if (const auto refusal = Refusal("nvmlGpuInstanceGetInfo")) return *refusal;
  const GpuInstanceHandle* const handle = Find(instance);
  if (handle == nullptr || info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *info = {HandleOf(*handle->gpu),
           handle->instance->id,
           handle->instance->profile_id,
           {handle->instance->placement_start, handle->instance->placement_size}};
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceById(nvmlGpuInstance_t instance, unsigned id,
                                                                 nvmlComputeInstance_t* compute) {
  if (const auto refusal = Refusal("nvmlGpuInstanceGetComputeInstanceById")) return *refusal;
  const GpuInstanceHandle* const handle = Find(instance);
  if (handle == nullptr || compute == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (!IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  for (const ComputeInstanceHandle& known : TheInventory()->compute_instances) {
    const bool matches = known.gpu_instance == handle && known.compute->id == id;
    if (matches) return *compute = Give<nvmlComputeInstance_t>(known), NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

SIMGPU_EXPORT nvmlReturn_t nvmlComputeInstanceGetInfo_v2(nvmlComputeInstance_t compute,
                                                         nvmlComputeInstanceInfo_t* info) {
  if (const auto refusal = Refusal("nvmlComputeInstanceGetInfo_v2")) return *refusal;
  if (info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  for (const ComputeInstanceHandle& known : TheInventory()->compute_instances) {
    if (static_cast<const void*>(&known) != static_cast<const void*>(compute)) continue;
    *info = {HandleOf(*known.gpu_instance->gpu),
             Give<nvmlGpuInstance_t>(*known.gpu_instance),
             known.compute->id,
             known.compute->profile_id,
             {known.compute->placement_start, known.compute->slices}};
    return NVML_SUCCESS;
  }
  return NVML_ERROR_INVALID_ARGUMENT;
}

}  // extern "C"
