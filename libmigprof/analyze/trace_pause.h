// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace migprof::analyze {

// Time in which the process had stopped its recording.
struct TracePause {
  uint64_t stopped_ns = 0;
  uint64_t started_ns = 0;   // UINT64_MAX: never again
  uint32_t last_before = 0;  // correlation of the last call recorded before; 0: none
  uint32_t first_after = 0;  // of the first one after; 0: none
};

// Whether work with this correlation id, whose call is not in the trace, may be that of a call in the pause. Threads
// overtake each other, so that the ids at both ends are not exact.
bool IsOfPause(const TracePause& pause, uint32_t correlation);

// When any of several processes had stopped its recording: [start, end), disjoint, ascending.
std::vector<std::pair<uint64_t, uint64_t>> UnionOfPauses(const std::vector<const std::vector<TracePause>*>& processes);

}  // namespace migprof::analyze
