// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/profile.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"

namespace migprof::analyze {
namespace {

// "GPU-1a2b3c4d-…" -> "GPU-1a2b3c4d": enough for a person to tell cards apart.
std::string ShortUuid(const std::string& uuid) { return uuid.substr(0, 12); }

std::string GpuName(const SliceProfile& slice) {
  const mig::SliceIdentity& identity = slice.identity;
  std::string name = absl::StrCat("GPU ", identity.gpu_name.empty() ? "of unknown name" : identity.gpu_name);
  if (!identity.gpu_uuid.empty()) absl::StrAppend(&name, " (", ShortUuid(identity.gpu_uuid), ")");
  if (slice.simulated) absl::StrAppend(&name, " [simulated]");
  return name;
}

std::string SliceName(const SliceProfile& slice) {
  const mig::SliceIdentity& identity = slice.identity;
  const std::string distinction = slice.distinction.empty() ? "" : absl::StrCat(", ", slice.distinction);
  if (!identity.is_mig()) return absl::StrCat("whole GPU", distinction);
  std::string name = absl::StrCat("MIG ", identity.profile.empty() ? "slice" : identity.profile);
  if (identity.gpu_instance_id) absl::StrAppend(&name, " GI ", *identity.gpu_instance_id);
  if (identity.compute_instance_id) absl::StrAppend(&name, " CI ", *identity.compute_instance_id);
  return absl::StrCat(name, " (", ShortUuid(identity.mig_uuid), ")", distinction);
}

// "host", "GPU", "slice" as one.
std::string PathText(const SliceProfile& slice) {
  std::string text;
  for (const Frame& frame : SlicePath(slice)) absl::StrAppend(&text, frame.name, "\n");
  return text;
}

Frame MakeFrame(std::string name, FrameKind kind) {
  return {.name = name, .full_name = name, .module = "", .kind = kind};
}

}  // namespace

void AddHealth(const Health& health, Health* sum) {
  sum->launches += health.launches;
  sum->matched += health.matched;
  sum->unmatched += health.unmatched;
  sum->captured += health.captured;
  sum->failed += health.failed;
  sum->dropped += health.dropped;
  sum->untimed += health.untimed;
  sum->orphaned += health.orphaned;
  sum->stackless += health.stackless;
  sum->truncated += health.truncated;
  sum->graph_unattributed += health.graph_unattributed;
  sum->sampled_out += health.sampled_out;
  sum->python_lost += health.python_lost;
  sum->ranges_lost += health.ranges_lost;
  sum->unspliced += health.unspliced;
  sum->damaged_bytes += health.damaged_bytes;
  sum->missing_chunks += health.missing_chunks;
  sum->rotated_files += health.rotated_files;
  sum->rotated_bytes += health.rotated_bytes;
  sum->rotated_launches += health.rotated_launches;
  sum->rotated_activities += health.rotated_activities;
  sum->cut_off_launches += health.cut_off_launches;
  sum->cut_off_activities += health.cut_off_activities;
  sum->stopped |= health.stopped;
  if (health.taken_over_ns != 0 && (sum->taken_over_ns == 0 || health.taken_over_ns < sum->taken_over_ns)) {
    sum->taken_over_ns = health.taken_over_ns;
  }
  sum->killed |= health.killed;
}

bool HasLoss(const Health& health) {
  return health.unmatched + health.dropped + health.untimed + health.orphaned + health.stackless + health.truncated +
                 health.graph_unattributed + health.python_lost + health.ranges_lost + health.damaged_bytes +
                 health.missing_chunks !=
             0 ||
         health.stopped || health.killed;
}

std::vector<Frame> SlicePath(const SliceProfile& slice) {
  return {MakeFrame(slice.host.empty() ? "unknown host" : slice.host, FrameKind::kHost),
          MakeFrame(GpuName(slice), FrameKind::kGpu), MakeFrame(SliceName(slice), FrameKind::kSlice)};
}

void TellApart(std::vector<SliceProfile>* slices) {
  std::map<std::string, std::vector<SliceProfile*>> by_path;
  for (SliceProfile& slice : *slices) by_path[PathText(slice)].push_back(&slice);
  for (const auto& [path, same] : by_path) {
    if (same.size() < 2) continue;
    std::set<uint32_t> sms;
    std::set<uint64_t> sizes;
    for (const SliceProfile* slice : same) {
      sms.insert(slice->identity.sm_count);
      sizes.insert(slice->identity.memory_bytes);
    }
    for (size_t i = 0; i < same.size(); ++i) {
      const mig::SliceIdentity& identity = same[i]->identity;
      if (sms.size() == same.size()) {
        same[i]->distinction = absl::StrCat(identity.sm_count, " SMs");
      } else if (sizes.size() == same.size()) {
        same[i]->distinction = absl::StrCat(identity.memory_bytes / 1'000'000, " MB");
      } else {
        same[i]->distinction = absl::StrCat("#", i + 1);
      }
    }
  }
}

}  // namespace migprof::analyze
