// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/slice_groups.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace migprof::analyze {
namespace {

using mig::SliceIdentity;

// Host, boot, and the device's UUID without its first letters: where the driver does not say that a device is a slice
// and NVML cannot be asked, a MIG UUID is written down as a GPU's.
using DeviceKey = std::tuple<std::string, std::string, std::string>;

DeviceKey KeyOf(const TraceScan& scan) {
  constexpr size_t kPrefix = 4;  // "MIG-", "GPU-"
  const std::string& uuid = scan.slice.device_uuid();
  std::string device = uuid.empty() ? "named " + scan.slice.gpu_name : uuid;
  if (device.starts_with("MIG-") || device.starts_with("GPU-")) device.erase(0, kPrefix);
  return {scan.process.host, scan.process.boot_id, std::move(device)};
}

// The physical GPU; nothing of a device of which it is not known whether it is a slice.
std::string ParentOf(const SliceIdentity& slice) { return slice.is_mig() ? slice.gpu_uuid : ""; }

template <typename Id>
bool Agree(const Id& a, const Id& b, const Id& unknown) {
  return a == unknown || b == unknown || a == b;
}

bool CanBeTheSame(const SliceIdentity& a, const SliceIdentity& b) {
  return Agree<std::string>(a.profile, b.profile, "") && Agree<std::string>(ParentOf(a), ParentOf(b), "") &&
         Agree<std::optional<uint32_t>>(a.gpu_instance_id, b.gpu_instance_id, std::nullopt) &&
         Agree<std::optional<uint32_t>>(a.compute_instance_id, b.compute_instance_id, std::nullopt) &&
         Agree<std::optional<mig::Placement>>(a.placement, b.placement, std::nullopt) &&
         Agree<uint32_t>(a.sm_count, b.sm_count, 0) && Agree<uint64_t>(a.memory_bytes, b.memory_bytes, 0);
}

int FactsKnown(const SliceIdentity& slice) {
  return static_cast<int>(slice.placement.has_value()) + static_cast<int>(!slice.profile.empty()) +
         static_cast<int>(!ParentOf(slice).empty()) + static_cast<int>(slice.gpu_instance_id.has_value()) +
         static_cast<int>(slice.compute_instance_id.has_value()) + static_cast<int>(slice.sm_count != 0) +
         static_cast<int>(slice.memory_bytes != 0);
}

struct Group {
  SliceIdentity identity;
  std::vector<size_t> files;
};

// Nanoseconds between the events of two files; 0 when they overlap, the most there is when one has none.
uint64_t Distance(const TraceScan& a, const TraceScan& b) {
  if (a.last_ns == 0 || b.last_ns == 0) return ~uint64_t{0};
  if (a.first_ns > b.last_ns) return a.first_ns - b.last_ns;
  return b.first_ns > a.last_ns ? b.first_ns - a.last_ns : 0;
}

uint64_t Distance(const std::vector<const TraceScan*>& scans, const Group& group, const TraceScan& scan) {
  uint64_t least = ~uint64_t{0};
  for (const size_t file : group.files) least = std::min(least, Distance(*scans[file], scan));
  return least;
}

Group* FindGroup(const std::vector<const TraceScan*>& scans, const TraceScan& scan, std::vector<Group>* groups) {
  std::vector<Group*> fitting;
  for (Group& group : *groups) {
    if (CanBeTheSame(group.identity, scan.slice)) fitting.push_back(&group);
  }
  if (fitting.size() < 2) return fitting.empty() ? &groups->emplace_back() : fitting.front();
  return *std::min_element(fitting.begin(), fitting.end(), [&](const Group* a, const Group* b) {
    return Distance(scans, *a, scan) < Distance(scans, *b, scan);
  });
}

}  // namespace

void AddIdentity(const SliceIdentity& other, SliceIdentity* identity) {
  if (other.is_mig() && !identity->is_mig()) {
    identity->mig_uuid = other.mig_uuid;
    identity->gpu_uuid.clear();  // it was the slice's
  }
  const auto add_text = [](const std::string& text, std::string* known) {
    if (known->empty()) *known = text;
  };
  const auto add_number = [](auto number, auto* known) {
    if (*known == 0) *known = number;
  };
  if (identity->is_mig() == other.is_mig()) add_text(other.gpu_uuid, &identity->gpu_uuid);
  add_text(other.gpu_name, &identity->gpu_name);
  add_text(other.profile, &identity->profile);
  add_text(other.pci_bus_id, &identity->pci_bus_id);
  if (!identity->gpu_instance_id) identity->gpu_instance_id = other.gpu_instance_id;
  if (!identity->compute_instance_id) identity->compute_instance_id = other.compute_instance_id;
  if (!identity->placement) identity->placement = other.placement;
  add_number(other.memory_slices, &identity->memory_slices);
  add_number(other.sm_count, &identity->sm_count);
  add_number(other.memory_bytes, &identity->memory_bytes);
  add_number(other.compute_major, &identity->compute_major);
  if (identity->compute_major == other.compute_major) add_number(other.compute_minor, &identity->compute_minor);
  if (other.source.size() > identity->source.size()) identity->source = other.source;
}

std::vector<std::vector<size_t>> GroupBySlice(const std::vector<const TraceScan*>& scans) {
  // Those that know most come first, so that those that know less find what they belong to.
  std::vector<size_t> order(scans.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rank = [&](size_t file) {
    const TraceScan& scan = *scans[file];
    return std::tuple(-FactsKnown(scan.slice), scan.first_ns, scan.process.pid, scan.process.start_ns);
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rank(a) < rank(b); });
  std::map<DeviceKey, std::vector<Group>> devices;
  for (const size_t file : order) {
    const TraceScan& scan = *scans[file];
    Group* const group = FindGroup(scans, scan, &devices[KeyOf(scan)]);
    AddIdentity(scan.slice, &group->identity);
    group->files.push_back(file);
  }
  std::vector<std::vector<size_t>> slices;
  for (auto& [key, groups] : devices) {
    for (Group& group : groups) {
      std::sort(group.files.begin(), group.files.end());
      slices.push_back(std::move(group.files));
    }
  }
  std::sort(slices.begin(), slices.end());
  return slices;
}

}  // namespace migprof::analyze
