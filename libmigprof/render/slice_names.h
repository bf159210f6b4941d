// SPDX-License-Identifier: Apache-2.0
// What to call a slice in a sentence: as short as tells it from the others of its profile.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// Clean names, one per slice: "2g.35gb GI 4", "1c.3g.40gb GI 2 CI 1", "NVIDIA A30"; before it the host where there are
// several, and the GPU where the host has several. No two are equal.
std::vector<std::string> ShortSliceNames(const analyze::Profile& profile);

// Without host and GPU: "2g.35gb", "whole GPU", "MIG slice".
std::string ProfileLabel(const mig::SliceIdentity& identity);

// "GI 4", "GI 4 CI 1" (with the CI where it is not 0 or the profile has one of several); empty when not known.
std::string InstanceLabel(const mig::SliceIdentity& identity);

}  // namespace migprof::render
