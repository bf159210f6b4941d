// SPDX-License-Identifier: Apache-2.0
// One slice's part of the report as HTML that needs no script: where its time went, utilization over time, kernels,
// processes, memory, counters, health. The script adds the flamegraphs.
#pragma once

#include <cstddef>
#include <string>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// `name` as of ShortSliceNames. An element <section id="slice-<index + 1>">.
std::string ReportSlice(const analyze::Profile& profile, size_t index, const std::string& name);

}  // namespace migprof::render
