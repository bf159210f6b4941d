// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/interval_union.h"

#include <algorithm>

namespace migprof::analyze {

void IntervalUnion::MergeFresh() {
  const auto by_start = [](const Interval& a, const Interval& b) { return a.start < b.start; };
  if (!std::is_sorted(fresh_.begin(), fresh_.end(), by_start)) std::sort(fresh_.begin(), fresh_.end(), by_start);
  merged_.clear();
  auto old = pending_.begin();
  auto fresh = fresh_.begin();
  while (old != pending_.end() || fresh != fresh_.end()) {
    const bool take_old = fresh == fresh_.end() || (old != pending_.end() && old->start <= fresh->start);
    const Interval next = take_old ? *old++ : *fresh++;
    if (!merged_.empty() && next.start <= merged_.back().end) {
      merged_.back().end = std::max(merged_.back().end, next.end);
    } else {
      merged_.push_back(next);
    }
  }
  pending_.swap(merged_);
  fresh_.clear();
}

void IntervalUnion::SettleBefore(uint64_t time) {
  MergeFresh();
  size_t done = 0;
  for (Interval& interval : pending_) {
    if (interval.start >= time) break;
    // The part before `time` is final; the rest may still grow together with others.
    const uint64_t end = std::min(interval.end, time);
    const uint64_t start = std::max(interval.start, settled_until_);
    if (end > start) {
      settled_length_ += end - start;
      if (settled_) settled_(start, end);
    }
    if (interval.end > time) {
      interval.start = time;
      break;
    }
    ++done;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(done));
  settled_until_ = std::max(settled_until_, time);
}

}  // namespace migprof::analyze
