// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/topology.h"

#include <algorithm>

namespace migprof::mig {

Sharing SharingOf(const Use& use) {
  if (use.refusal != 0) return Sharing::kUnknown;
  const auto uses_mps = [](const GpuProcess& process) { return process.mps_client || process.mps_server; };
  if (std::any_of(use.processes.begin(), use.processes.end(), uses_mps)) return Sharing::kMps;
  if (use.processes.empty()) return Sharing::kIdle;
  return use.processes.size() == 1 ? Sharing::kExclusive : Sharing::kTimeSlicing;
}

const char* SharingName(Sharing sharing) {
  switch (sharing) {
    case Sharing::kUnknown:
      return "unknown";
    case Sharing::kIdle:
      return "idle";
    case Sharing::kExclusive:
      return "exclusive";
    case Sharing::kTimeSlicing:
      return "time-slicing";
    case Sharing::kMps:
      return "mps";
  }
  return "unknown";
}

const char* MigModeName(MigMode mode) {
  switch (mode) {
    case MigMode::kUnknown:
      return "unknown";
    case MigMode::kUnsupported:
      return "unsupported";
    case MigMode::kOff:
      return "off";
    case MigMode::kOn:
      return "on";
  }
  return "unknown";
}

std::optional<bool> SharesGpuInstance(const GpuInstance& gpu_instance, const ComputeInstance& compute_instance) {
  if (gpu_instance.compute_instances.size() > 1) return true;
  if (!gpu_instance.slices || !compute_instance.slices) return std::nullopt;
  if (*compute_instance.slices >= *gpu_instance.slices) return false;
  return std::nullopt;
}

std::optional<uint32_t> UncoveredComputeSlices(const Gpu& gpu) {
  if (gpu.mode != MigMode::kOn || !gpu.compute_slices) return std::nullopt;
  uint64_t covered = 0;  // the numbers are the driver's, and may be any
  for (const GpuInstance& instance : gpu.gpu_instances) {
    if (!instance.slices) return std::nullopt;
    covered += *instance.slices;
  }
  // More than there are: one of the two numbers does not mean what it should.
  if (covered > *gpu.compute_slices) return std::nullopt;
  return static_cast<uint32_t>(*gpu.compute_slices - covered);
}

std::vector<uint32_t> FreeMemorySlices(const Gpu& gpu) {
  std::vector<uint32_t> free;
  if (gpu.mode != MigMode::kOn || gpu.listing_refusal != 0 || !gpu.memory_slices) return free;
  const auto covers = [](const GpuInstance& instance, uint32_t slice) {
    return slice >= instance.placement->start && slice - instance.placement->start < instance.placement->size;
  };
  for (const GpuInstance& instance : gpu.gpu_instances) {
    if (!instance.placement) return free;
  }
  for (uint32_t slice = 0; slice < *gpu.memory_slices; ++slice) {
    const auto is_here = [&](const GpuInstance& instance) { return covers(instance, slice); };
    if (std::none_of(gpu.gpu_instances.begin(), gpu.gpu_instances.end(), is_here)) free.push_back(slice);
  }
  return free;
}

}  // namespace migprof::mig
