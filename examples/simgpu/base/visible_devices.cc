// SPDX-License-Identifier: Apache-2.0
#include "base/visible_devices.h"

#include <algorithm>
#include <cctype>

namespace simgpu {
namespace {

bool StartsWith(const std::string& text, const std::string& beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    std::string part = text.substr(start, comma - start);
    const auto is_blank = [](unsigned char c) { return std::isspace(c) != 0; };
    part.erase(part.begin(), std::find_if_not(part.begin(), part.end(), is_blank));
    while (!part.empty() && is_blank(part.back())) part.pop_back();
    parts.push_back(part);
    start = comma + 1;
  }
  return parts;
}

// One device of each GPU instance, and the GPUs without MIG.
std::vector<DeviceRef> DefaultDevices(const Topology& topology) {
  std::vector<DeviceRef> devices;
  for (const DeviceRef& device : AllDevices(topology)) {
    if (!devices.empty() && device.is_mig() && devices.back().instance == device.instance) continue;
    devices.push_back(device);
  }
  return devices;
}

// How the older drivers wrote the name of a compute instance.
std::string OldMigName(const DeviceRef& device) {
  return "MIG-" + FormatUuid("GPU-", device.gpu->uuid) + "/" + std::to_string(device.instance->id) + "/" +
         std::to_string(device.compute->id);
}

std::vector<DeviceRef> DevicesOfGpu(const std::vector<DeviceRef>& devices, uint32_t gpu_index) {
  std::vector<DeviceRef> found;
  for (const DeviceRef& device : devices) {
    if (device.gpu_index == gpu_index) found.push_back(device);
  }
  return found;
}

// What an entry such as "MIG-5c…" names; empty when that is nothing or not one thing.
std::vector<DeviceRef> MatchName(const Topology& topology, const std::string& entry) {
  std::vector<DeviceRef> found;
  for (const DeviceRef& device : AllDevices(topology)) {
    if (!device.is_mig()) continue;
    const std::string old_name = Lower(OldMigName(device));
    // A beginning of the old form must reach past the GPU: shorter ones would name every instance of it.
    const bool matches_old = StartsWith(entry, "mig-gpu-") && old_name == entry;
    if (matches_old || StartsWith(Lower(device.uuid_text()), entry)) found.push_back(device);
  }
  if (StartsWith(entry, "mig-")) return found.size() == 1 ? found : std::vector<DeviceRef>{};

  std::vector<uint32_t> gpus;
  for (uint32_t i = 0; i < topology.gpus.size(); ++i) {
    if (StartsWith(Lower(FormatUuid("GPU-", topology.gpus[i].uuid)), entry)) gpus.push_back(i);
  }
  if (gpus.size() != 1) return {};
  return DevicesOfGpu(DefaultDevices(topology), gpus[0]);
}

std::vector<DeviceRef> MatchEntry(const Topology& topology, const std::string& entry) {
  const std::string lower = Lower(entry);
  if (StartsWith(lower, "gpu-") || StartsWith(lower, "mig-")) return MatchName(topology, lower);
  if (entry.empty() || !std::all_of(entry.begin(), entry.end(), [](unsigned char c) { return std::isdigit(c); }))
    return {};
  const std::vector<DeviceRef> devices = DefaultDevices(topology);
  const size_t index = entry.size() > 6 ? devices.size() : std::stoul(entry);
  return index < devices.size() ? std::vector<DeviceRef>{devices[index]} : std::vector<DeviceRef>{};
}

bool SameDevice(const DeviceRef& a, const DeviceRef& b) { return a.gpu == b.gpu && a.compute == b.compute; }

std::vector<DeviceRef> Select(const Topology& topology, const std::string& selection) {
  std::vector<DeviceRef> chosen;
  for (const std::string& entry : SplitAtCommas(selection)) {
    const std::vector<DeviceRef> matches = MatchEntry(topology, entry);
    if (matches.empty()) break;
    for (const DeviceRef& device : matches) {
      const auto is_same = [&](const DeviceRef& other) { return SameDevice(device, other); };
      if (std::any_of(chosen.begin(), chosen.end(), is_same)) return chosen;
      chosen.push_back(device);
    }
  }
  return chosen;
}

void KeepOnePerGpuInstance(std::vector<DeviceRef>* devices) {
  std::vector<DeviceRef> kept;
  for (const DeviceRef& device : *devices) {
    const auto is_sibling = [&](const DeviceRef& other) {
      return device.is_mig() && other.instance == device.instance;
    };
    if (std::none_of(kept.begin(), kept.end(), is_sibling)) kept.push_back(device);
  }
  *devices = kept;
}

}  // namespace

std::vector<DeviceRef> AllDevices(const Topology& topology) {
  std::vector<DeviceRef> devices;
  for (uint32_t i = 0; i < topology.gpus.size(); ++i) {
    const Gpu& gpu = topology.gpus[i];
    if (!gpu.mig) devices.push_back({i, &gpu, nullptr, nullptr});
    for (const GpuInstance& instance : gpu.instances) {
      for (const ComputeInstance& compute : instance.compute_instances)
        devices.push_back({i, &gpu, &instance, &compute});
    }
  }
  return devices;
}

void Restrict(const std::string& devices, Topology* topology) {
  const std::vector<std::string> given = SplitAtCommas(Lower(devices));
  const auto is_given = [&](const std::string& uuid) {
    return std::find(given.begin(), given.end(), Lower(uuid)) != given.end();
  };
  for (Gpu& gpu : topology->gpus) {
    if (is_given(FormatUuid("GPU-", gpu.uuid))) continue;
    for (GpuInstance& instance : gpu.instances) {
      std::erase_if(instance.compute_instances,
                    [&](const ComputeInstance& compute) { return !is_given(FormatUuid("MIG-", compute.uuid)); });
    }
    std::erase_if(gpu.instances, [](const GpuInstance& instance) { return instance.compute_instances.empty(); });
  }
  std::erase_if(topology->gpus,
                [&](const Gpu& gpu) { return !is_given(FormatUuid("GPU-", gpu.uuid)) && gpu.instances.empty(); });
  topology->restricted = true;
}

std::vector<DeviceRef> VisibleDevices(const Topology& topology, const std::optional<std::string>& selection) {
  std::vector<DeviceRef> devices = selection ? Select(topology, *selection) : DefaultDevices(topology);
  if (topology.driver_branch < kFirstBranchWithSeveralInstances) {
    const auto first = std::find_if(devices.begin(), devices.end(), [](const DeviceRef& d) { return d.is_mig(); });
    if (first != devices.end()) return {*first};
    return devices;
  }
  KeepOnePerGpuInstance(&devices);
  size_t instances = 0;
  std::erase_if(devices,
                [&](const DeviceRef& device) { return device.is_mig() && ++instances > kMaxInstancesPerProcess; });
  return devices;
}

}  // namespace simgpu
