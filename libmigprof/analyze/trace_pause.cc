// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_pause.h"

#include <algorithm>

namespace migprof::analyze {

bool IsOfPause(const TracePause& pause, uint32_t correlation) {
  constexpr uint32_t kOverlap = 64 * 1024;
  const auto is_before = [](uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; };
  if (pause.last_before != 0 && is_before(correlation, pause.last_before - kOverlap)) return false;
  return pause.first_after == 0 || !is_before(pause.first_after + kOverlap, correlation);
}

std::vector<std::pair<uint64_t, uint64_t>> UnionOfPauses(const std::vector<const std::vector<TracePause>*>& processes) {
  std::vector<std::pair<uint64_t, uint64_t>> pauses;
  for (const std::vector<TracePause>* process : processes) {
    for (const TracePause& pause : *process) pauses.emplace_back(pause.stopped_ns, pause.started_ns);
  }
  std::sort(pauses.begin(), pauses.end());
  std::vector<std::pair<uint64_t, uint64_t>> merged;
  for (const auto& [start, end] : pauses) {
    if (!merged.empty() && start <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, end);
    } else {
      merged.emplace_back(start, end);
    }
  }
  return merged;
}

}  // namespace migprof::analyze
