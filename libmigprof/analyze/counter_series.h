// SPDX-License-Identifier: Apache-2.0
// Samples of all processes of a slice -> one series per counter.
#pragma once

#include <cstdint>
#include <vector>

#include "libmigprof/analyze/busy_at_edges.h"
#include "libmigprof/analyze/busy_time.h"
#include "libmigprof/analyze/counter_samples.h"
#include "libmigprof/analyze/slice_metrics.h"

namespace migprof::analyze {

// Holds the samples while the slice's activity is read, and compares the two. Where there are no samples over spans of
// time, nothing is measured and nothing costs.
class CounterMerge {
 public:
  explicit CounterMerge(std::vector<CounterSample> samples);

  // Lets `busy` tell what settles in it, where somebody asks. This must outlive it.
  void Watch(BusyTime* busy);

  // The series, in the order of mig::kCounters. `complete`: the trace holds all activity with its times, so that what
  // was measured can be held against the counters. Bins where `timeline` has any.
  std::vector<CounterSeries> Finish(bool complete, uint64_t first_ns, const Timeline& timeline);

 private:
  std::vector<CounterSample> samples_;
  bool has_spans_ = false;
  BusyAtEdges busy_at_;
  BusyAtEdges kernels_at_;
};

}  // namespace migprof::analyze
