// SPDX-License-Identifier: Apache-2.0
// When a slice was busy: in all, and in each part of its window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libmigprof/analyze/slice_metrics.h"

namespace migprof::analyze {

// The union of kernels, and that of kernels and everything else, per bin of a window. Intervals come in almost any
// order; memory is bounded by the disorder. What lies outside of the window is in no bin. Not thread-safe.
class BusyTimeline {
 public:
  static constexpr uint64_t kBins = 240;

  BusyTimeline(uint64_t first_ns, uint64_t window_ns);

  void AddKernel(uint64_t start, uint64_t end) { Add(start, end << 1 | 1); }
  void AddOther(uint64_t start, uint64_t end) { Add(start, end << 1); }

  // Promises that nothing added later starts before `time`.
  void SettleBefore(uint64_t time);

  // After SettleBefore(UINT64_MAX) these are final.
  uint64_t kernel_ns() const { return kernels_.total; }
  uint64_t busy_ns() const { return all_.total; }
  const Timeline& timeline() const { return timeline_; }

 private:
  struct Interval {
    uint64_t start;
    uint64_t end_and_kind;  // end << 1 | is a kernel: 16 bytes, and times stay below 2^63 until the year 2262
  };
  // A union of intervals that come in order of their starts.
  struct Union {
    uint64_t until = 0;  // the end of what is in it
    uint64_t total = 0;
    size_t bin = 0;  // of the last addition
    uint64_t bin_end = 0;
  };

  void Add(uint64_t start, uint64_t end_and_kind) {
    waiting_.push_back({start, end_and_kind});
    if (start < earliest_) earliest_ = start;
  }
  void Extend(Union* sum, uint64_t start, uint64_t end, uint64_t Timeline::Bin::*share);

  const uint64_t first_ns_;
  const uint64_t last_ns_;
  Timeline timeline_;
  std::vector<Interval> waiting_;
  size_t sorted_ = 0;  // of waiting_, from its begin
  uint64_t earliest_ = UINT64_MAX;
  Union kernels_;
  Union all_;
};

// The length of a bin that cuts a window into at most BusyTimeline::kBins; at least 1.
uint64_t BinLength(uint64_t window_ns);
// How many of them there are.
size_t BinCount(uint64_t window_ns);

}  // namespace migprof::analyze
