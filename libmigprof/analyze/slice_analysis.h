// SPDX-License-Identifier: Apache-2.0
// All trace files of one slice -> its profile.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "libmigprof/analyze/frame_names.h"
#include "libmigprof/analyze/profile.h"
#include "libmigprof/analyze/trace_scan.h"

namespace migprof::analyze {

struct SliceResult {
  SliceProfile profile;
  FrameTable frames;  // that profile.stacks refers to
  std::vector<Problem> problems;
  size_t files_left_out = 0;  // for want of memory; when that is all files, the rest is empty
};

// Reads the event payloads of `files`, which all belong to one slice and are sorted by process. `bytes_done` is counted
// up while reading. Without `metrics` the profile's metrics and memory stay empty. Memory is bounded by unique stacks,
// counter samples and the join window, not by events.
SliceResult AnalyzeSlice(const std::vector<const TraceScan*>& files, const StackView& view, bool metrics,
                         std::atomic<uint64_t>* bytes_done);

}  // namespace migprof::analyze
