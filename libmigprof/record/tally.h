// SPDX-License-Identifier: Apache-2.0
// What a stretch of a recording holds, in numbers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace migprof::record {

// Events of one slice. What was told again of earlier ones does not count.
struct Tally {
  uint64_t launches = 0;     // calls that give the GPU work
  uint64_t other_calls = 0;  // that were recorded
  uint64_t kernels = 0;
  uint64_t transfers = 0;
  uint64_t graph_runs = 0;
  uint64_t allocations = 0;  // and releases
  uint64_t synchronizations = 0;
  uint64_t lost = 0;        // events that chunk headers say were lost
  uint64_t lost_calls = 0;  // of them, calls
  uint64_t first_ns = 0;    // smallest and largest time of an event; 0, 0 when there is none
  uint64_t last_ns = 0;
  uint32_t last_correlation = 0;  // of the calls, the last in the order in which they are numbered; 0: none

  bool has_events() const {
    return launches + other_calls + kernels + transfers + graph_runs + allocations + synchronizations + lost != 0;
  }

  void NoteTime(uint64_t first, uint64_t last) {
    if (last == 0) return;
    first_ns = last_ns == 0 ? first : std::min(first_ns, first);
    last_ns = std::max(last_ns, last);
  }
  // Ids wrap.
  void NoteCorrelation(uint32_t correlation) {
    if (last_correlation == 0 || static_cast<int32_t>(correlation - last_correlation) > 0) {
      last_correlation = correlation;
    }
  }

  void Add(const Tally& other) {
    launches += other.launches;
    other_calls += other.other_calls;
    kernels += other.kernels;
    transfers += other.transfers;
    graph_runs += other.graph_runs;
    allocations += other.allocations;
    synchronizations += other.synchronizations;
    lost += other.lost;
    lost_calls += other.lost_calls;
    NoteTime(other.first_ns, other.last_ns);
    if (other.last_correlation != 0) NoteCorrelation(other.last_correlation);
  }
};

}  // namespace migprof::record
