// SPDX-License-Identifier: Apache-2.0
// What was recorded on each slice, as metrics. docs/dashboards.md has the list.
#pragma once

#include <vector>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/openmetrics.h"

namespace migprof::render {

// Labelled as LiveMetrics labels a slice, but for `gpu`: a trace does not know that number. Slices that have all labels
// in common, as a host has that was started anew, are told apart by `boot_id` and `part`.
std::vector<MetricFamily> ProfileMetrics(const analyze::Profile& profile);

}  // namespace migprof::render
