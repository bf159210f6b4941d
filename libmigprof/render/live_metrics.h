// SPDX-License-Identifier: Apache-2.0
// What the slices of a host do at a moment, as metrics. docs/dashboards.md has the list.
#pragma once

#include <vector>

#include "libmigprof/mig/live_sample.h"
#include "libmigprof/render/openmetrics.h"

namespace migprof::render {

// `now_ns` is when they are asked for, since 1970. Of a sample that is too old only its age is told: a driver that
// hangs must not look like slices that do always the same.
std::vector<MetricFamily> LiveMetrics(const mig::LiveSample& sample, uint64_t now_ns);

}  // namespace migprof::render
