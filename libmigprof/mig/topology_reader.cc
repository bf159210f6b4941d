// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/topology_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "libmigprof/mig/gpu_instances.h"
#include "libmigprof/mig/gpu_use.h"
#include "libmigprof/mig/nvml_ask.h"
#include "libmigprof/mig/nvml_error.h"
#include "libmigprof/mig/nvml_memory.h"
#include "libmigprof/mig/profile_name.h"
#include "libmigprof/mig/uuid.h"

namespace migprof::mig {
namespace {

// More than any driver lists; bounds what a broken one can cost.
constexpr uint32_t kMostGpus = 1024;
constexpr uint32_t kMostMigDevices = 1024;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

// "13.0" of 13000.
std::string CudaVersionText(int version) {
  return std::to_string(version / 1000) + '.' + std::to_string(version % 1000 / 10);
}

// SMs of a whole GPU: NVML counts FP32 cores, whose number per SM NVIDIA's programming guide gives for each compute
// capability. Nothing for one that is not known here.
std::optional<uint32_t> SmCount(const NvmlApi& nvml, NvmlDevice gpu) {
  uint32_t cores = 0;
  int major = 0;
  int minor = 0;
  if (Ask(nvml.device_get_num_gpu_cores, gpu, &cores) != kNvmlSuccess ||
      Ask(nvml.device_get_cuda_compute_capability, gpu, &major, &minor) != kNvmlSuccess) {
    return std::nullopt;
  }
  uint32_t cores_per_sm = 0;
  if (major == 7 || (major == 8 && minor == 0)) cores_per_sm = 64;
  if ((major == 8 && minor != 0) || major == 9 || major == 10 || major == 12) cores_per_sm = 128;
  if (cores_per_sm == 0 || cores == 0 || cores % cores_per_sm != 0) return std::nullopt;
  return cores / cores_per_sm;
}

void ReadMemory(const NvmlApi& nvml, NvmlDevice device, std::optional<uint64_t>* total, std::optional<uint64_t>* used) {
  const MemoryAnswer answer = AskMemory(nvml, device);
  if (answer.result != kNvmlSuccess) return;
  *total = answer.total;
  *used = answer.used;
}

MigMode ModeOf(uint32_t value) { return value == 0 ? MigMode::kOff : value == 1 ? MigMode::kOn : MigMode::kUnknown; }

void ReadMigMode(const NvmlApi& nvml, NvmlDevice device, Gpu* gpu) {
  uint32_t current = 0;
  uint32_t pending = 0;
  const int result = Ask(nvml.device_get_mig_mode, device, &current, &pending);
  if (result == kNvmlSuccess) {
    gpu->mode = ModeOf(current);
    gpu->pending = ModeOf(pending);
  } else if (result == kNvmlNotSupported || result == kNvmlFunctionNotFound) {
    gpu->mode = gpu->pending = MigMode::kUnsupported;
  } else if (result == kNvmlGpuIsLost) {
    gpu->refusal = result;
  }
}

// Where GPU instances could not be listed they become known by their compute instances.
GpuInstance* FindOrAdd(std::optional<uint32_t> id, Gpu* gpu) {
  for (GpuInstance& known : gpu->gpu_instances) {
    if (id && known.id == id) return &known;
  }
  gpu->gpu_instances.emplace_back().id = id;
  return &gpu->gpu_instances.back();
}

// "3g.40gb" of "1c.3g.40gb".
std::string WithoutComputeSlices(const std::string& profile) {
  const std::optional<ProfileName> name = ParseProfileName(profile);
  if (!name) return "";
  return std::to_string(name->gpu_slices) + "g." + std::to_string(name->memory_gb) + "gb" + name->attribute;
}

void ReadMigDevice(const NvmlApi& nvml, const ProcessNames& names, NvmlDevice device, const GpuInstanceHandles& handles,
                   Gpu* gpu) {
  ComputeInstance compute;
  compute.uuid = AskText(nvml.device_get_uuid, device, kNvmlUuidBufferBytes);
  std::optional<uint32_t> gpu_instance_id;
  uint32_t id = 0;
  if (Ask(nvml.device_get_gpu_instance_id, device, &id) == kNvmlSuccess) gpu_instance_id = id;
  if (Ask(nvml.device_get_compute_instance_id, device, &id) == kNvmlSuccess) compute.id = id;
  // Before driver 470 the ids are in the UUID.
  if (const std::optional<LegacyMigUuid> legacy = ParseLegacyMigUuid(compute.uuid)) {
    if (!gpu_instance_id) gpu_instance_id = legacy->gpu_instance_id;
    if (!compute.id) compute.id = legacy->compute_instance_id;
  }
  compute.profile = SplitDeviceName(AskText(nvml.device_get_name, device, kNvmlNameBufferBytes)).profile;

  GpuInstance* const instance = FindOrAdd(gpu_instance_id, gpu);
  if (instance->profile.empty()) instance->profile = WithoutComputeSlices(compute.profile);
  NvmlDeviceAttributes attributes{};
  if (Ask(nvml.device_get_attributes, device, &attributes) == kNvmlSuccess) {
    compute.sm_count = attributes.multiprocessor_count;
    compute.slices = attributes.compute_instance_slice_count;
    instance->slices = attributes.gpu_instance_slice_count;
    instance->memory_bytes = attributes.memory_size_mib << 20;
  } else if (const std::optional<ProfileName> name = ParseProfileName(compute.profile)) {
    compute.slices = name->compute_slices;
    instance->slices = name->gpu_slices;
  }
  ReadMemory(nvml, device, &instance->memory_bytes, &instance->memory_used_bytes);
  if (gpu_instance_id && compute.id) {
    compute.placement = ComputeInstancePlacement(nvml, handles, *gpu_instance_id, *compute.id);
  }
  compute.use = ReadUse(nvml, names, device, gpu_instance_id, compute.id);
  instance->compute_instances.push_back(std::move(compute));
}

void ReadMigDevices(const NvmlApi& nvml, const ProcessNames& names, NvmlDevice device,
                    const GpuInstanceHandles& handles, Gpu* gpu) {
  uint32_t count = 0;
  const int counted = Ask(nvml.device_get_max_mig_device_count, device, &count);
  if (counted == kNvmlGpuIsLost) gpu->refusal = counted;
  if (counted != kNvmlSuccess) return;
  for (uint32_t index = 0; index < std::min(count, kMostMigDevices); ++index) {
    NvmlDevice mig_device = nullptr;
    const int result = Ask(nvml.device_get_mig_device_handle_by_index, device, index, &mig_device);
    if (result == kNvmlSuccess) ReadMigDevice(nvml, names, mig_device, handles, gpu);
    if (result == kNvmlGpuIsLost) gpu->refusal = result;
  }
}

// As they lie on the GPU; where that is not told, by their ids.
void Sort(Gpu* gpu) {
  const auto key = [](const auto& instance) {
    const uint32_t last = std::numeric_limits<uint32_t>::max();
    return std::pair(instance.placement ? instance.placement->start : last, instance.id.value_or(last));
  };
  const auto before = [&](const auto& a, const auto& b) { return key(a) < key(b); };
  std::stable_sort(gpu->gpu_instances.begin(), gpu->gpu_instances.end(), before);
  for (GpuInstance& instance : gpu->gpu_instances) {
    std::stable_sort(instance.compute_instances.begin(), instance.compute_instances.end(), before);
  }
}

Gpu ReadGpu(const NvmlApi& nvml, const ProcessNames& names, uint32_t index) {
  Gpu gpu;
  gpu.index = index;
  NvmlDevice device = nullptr;
  gpu.refusal = Ask(nvml.device_get_handle_by_index, index, &device);
  if (gpu.refusal != kNvmlSuccess) return gpu;
  gpu.uuid = AskText(nvml.device_get_uuid, device, kNvmlUuidBufferBytes);
  gpu.name = AskText(nvml.device_get_name, device, kNvmlNameBufferBytes);
  NvmlPciInfo pci{};
  if (Ask(nvml.device_get_pci_info, device, &pci) == kNvmlSuccess) {
    gpu.pci_bus_id.assign(pci.bus_id, strnlen(pci.bus_id, sizeof(pci.bus_id)));
  }
  // In MIG mode this needs a privilege.
  ReadMemory(nvml, device, &gpu.memory_bytes, &gpu.memory_used_bytes);
  gpu.sm_count = SmCount(nvml, device);
  ReadMigMode(nvml, device, &gpu);
  if (gpu.refusal != kNvmlSuccess) return gpu;
  if (gpu.mode == MigMode::kOn) {
    const GpuInstanceHandles handles = ListGpuInstances(nvml, device, &gpu);
    if (gpu.listing_refusal == kNvmlGpuIsLost) gpu.refusal = kNvmlGpuIsLost;
    ReadMigDevices(nvml, names, device, handles, &gpu);
    Sort(&gpu);
  } else {
    gpu.use = ReadUse(nvml, names, device, std::nullopt, std::nullopt);
    if (gpu.use.refusal == kNvmlGpuIsLost) gpu.refusal = kNvmlGpuIsLost;
  }
  return gpu;
}

void ReadGpus(const NvmlApi& nvml, const ProcessNames& names, Host* host) {
  host->driver_version = AskSystemText(nvml.system_get_driver_version, kNvmlVersionBufferBytes);
  int cuda_version = 0;
  if (Ask(nvml.system_get_cuda_driver_version, &cuda_version) == kNvmlSuccess) {
    host->cuda_version = CudaVersionText(cuda_version);
  }
  uint32_t count = 0;
  if (const int result = Ask(nvml.device_get_count, &count); result != kNvmlSuccess) {
    host->problem = ExplainNoDriver(result);
    host->problem_code = result;
    return;
  }
  for (uint32_t index = 0; index < std::min(count, kMostGpus); ++index) {
    host->gpus.push_back(ReadGpu(nvml, names, index));
  }
}

}  // namespace

Host ReadTopology(const NvmlApi& nvml, const ProcessNames& names) {
  Host host;
  host.name = HostName();
  host.simulated = nvml.simulator_version != nullptr;
  if (const int result = nvml.init(); result != kNvmlSuccess) {
    host.problem = ExplainNoDriver(result);
    host.problem_code = result;
    return host;
  }
  ReadGpus(nvml, names, &host);
  nvml.shutdown();
  return host;
}

Host ReadTopology() {
  NvmlApi nvml;
  if (!LoadNvml(&nvml).ok()) {
    Host host;
    host.name = HostName();
    host.problem = ExplainNoDriver(0);
    return host;
  }
  return ReadTopology(nvml, ProcessNames());
}

}  // namespace migprof::mig
