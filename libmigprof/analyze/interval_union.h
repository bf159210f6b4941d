// SPDX-License-Identifier: Apache-2.0
// How long at least one of many intervals was running.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace migprof::analyze {

// The length of the union of half-open intervals that come in almost any order. What lies before a time that no further
// interval can reach is summed up and forgotten, so memory is bounded by the disorder and not by the number of
// intervals.
class IntervalUnion {
 public:
  void Add(uint64_t start, uint64_t end) {
    if (start < end) fresh_.push_back({start, end});
  }

  // Promises that no interval added later starts before `time`.
  void SettleBefore(uint64_t time);

  // The length of the union of everything added.
  uint64_t Finish() {
    SettleBefore(UINT64_MAX);
    return settled_length_;
  }

  // `settled` is told of everything that is summed up, in ascending order.
  void SetObserver(std::function<void(uint64_t start, uint64_t end)> settled) { settled_ = std::move(settled); }

  size_t pending() const { return pending_.size() + fresh_.size(); }

 private:
  struct Interval {
    uint64_t start;
    uint64_t end;
  };

  void MergeFresh();

  std::vector<Interval> fresh_;    // added since the last settlement
  std::vector<Interval> pending_;  // disjoint, ascending
  std::vector<Interval> merged_;   // scratch
  std::function<void(uint64_t start, uint64_t end)> settled_;
  uint64_t settled_length_ = 0;
  uint64_t settled_until_ = 0;
};

}  // namespace migprof::analyze
