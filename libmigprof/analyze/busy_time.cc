// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/busy_time.h"

namespace migprof::analyze {

uint64_t BinLength(uint64_t window_ns) {
  constexpr uint64_t kBins = BusyTime::kBins;
  return std::max<uint64_t>(window_ns / kBins + (window_ns % kBins != 0 ? 1 : 0), 1);
}

size_t BinCount(uint64_t window_ns) {
  const uint64_t length = BinLength(window_ns);
  return window_ns / length + (window_ns % length != 0 ? 1 : 0);
}

void BusyTime::WantTimeline(uint64_t first_ns, uint64_t window_ns) {
  first_ns_ = first_ns;
  last_ns_ = first_ns + window_ns;
  timeline_.bin_ns = BinLength(window_ns);
  timeline_.bins.assign(BinCount(window_ns), {});
}

// Equal starts stay in the order they came in, so that equal input gives equal origins.
void BusyTime::Sort() {
  if (is_sorted_) return;
  const auto by_start = [](const WorkInterval& a, const WorkInterval& b) { return a.start < b.start; };
  const auto fresh = pending_.begin() + static_cast<ptrdiff_t>(sorted_);
  if (!std::is_sorted(fresh, pending_.end(), by_start)) std::stable_sort(fresh, pending_.end(), by_start);
  std::inplace_merge(pending_.begin(), fresh, pending_.end(), by_start);
  is_sorted_ = true;
}

void BusyTime::AddToBins(Union* sum, uint64_t start, uint64_t end) {
  start = std::max(start, first_ns_);
  end = std::min(end, last_ns_);
  while (start < end) {
    if (start >= sum->bin_end) {
      const size_t bin = (start - first_ns_) / timeline_.bin_ns;
      const bool is_last = bin + 1 == timeline_.bins.size();
      sum->bin_ns = &(timeline_.bins[bin].*(sum->share));
      sum->bin_end = is_last ? last_ns_ : first_ns_ + (bin + 1) * timeline_.bin_ns;
    }
    const uint64_t piece_end = std::min(end, sum->bin_end);
    *sum->bin_ns += piece_end - start;
    start = piece_end;
  }
}

}  // namespace migprof::analyze
