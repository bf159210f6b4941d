// SPDX-License-Identifier: Apache-2.0
// When a slice was busy, with kernels and at all: in sum, in each part of its window, and what ended the time in which
// it was not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "libmigprof/analyze/busy_at_edges.h"
#include "libmigprof/analyze/slice_metrics.h"

namespace migprof::analyze {

// Who asked for a piece of GPU work, and when. Numbers are those of the trace file it came from.
struct WorkOrigin {
  uint64_t call_ns = 0;  // entry of the call
  uint32_t site = 0;     // CallSiteId
  uint32_t leaf = 0;     // what ran
  uint16_t file = 0;
  uint16_t thread = 0;  // that made the call; 0: unknown
  // A kernel of a known call that is not the earliest of its kernel so far.
  bool is_repeated = false;
};

// A piece of GPU work.
struct WorkInterval {
  uint64_t start;
  uint64_t end;
  WorkOrigin origin;
  bool is_kernel;
};

// Two unions of half-open intervals that come in almost any order: that of kernels, and that of all work. What lies
// before a time that no further interval can reach is summed up and forgotten, so memory is bounded by the disorder and
// not by the number of intervals. Where the disorder of a file knows no bounds, the promise below is not waited for: of
// intervals that come after all, what lies before others that were summed up does not count. Not thread-safe.
class BusyTime {
 public:
  // More are not kept, and only beyond a few are additions saved up, so that each is moved a few times and no more.
  static constexpr size_t kMostPending = 2 * 1024 * 1024;
  static constexpr size_t kFewPending = 256 * 1024;
  // Of a timeline, at most.
  static constexpr uint64_t kBins = 240;

  // Before the first settlement: from when on time without work is a gap.
  void SetBegin(uint64_t begin_ns) { all_.until = begin_ns; }
  // Before the first settlement: wants a timeline of this window. What lies outside of it is in no bin.
  void WantTimeline(uint64_t first_ns, uint64_t window_ns);
  // Before the first settlement: who is to be told of all that is summed up. Both must outlive this.
  void Tell(BusyAtEdges* all, BusyAtEdges* kernels) {
    all_.listener = all;
    kernels_.listener = kernels;
  }

  void Add(const WorkInterval& work) {
    if (work.start >= work.end) return;
    is_sorted_ &= pending_.empty() || pending_.back().start <= work.start;
    pending_.push_back(work);
  }

  // Promises that no interval added later starts before `time`. Calls `on_gap(start, end, origin)` for every gap that
  // is certain now, in order: `origin` is that of the work that ended it.
  template <typename OnGap>
  void SettleBefore(uint64_t time, OnGap&& on_gap);
  void SettleBefore(uint64_t time) {
    SettleBefore(time, [](uint64_t, uint64_t, const WorkOrigin&) {});
  }

  // After SettleBefore(UINT64_MAX) these are final.
  uint64_t busy_ns() const { return all_.total; }
  uint64_t kernel_ns() const { return kernels_.total; }
  // The end of the last settled interval; what SetBegin said when there was none.
  uint64_t covered_until() const { return all_.until; }
  const Timeline& timeline() const { return timeline_; }

  size_t pending() const { return pending_.size(); }

 private:
  // A union of intervals that come in order of their starts.
  struct Union {
    uint64_t until = 0;  // the end of what is in it
    uint64_t total = 0;
    uint64_t Timeline::Bin::*share;
    uint64_t* bin_ns = nullptr;  // the bin of the last addition
    uint64_t bin_end = 0;
    BusyAtEdges* listener = nullptr;
  };

  void Extend(Union* sum, uint64_t start, uint64_t end) {
    start = std::max(start, sum->until);
    if (end <= start) return;
    sum->total += end - start;
    sum->until = end;
    if (sum->listener != nullptr) sum->listener->Add(start, end);
    if (end <= sum->bin_end) {  // and not before that bin: they come in order
      *sum->bin_ns += end - start;
    } else if (!timeline_.bins.empty()) {
      AddToBins(sum, start, end);
    }
  }
  void AddToBins(Union* sum, uint64_t start, uint64_t end);
  void Sort();

  std::vector<WorkInterval> pending_;
  size_t sorted_ = 0;      // so many of them are in order, from the begin
  bool is_sorted_ = true;  // all of them are
  uint64_t first_ns_ = 0;  // of the timeline
  uint64_t last_ns_ = 0;
  Timeline timeline_;
  Union all_{.share = &Timeline::Bin::busy_ns};
  Union kernels_{.share = &Timeline::Bin::kernel_ns};
};

// The length of a bin that cuts a window into at most BusyTime::kBins; at least 1.
uint64_t BinLength(uint64_t window_ns);
// How many of them there are.
size_t BinCount(uint64_t window_ns);

template <typename OnGap>
void BusyTime::SettleBefore(uint64_t time, OnGap&& on_gap) {
  if (sorted_ > kFewPending && pending_.size() - sorted_ < sorted_ / 4 && time != UINT64_MAX) return;
  Sort();
  // One that is certain to be next is summed up whole: whatever starts later only adds what lies behind it.
  if (pending_.size() > kMostPending) time = std::max(time, pending_[pending_.size() - kMostPending / 2].start);
  auto next = pending_.begin();
  for (; next != pending_.end() && next->start < time; ++next) {
    if (next->start > all_.until) on_gap(all_.until, next->start, next->origin);
    Extend(&all_, next->start, next->end);
    if (next->is_kernel) Extend(&kernels_, next->start, next->end);
  }
  pending_.erase(pending_.begin(), next);
  sorted_ = pending_.size();
}

}  // namespace migprof::analyze
