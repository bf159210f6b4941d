// SPDX-License-Identifier: Apache-2.0
// The map of the cards as HTML: slices drawn to size, filled as far as they were busy, each a link to its part of the
// page.
#pragma once

#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// `names` as of ShortSliceNames. `has_details`: by slice, whether there is an element "slice-<index + 1>" to link to.
std::string ReportMap(const analyze::Profile& profile, const std::vector<std::string>& names,
                      const std::vector<bool>& has_details);

// "u0" (hardly used), "u1" (underused), "u2": the class that colours a busy share in report/map.css.
std::string UseClass(double busy_share);

}  // namespace migprof::render
