// SPDX-License-Identifier: Apache-2.0
// A slice's time as pictures of plain SVG inside HTML.
#pragma once

#include <string>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// A bar that adds up to the window, by what the slice did and why it was idle, with its legend.
std::string ReportTimeBar(const analyze::SliceProfile& slice);

// Utilization in each bin of the timeline; empty where there is no timeline.
std::string ReportTimeline(const analyze::SliceProfile& slice);

// A counter or live memory over the same time: `values` between 0 and `top`, negative where there is none.
std::string ReportSparkline(const std::vector<double>& values, double top, const std::string& label);

}  // namespace migprof::render
