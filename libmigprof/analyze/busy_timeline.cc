// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/busy_timeline.h"

#include <algorithm>

namespace migprof::analyze {

uint64_t BinLength(uint64_t window_ns) {
  constexpr uint64_t kBins = BusyTimeline::kBins;
  return std::max<uint64_t>(window_ns / kBins + (window_ns % kBins != 0 ? 1 : 0), 1);
}

size_t BinCount(uint64_t window_ns) {
  const uint64_t length = BinLength(window_ns);
  return window_ns / length + (window_ns % length != 0 ? 1 : 0);
}

BusyTimeline::BusyTimeline(uint64_t first_ns, uint64_t window_ns)
    : first_ns_(first_ns), last_ns_(first_ns + window_ns) {
  timeline_.bin_ns = BinLength(window_ns);
  timeline_.bins.resize(BinCount(window_ns));
}

void BusyTimeline::SettleBefore(uint64_t time) {
  if (earliest_ >= time) return;
  // Where many wait, they are sorted only when many more have come.
  constexpr size_t kFew = 256 * 1024;
  if (sorted_ > kFew && waiting_.size() - sorted_ < sorted_ / 4 && time != UINT64_MAX) return;
  const auto by_start = [](const Interval& a, const Interval& b) { return a.start < b.start; };
  const auto fresh = waiting_.begin() + static_cast<ptrdiff_t>(sorted_);
  if (!std::is_sorted(fresh, waiting_.end(), by_start)) std::sort(fresh, waiting_.end(), by_start);
  if (sorted_ != 0) std::inplace_merge(waiting_.begin(), fresh, waiting_.end(), by_start);
  auto next = waiting_.begin();
  for (; next != waiting_.end() && next->start < time; ++next) {
    const uint64_t end = next->end_and_kind >> 1;
    if ((next->end_and_kind & 1) != 0) Extend(&kernels_, next->start, end, &Timeline::Bin::kernel_ns);
    Extend(&all_, next->start, end, &Timeline::Bin::busy_ns);
  }
  waiting_.erase(waiting_.begin(), next);
  sorted_ = waiting_.size();
  earliest_ = waiting_.empty() ? UINT64_MAX : waiting_.front().start;
}

void BusyTimeline::Extend(Union* sum, uint64_t start, uint64_t end, uint64_t Timeline::Bin::*share) {
  start = std::max(start, sum->until);
  if (end <= start) return;
  sum->total += end - start;
  sum->until = end;
  start = std::max(start, first_ns_);
  end = std::min(end, last_ns_);
  while (start < end) {
    if (start >= sum->bin_end) {
      sum->bin = (start - first_ns_) / timeline_.bin_ns;
      const bool is_last = sum->bin + 1 == timeline_.bins.size();
      sum->bin_end = is_last ? last_ns_ : first_ns_ + (sum->bin + 1) * timeline_.bin_ns;
    }
    const uint64_t piece_end = std::min(end, sum->bin_end);
    timeline_.bins[sum->bin].*share += piece_end - start;
    start = piece_end;
  }
}

}  // namespace migprof::analyze
