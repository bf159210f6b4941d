// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/slice_names.h"

#include <map>
#include <set>

#include "libmigprof/mig/profile_name.h"
#include "libmigprof/render/clean_text.h"

namespace migprof::render {
namespace {

using analyze::SliceProfile;

std::string ShortUuid(const std::string& uuid) { return CleanText(uuid).substr(0, 12); }

std::string NameWithin(const SliceProfile& slice) {
  if (!slice.identity.is_mig()) {
    return slice.identity.gpu_name.empty() ? "whole GPU" : CleanText(slice.identity.gpu_name);
  }
  const std::string instance = InstanceLabel(slice.identity);
  return ProfileLabel(slice.identity) + ' ' + (instance.empty() ? ShortUuid(slice.identity.mig_uuid) : instance);
}

}  // namespace

std::string ProfileLabel(const mig::SliceIdentity& identity) {
  if (!identity.is_mig()) return "whole GPU";
  return identity.profile.empty() ? "MIG slice" : CleanText(identity.profile);
}

std::string InstanceLabel(const mig::SliceIdentity& identity) {
  if (!identity.gpu_instance_id) return "";
  std::string label = "GI " + std::to_string(*identity.gpu_instance_id);
  const auto profile = mig::ParseProfileName(identity.profile);
  const bool shares = profile && profile->compute_slices != profile->gpu_slices;
  if (identity.compute_instance_id && (shares || *identity.compute_instance_id != 0)) {
    label += " CI " + std::to_string(*identity.compute_instance_id);
  }
  return label;
}

std::vector<std::string> ShortSliceNames(const analyze::Profile& profile) {
  std::map<std::string, std::set<std::string>> gpus;  // by host
  for (const SliceProfile& slice : profile.slices) gpus[slice.host].insert(slice.identity.gpu_uuid);
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const SliceProfile& slice : profile.slices) {
    std::string name = NameWithin(slice);
    if (!slice.distinction.empty()) name += ", " + slice.distinction;
    if (gpus[slice.host].size() > 1 && !slice.identity.gpu_uuid.empty()) {
      name = ShortUuid(slice.identity.gpu_uuid) + " / " + name;
    }
    if (gpus.size() > 1) name = CleanText(slice.host.empty() ? "unknown host" : slice.host) + " / " + name;
    std::string unique = name;
    for (int copy = 2; !taken.insert(unique).second; ++copy) unique = name + " #" + std::to_string(copy);
    names.push_back(unique);
  }
  return names;
}

}  // namespace migprof::render
