// SPDX-License-Identifier: Apache-2.0
// How long at least one of many intervals was running, and what ended the time in which none was.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace migprof::analyze {

// Who asked for a piece of GPU work, and when. Numbers are those of the trace file it came from.
struct WorkOrigin {
  uint64_t call_ns = 0;  // entry of the call
  uint32_t site = 0;     // CallSiteId
  uint32_t leaf = 0;     // what ran
  uint16_t file = 0;
  uint16_t thread = 0;  // that made the call; 0: unknown
};

// The length of the union of half-open intervals that come in almost any order. What lies before a time that no further
// interval can reach is summed up and forgotten, so memory is bounded by the disorder and not by the number of
// intervals. Where the disorder of a file knows no bounds, the promise below is not waited for: of intervals that come
// after all, what lies before others that were summed up does not count.
class IntervalUnion {
 public:
  // More are not kept, and only beyond a few are additions saved up, so that each is moved a few times and no more.
  static constexpr size_t kMostPending = 2 * 1024 * 1024;
  static constexpr size_t kFewPending = 256 * 1024;

  void Add(uint64_t start, uint64_t end, const WorkOrigin& origin = {}) {
    if (start < end) fresh_.push_back({start, end, origin});
  }

  // Promises that no interval added later starts before `time`. Calls `on_gap(start, end, origin)` for every gap that
  // is certain now: `origin` is that of the interval that ended it. The time before the first interval is a gap too,
  // from `begin` of SetBegin on.
  template <typename OnGap>
  void SettleBefore(uint64_t time, OnGap&& on_gap);
  void SettleBefore(uint64_t time) {
    SettleBefore(time, [](uint64_t, uint64_t, const WorkOrigin&) {});
  }
  // Before the first settlement.
  void SetBegin(uint64_t begin) { covered_until_ = begin; }

  // The length of the union of everything added.
  uint64_t Finish() {
    SettleBefore(UINT64_MAX);
    return settled_length_;
  }
  // The end of the last settled interval; what SetBegin said when there was none.
  uint64_t covered_until() const { return covered_until_; }

  // `settled` is told of everything that is summed up, in ascending order.
  void SetObserver(std::function<void(uint64_t start, uint64_t end)> settled) { settled_ = std::move(settled); }

  size_t pending() const { return pending_.size() + fresh_.size(); }

 private:
  struct Interval {
    uint64_t start;
    uint64_t end;
    WorkOrigin origin;
  };

  void MergeFresh();

  std::vector<Interval> fresh_;    // added since the last settlement
  std::vector<Interval> pending_;  // disjoint, ascending
  std::vector<Interval> merged_;   // scratch
  std::function<void(uint64_t start, uint64_t end)> settled_;
  uint64_t settled_length_ = 0;
  uint64_t covered_until_ = 0;
};

template <typename OnGap>
void IntervalUnion::SettleBefore(uint64_t time, OnGap&& on_gap) {
  if (pending_.size() > kFewPending && fresh_.size() < pending_.size() / 4 && time != UINT64_MAX) return;
  MergeFresh();
  if (pending_.size() > kMostPending) time = std::max(time, pending_[pending_.size() - kMostPending / 2].start);
  size_t done = 0;
  for (Interval& interval : pending_) {
    if (interval.start >= time) break;
    // The part before `time` is final; the rest may still grow together with others.
    const uint64_t end = std::min(interval.end, time);
    if (interval.start > covered_until_) {
      on_gap(covered_until_, interval.start, interval.origin);
      covered_until_ = interval.start;
    }
    if (end > covered_until_) {
      settled_length_ += end - covered_until_;
      if (settled_) settled_(covered_until_, end);
      covered_until_ = end;
    }
    if (interval.end > time) {
      interval.start = time;
      break;
    }
    ++done;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(done));
}

}  // namespace migprof::analyze
