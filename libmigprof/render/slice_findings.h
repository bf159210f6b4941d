// SPDX-License-Identifier: Apache-2.0
// What stands out in one slice.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libmigprof/render/findings.h"

namespace migprof::render {

inline uint64_t IdleTime(const analyze::SliceProfile& slice) {
  return slice.recorded_ns() > slice.busy_ns ? slice.recorded_ns() - slice.busy_ns : 0;
}

// 0 to 1; 1 for a slice of which no time was recorded.
inline double BusyShare(const analyze::SliceProfile& slice) {
  if (slice.recorded_ns() == 0) return 1;
  return static_cast<double>(slice.recorded_ns() - IdleTime(slice)) / static_cast<double>(slice.recorded_ns());
}

// Whether nearly all work has its time in the trace, so that what is not busy was idle: at most one launch in a hundred
// was lost or has no usable times, and nothing of a file is missing.
bool IsIdleKnown(const analyze::SliceProfile& slice);

// Kernel time × share of the SMs over kernel time: 0 to 1. Nothing when it is not known for most of the kernels.
std::optional<double> SmFill(const analyze::SliceProfile& slice);

// Whether the share of the SMs that kernels keep busy exceeds the window, and what is to be said beside it.
inline bool KernelsRanSideBySide(const analyze::SliceProfile& slice) {
  return slice.recorded_ns() != 0 && slice.metrics.sm_weighted_ns > slice.recorded_ns();
}
inline constexpr char kSideBySide[] =
    "SMs busy above 100 %: kernels ran side by side, and the shares of the SMs that each keeps busy add up.";

// "; 71 % of that until `load_batch` gave it work": what is known of why the slice was idle; nothing when that is
// nothing.
Sentence WhyIdle(const analyze::SliceProfile& slice, const analyze::FrameTable& frames);

// Its findings in any order. `name` as of ShortSliceNames.
std::vector<Finding> FindInSlice(const analyze::Profile& profile, size_t slice, const std::string& name);

}  // namespace migprof::render
