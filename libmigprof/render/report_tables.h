// SPDX-License-Identifier: Apache-2.0
// The tables of the report as HTML.
#pragma once

#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// One row per slice. `names` and `has_details` as in ReportMap.
std::string ReportSlices(const analyze::Profile& profile, const std::vector<std::string>& names,
                         const std::vector<bool>& has_details);

// The kernels with most time, and how much the others have. From the stacks where the analysis has no list.
std::string ReportKernels(const analyze::Profile& profile, const analyze::SliceProfile& slice);

std::string ReportProcesses(const analyze::SliceProfile& slice);

// Live memory and NVML's counters; empty where neither was recorded.
std::string ReportCounters(const analyze::SliceProfile& slice);

}  // namespace migprof::render
