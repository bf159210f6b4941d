// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/gpu_instances.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "libmigprof/mig/nvml_ask.h"
#include "libmigprof/mig/profile_name.h"

namespace migprof::mig {
namespace {

// NVML 13 numbers 18 profiles and ends the list with INVALID_ARGUMENT; this bounds a library that never does.
constexpr uint32_t kMostProfiles = 64;
// NVML writes as many handles as there are instances, which is never more than this.
constexpr size_t kMostGpuInstances = 64;

struct Profile {
  uint32_t id = 0;
  uint32_t slices = 0;
  uint64_t memory_bytes = 0;
  std::string name;  // "3g.40gb"; empty where NVML does not say it
};

// NVML says "MIG 3g.40gb".
std::string ProfileText(const char* name, size_t size) {
  const std::string text(name, strnlen(name, size));
  const std::string profile = text.starts_with("MIG ") ? text.substr(4) : text;
  return ParseProfileName(profile) ? profile : "";
}

// The profiles that the GPU has, whether or not there are instances of them. Needs no privilege.
int ReadProfiles(const NvmlApi& nvml, NvmlDevice device, std::vector<Profile>* profiles) {
  int last = kNvmlSuccess;
  for (uint32_t number = 0; number < kMostProfiles; ++number) {
    NvmlGpuInstanceProfileInfo info{};
    info.version = kNvmlGpuInstanceProfileInfoVersion;
    last = Ask(nvml.device_get_gpu_instance_profile_info, device, number, &info);
    if (last == kNvmlSuccess) {
      profiles->push_back(
          {info.id, info.slice_count, info.memory_size_mib << 20, ProfileText(info.name, sizeof(info.name))});
    }
    if (last == kNvmlInvalidArgument || last == kNvmlFunctionNotFound || last == kNvmlGpuIsLost) break;
  }
  return profiles->empty() ? last : kNvmlSuccess;
}

const Profile& Largest(const std::vector<Profile>& profiles) {
  const auto smaller = [](const Profile& a, const Profile& b) { return a.slices < b.slices; };
  return *std::max_element(profiles.begin(), profiles.end(), smaller);
}

int ListInstancesOf(const NvmlApi& nvml, NvmlDevice device, const Profile& profile, GpuInstanceHandles* handles,
                    Gpu* gpu) {
  std::vector<NvmlGpuInstance> found(kMostGpuInstances);
  uint32_t count = static_cast<uint32_t>(found.size());
  const int result = Ask(nvml.device_get_gpu_instances, device, profile.id, found.data(), &count);
  if (result != kNvmlSuccess) return result;
  found.resize(std::min<size_t>(count, found.size()));
  for (NvmlGpuInstance handle : found) {
    NvmlGpuInstanceInfo info{};
    if (Ask(nvml.gpu_instance_get_info, handle, &info) != kNvmlSuccess) continue;
    if (!handles->emplace(info.id, handle).second) continue;
    GpuInstance& instance = gpu->gpu_instances.emplace_back();
    instance.id = info.id;
    instance.profile = profile.name;
    instance.slices = profile.slices;
    instance.memory_bytes = profile.memory_bytes;
    instance.placement = Placement{info.placement.start, info.placement.size};
  }
  return kNvmlSuccess;
}

// How many memory slices the GPU has: the end of the last place for its largest profile.
std::optional<uint32_t> MemorySlices(const NvmlApi& nvml, NvmlDevice device, uint32_t profile_id) {
  uint32_t count = 0;
  const auto ask = nvml.device_get_gpu_instance_possible_placements;
  if (Ask(ask, device, profile_id, static_cast<NvmlPlacement*>(nullptr), &count) != kNvmlSuccess) return std::nullopt;
  if (count == 0 || count > kMostGpuInstances) return std::nullopt;
  std::vector<NvmlPlacement> placements(count);
  if (Ask(ask, device, profile_id, placements.data(), &count) != kNvmlSuccess) return std::nullopt;
  uint32_t end = 0;
  for (const NvmlPlacement& placement : placements) end = std::max(end, placement.start + placement.size);
  return end;
}

}  // namespace

GpuInstanceHandles ListGpuInstances(const NvmlApi& nvml, NvmlDevice device, Gpu* gpu) {
  GpuInstanceHandles handles;
  std::vector<Profile> profiles;
  gpu->listing_refusal = ReadProfiles(nvml, device, &profiles);
  if (profiles.empty()) return handles;
  const Profile& largest = Largest(profiles);
  gpu->compute_slices = largest.slices;
  for (const Profile& profile : profiles) {
    const int result = ListInstancesOf(nvml, device, profile, &handles, gpu);
    // A profile that is listed and then not supported has no instances; any other refusal leaves the list incomplete.
    if (result != kNvmlSuccess && result != kNvmlNotSupported) gpu->listing_refusal = result;
    if (result == kNvmlNoPermission || result == kNvmlGpuIsLost) break;
  }
  if (gpu->listing_refusal == kNvmlSuccess) gpu->memory_slices = MemorySlices(nvml, device, largest.id);
  return handles;
}

std::optional<Placement> GpuInstancePlacement(const NvmlApi& nvml, NvmlDevice gpu, uint32_t gpu_instance_id,
                                              uint32_t* memory_slices) {
  *memory_slices = 0;
  NvmlGpuInstance instance = nullptr;
  NvmlGpuInstanceInfo info{};
  if (Ask(nvml.device_get_gpu_instance_by_id, gpu, gpu_instance_id, &instance) != kNvmlSuccess ||
      Ask(nvml.gpu_instance_get_info, instance, &info) != kNvmlSuccess || info.placement.size == 0) {
    return std::nullopt;
  }
  std::vector<Profile> profiles;
  ReadProfiles(nvml, gpu, &profiles);
  if (!profiles.empty()) *memory_slices = MemorySlices(nvml, gpu, Largest(profiles).id).value_or(0);
  return Placement{info.placement.start, info.placement.size};
}

std::optional<Placement> ComputeInstancePlacement(const NvmlApi& nvml, const GpuInstanceHandles& handles,
                                                  uint32_t gpu_instance_id, uint32_t compute_instance_id) {
  const auto found = handles.find(gpu_instance_id);
  if (found == handles.end()) return std::nullopt;
  NvmlComputeInstance compute_instance = nullptr;
  NvmlComputeInstanceInfo info{};
  if (Ask(nvml.gpu_instance_get_compute_instance_by_id, found->second, compute_instance_id, &compute_instance) !=
          kNvmlSuccess ||
      Ask(nvml.compute_instance_get_info, compute_instance, &info) != kNvmlSuccess) {
    return std::nullopt;
  }
  return Placement{info.placement.start, info.placement.size};
}

}  // namespace migprof::mig
