// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/interval_union.h"

namespace migprof::analyze {

void IntervalUnion::MergeFresh() {
  const auto by_start = [](const Interval& a, const Interval& b) { return a.start < b.start; };
  // Equal starts stay in the order they came in, so that equal input gives equal origins.
  if (!std::is_sorted(fresh_.begin(), fresh_.end(), by_start)) {
    std::stable_sort(fresh_.begin(), fresh_.end(), by_start);
  }
  merged_.clear();
  auto old = pending_.begin();
  auto fresh = fresh_.begin();
  while (old != pending_.end() || fresh != fresh_.end()) {
    const bool take_old = fresh == fresh_.end() || (old != pending_.end() && old->start <= fresh->start);
    const Interval& next = take_old ? *old++ : *fresh++;
    if (!merged_.empty() && next.start <= merged_.back().end) {
      merged_.back().end = std::max(merged_.back().end, next.end);
    } else {
      merged_.push_back(next);
    }
  }
  pending_.swap(merged_);
  fresh_.clear();
}

}  // namespace migprof::analyze
