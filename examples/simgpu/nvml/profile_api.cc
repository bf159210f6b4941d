// SPDX-License-Identifier: Apache-2.0
// What can be asked about profiles: the sizes that GPU instances may have, and where they may lie.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "nvml/handles.h"

using simgpu::ComputeInstance;
using simgpu::Gpu;
using simgpu::GpuInstance;
using simgpu::nvml::DeviceHandle;
using simgpu::nvml::IsPrivileged;
using simgpu::nvml::Refusal;

namespace {

constexpr uint64_t kMebibyte = 1024 * 1024;
// One past the last number of a GPU instance profile in NVML's enumeration.
constexpr unsigned kProfileEnd = 0x12;

struct Profile {
  unsigned number = 0;  // in that enumeration
  unsigned id = 0;
  unsigned slices = 0;
  unsigned sm_count = 0;
  unsigned copy_engines = 0;
  unsigned decoders = 0;
  unsigned memory_slices = 0;
  unsigned instances = 0;
  uint64_t memory_bytes = 0;
  std::string name;
};

// NVML's numbers of the profiles of so many slices: the plain one, then variants.
std::vector<unsigned> NumbersOf(unsigned slices) {
  switch (slices) {
    case 1:
      return {0x0, 0x7, 0x9, 0xA, 0xD, 0xF};
    case 2:
      return {0x1, 0x8, 0xB, 0xE, 0x10};
    case 3:
      return {0x2, 0x11};
    case 4:
      return {0x3, 0xC};
    case 6:
      return {0x6};
    case 7:
      return {0x4};
    case 8:
      return {0x5};
    default:
      return {};
  }
}

// Gives `profile` the first free number of its size, if there is one.
void Add(Profile profile, std::vector<Profile>* profiles) {
  for (const unsigned number : NumbersOf(profile.slices)) {
    const auto is_taken = [&](const Profile& other) { return other.number == number; };
    if (std::any_of(profiles->begin(), profiles->end(), is_taken)) continue;
    profile.number = number;
    profiles->push_back(profile);
    return;
  }
}

Profile ProfileOf(const GpuInstance& instance) {
  Profile profile;
  profile.id = instance.profile_id;
  profile.slices = instance.slices;
  for (const ComputeInstance& compute : instance.compute_instances) profile.sm_count += compute.sm_count;
  profile.copy_engines = instance.copy_engines;
  profile.decoders = instance.decoders;
  profile.memory_slices = instance.placement_size;
  profile.memory_bytes = instance.memory_bytes;
  profile.name = instance.profile;
  return profile;
}

// The one that takes all of the GPU. Its name has the memory in GiB, rounded up as NVIDIA does.
Profile WholeGpu(const Gpu& gpu) {
  constexpr uint64_t kGibibyte = 1024 * kMebibyte;
  Profile profile;
  profile.id = 0;
  profile.slices = gpu.mig_slices;
  profile.sm_count = gpu.mig_sm_count;
  profile.copy_engines = gpu.copy_engines;
  profile.memory_slices = gpu.memory_slices;
  profile.memory_bytes = gpu.memory_bytes;
  profile.name =
      std::to_string(gpu.mig_slices) + "g." + std::to_string((gpu.memory_bytes + kGibibyte - 1) / kGibibyte) + "gb";
  return profile;
}

// Those that the topology has instances of, and the largest: a topology does not list the others.
std::vector<Profile> ProfilesOf(const Gpu& gpu) {
  std::vector<Profile> profiles;
  if (!gpu.mig_capable) return profiles;
  for (const GpuInstance& instance : gpu.instances) {
    const auto is_same = [&](const Profile& known) { return known.id == instance.profile_id; };
    auto known = std::find_if(profiles.begin(), profiles.end(), is_same);
    if (known == profiles.end()) {
      Add(ProfileOf(instance), &profiles);
      known = std::find_if(profiles.begin(), profiles.end(), is_same);
    }
    if (known != profiles.end()) ++known->instances;
  }
  const auto is_whole = [&](const Profile& profile) { return profile.slices == gpu.mig_slices; };
  if (std::none_of(profiles.begin(), profiles.end(), is_whole)) Add(WholeGpu(gpu), &profiles);
  return profiles;
}

nvmlReturn_t FindProfile(const char* function, nvmlDevice_t device, unsigned number, Profile* found) {
  const DeviceHandle* gpu;
  if (const auto refusal = Refusal(function, device, &gpu)) return *refusal;
  if (gpu->ref.is_mig() || number >= kProfileEnd) return NVML_ERROR_INVALID_ARGUMENT;
  for (const Profile& profile : ProfilesOf(*gpu->ref.gpu)) {
    if (profile.number == number) return *found = profile, NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_SUPPORTED;
}

}  // namespace

extern "C" {

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned number,
                                                               nvmlGpuInstanceProfileInfo_t* info) {
  if (info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  Profile profile;
  const nvmlReturn_t result = FindProfile("nvmlDeviceGetGpuInstanceProfileInfo", device, number, &profile);
  if (result != NVML_SUCCESS) return result;
  *info = {};
  info->id = profile.id;
  info->sliceCount = profile.slices;
  info->instanceCount = profile.instances;
  info->multiprocessorCount = profile.sm_count;
  info->copyEngineCount = profile.copy_engines;
  info->decoderCount = profile.decoders;
  info->memorySizeMB = profile.memory_bytes / kMebibyte;
  return NVML_SUCCESS;
}

SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfoV(nvmlDevice_t device, unsigned number,
                                                                nvmlGpuInstanceProfileInfo_v2_t* info) {
  if (info == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (info->version != kNvmlGpuInstanceProfileInfoV2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  Profile profile;
  const nvmlReturn_t result = FindProfile("nvmlDeviceGetGpuInstanceProfileInfoV", device, number, &profile);
  if (result != NVML_SUCCESS) return result;
  *info = {};
  info->version = kNvmlGpuInstanceProfileInfoV2;
  info->id = profile.id;
  info->sliceCount = profile.slices;
  info->instanceCount = profile.instances;
  info->multiprocessorCount = profile.sm_count;
  info->copyEngineCount = profile.copy_engines;
  info->decoderCount = profile.decoders;
  info->memorySizeMB = profile.memory_bytes / kMebibyte;
  std::snprintf(info->name, sizeof(info->name), "MIG %s", profile.name.c_str());
  return NVML_SUCCESS;
}

// Every multiple of its size at which a profile fits, but no more than there are compute slices for: which are the
// starts that NVIDIA publishes for its boards of 7 and of 4 slices.
SIMGPU_EXPORT nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements_v2(nvmlDevice_t device, unsigned profile_id,
                                                                         nvmlGpuInstancePlacement_t* placements,
                                                                         unsigned* count) {
  const DeviceHandle* handle;
  if (const auto refusal = Refusal("nvmlDeviceGetGpuInstancePossiblePlacements_v2", device, &handle)) return *refusal;
  if (count == nullptr || handle->ref.is_mig()) return NVML_ERROR_INVALID_ARGUMENT;
  if (!IsPrivileged()) return NVML_ERROR_NO_PERMISSION;
  const Gpu& gpu = *handle->ref.gpu;
  for (const Profile& profile : ProfilesOf(gpu)) {
    if (profile.id != profile_id) continue;
    const unsigned size = std::max(profile.memory_slices, 1u);
    const unsigned fitting = std::min(gpu.memory_slices / size, gpu.mig_slices / std::max(profile.slices, 1u));
    if (placements != nullptr) {
      for (unsigned i = 0; i < fitting; ++i) placements[i] = {i * size, size};
    }
    *count = fitting;
    return NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_SUPPORTED;
}

}  // extern "C"
