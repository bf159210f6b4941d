// SPDX-License-Identifier: Apache-2.0
// What recording itself cost the programs, in words.
#pragma once

#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// Over all processes of the slices, each counted once however many slices it used.
struct RecorderCost {
  uint64_t own_ns = 0;       // on the application's threads, estimated from timed calls
  double largest_share = 0;  // of any thread's time; meaningless where GPU and host time are simulated
  size_t processes = 0;      // that said what it cost
  size_t reduced = 0;        // … of which recorded less, to stay below MIGPROF_BUDGET
  size_t above = 0;          // … of which were above it all the same
  double share_above = 0;    // the largest share of those, when nothing more could be left out
  // For how long, summed; of each process at most its window.
  uint64_t without_lines_ns = 0;
  uint64_t sampled_ns = 0;
  uint64_t whole_graphs_ns = 0;
  bool simulated = false;
  uint64_t memory_peak_bytes = 0;  // of the process that took the most
  // Of the processes that dropped something, for want of memory perhaps: threads whose rings were small, and threads of
  // which nothing was recorded; and MIGPROF_MAX_MEMORY, 0 where it is not known or not the same for all.
  uint64_t small_rings = 0;
  uint64_t threads_without_ring = 0;
  uint64_t memory_most_bytes = 0;
};

RecorderCost SumRecorderCost(const std::vector<const analyze::SliceProfile*>& slices);

// "3.1 ms, at most 0.4 % of a thread's time, and 14.2 MB of memory"; empty when nothing is known.
std::string DescribeRecorderCost(const RecorderCost& cost, bool ascii = false);

}  // namespace migprof::render
