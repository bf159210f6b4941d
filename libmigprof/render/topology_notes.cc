// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/topology_notes.h"

#include <algorithm>
#include <cstdint>

#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/nvml_error.h"
#include "libmigprof/render/human_units.h"

namespace migprof::render {
namespace {

using mig::Gpu;
using mig::GpuInstance;
using mig::MigMode;
using mig::Use;

// "1 of 7 compute slices": of several wholes, so the noun follows the second number.
std::string PartOf(uint32_t part, uint32_t whole) {
  return std::to_string(part) + " of " + CountOf(whole, "compute slice", "compute slices");
}

// "6", "6 and 7", "0, 1 and 7".
std::string Enumerate(const std::vector<uint32_t>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i != 0) text += i + 1 == numbers.size() ? " and " : ", ";
    text += std::to_string(numbers[i]);
  }
  return text;
}

size_t ComputeInstancesOf(const Gpu& gpu) {
  size_t count = 0;
  for (const GpuInstance& instance : gpu.gpu_instances) count += instance.compute_instances.size();
  return count;
}

int FirstUseRefusal(const Gpu& gpu) {
  for (const GpuInstance& instance : gpu.gpu_instances) {
    for (const mig::ComputeInstance& compute : instance.compute_instances) {
      if (compute.use.refusal != 0) return compute.use.refusal;
    }
  }
  return 0;
}

std::string EmptyNote(const Gpu& gpu) {
  const std::string index = std::to_string(gpu.index);
  if (gpu.listing_refusal != 0) {
    return "No slice of this GPU is in view. There may be some that this user or container may not see (listing "
           "them: " +
           mig::NvmlErrorText(gpu.listing_refusal) + "); root sees all.";
  }
  return "There is no slice, so no program can use this GPU. To make some: sudo nvidia-smi mig -i " + index +
         " -lgip lists the profiles, sudo nvidia-smi mig -i " + index + " -cgi PROFILE,… -C creates them.";
}

std::string FreeNote(const Gpu& gpu, uint32_t uncovered) {
  const std::string compute =
      uncovered == 0 ? "no compute slice" : PartOf(uncovered, gpu.compute_slices.value_or(uncovered));
  const std::vector<uint32_t> free = mig::FreeMemorySlices(gpu);
  if (free.empty()) return "Free: " + compute + ".";
  return "Free: " + compute + ", and " + std::to_string(free.size()) + " of " +
         CountOf(*gpu.memory_slices, "memory slice", "memory slices") + " (" + Enumerate(free) + ").";
}

}  // namespace

std::string GpuHeading(const Gpu& gpu) {
  std::string text = gpu.name.empty() ? "GPU" : gpu.name;
  switch (gpu.mode) {
    case MigMode::kUnknown:
      return text + " · MIG mode not readable";
    case MigMode::kUnsupported:
      return text + " · has no MIG";
    case MigMode::kOff:
      return text + " · MIG off";
    case MigMode::kOn:
      break;
  }
  const size_t slices = ComputeInstancesOf(gpu);
  return text + " · MIG on · " + (slices == 0 ? "no slice" : CountOf(slices, "slice", "slices"));
}

std::vector<std::string> GpuNotes(const Gpu& gpu) {
  std::vector<std::string> notes;
  const bool known = gpu.mode != MigMode::kUnknown && gpu.pending != MigMode::kUnknown;
  if (known && gpu.mode != gpu.pending) {
    notes.push_back(std::string("MIG will be ") + mig::MigModeName(gpu.pending) +
                    " after the next reset of this GPU: sudo nvidia-smi --gpu-reset -i " + std::to_string(gpu.index) +
                    " while nothing runs on it, or a reboot.");
  }
  if (gpu.mode != MigMode::kOn || gpu.refusal != 0) return notes;
  if (gpu.gpu_instances.empty()) {
    notes.push_back(EmptyNote(gpu));
    return notes;
  }
  if (const int refusal = FirstUseRefusal(gpu); refusal != 0) {
    notes.push_back("Processes are not readable (" + mig::NvmlErrorText(refusal) + ").");
  }
  const uint32_t uncovered = mig::UncoveredComputeSlices(gpu).value_or(0);
  if (gpu.listing_refusal == 0) {
    if (uncovered != 0 || !mig::FreeMemorySlices(gpu).empty()) notes.push_back(FreeNote(gpu, uncovered));
    return notes;
  }
  if (uncovered != 0) {
    notes.push_back(PartOf(uncovered, *gpu.compute_slices) + (uncovered == 1 ? " is" : " are") +
                    " not in view: free, or in slices that this user or container may not see.");
  }
  notes.push_back(
      "Placements are not readable (" + mig::NvmlErrorText(gpu.listing_refusal) +
      (gpu.listing_refusal == mig::kNvmlNoPermission ? "): they need root, or MIG's monitor capability." : ")."));
  return notes;
}

std::string UseNote(const Use& use) {
  const auto is_server = [](const mig::GpuProcess& process) { return process.mps_server; };
  switch (mig::SharingOf(use)) {
    case mig::Sharing::kTimeSlicing:
      return "time-slicing: " + std::to_string(use.processes.size()) + " processes take turns";
    case mig::Sharing::kMps: {
      const auto servers = std::count_if(use.processes.begin(), use.processes.end(), is_server);
      const size_t clients = use.processes.size() - static_cast<size_t>(servers);
      return "MPS: " + CountOf(clients, "process runs", "processes run") + " through an MPS server" +
             (clients > 1 ? ", at the same time" : "");
    }
    case mig::Sharing::kUnknown:
    case mig::Sharing::kIdle:
    case mig::Sharing::kExclusive:
      break;
  }
  return "";
}

std::string GpuInstanceNote(const Gpu& gpu, const GpuInstance& instance) {
  const size_t count = instance.compute_instances.size();
  if (count > 1) return "memory shared by " + std::to_string(count) + " compute instances";
  if (count == 0) return "no compute instance: not usable";
  const mig::ComputeInstance& only = instance.compute_instances.front();
  if (mig::SharesGpuInstance(instance, only) == false || !instance.slices || !only.slices) return "";
  return PartOf(*instance.slices - *only.slices, *instance.slices) +
         (gpu.listing_refusal == 0 ? " free" : " not in view");
}

}  // namespace migprof::render
