// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/idle_timeline.h"

#include "libmigprof/analyze/busy_time.h"

namespace migprof::analyze {

IdleTimeline::IdleTimeline(uint64_t first_ns, uint64_t window_ns)
    : first_ns_(first_ns), bin_ns_(BinLength(window_ns)), bins_(BinCount(window_ns)) {}

void IdleTimeline::AddToBins(IdleCause cause, uint64_t start_ns, uint64_t end_ns) {
  start_ns = std::max(start_ns, first_ns_);
  while (start_ns < end_ns) {
    const size_t bin = (start_ns - first_ns_) / bin_ns_;
    if (bin >= bins_.size()) return;
    bin_ = &bins_[bin];
    begin_ns_ = first_ns_ + bin * bin_ns_;
    length_ns_ = bin_ns_;
    const uint64_t piece_end = std::min(end_ns, begin_ns_ + bin_ns_);
    (*bin_)[static_cast<size_t>(cause)] += piece_end - start_ns;
    start_ns = piece_end;
  }
}

}  // namespace migprof::analyze
