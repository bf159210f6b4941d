// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/recorder_cost.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "libmigprof/render/human_units.h"

namespace migprof::render {
namespace {

// What slices say of one process: of what recording cost it each the same, of what it did each their own part.
struct ProcessUse {
  analyze::RecorderUse recorder;
  bool dropped = false;
  uint64_t window_ns = 0;  // the longest
};

// By ProcessInfo::recording.
std::map<std::string, ProcessUse> UseOfProcesses(const std::vector<const analyze::SliceProfile*>& slices) {
  std::map<std::string, ProcessUse> processes;
  for (const analyze::SliceProfile* slice : slices) {
    for (const analyze::ProcessInfo& process : slice->processes) {
      ProcessUse& use = processes.try_emplace(process.recording, ProcessUse{process.recorder}).first->second;
      use.dropped |= process.health.dropped + process.health.other_calls_dropped + process.health.unplaced != 0;
      use.window_ns = std::max(use.window_ns, process.window_ns);
      // Slices to which no Python frame belongs say nothing of their lines.
      use.recorder.without_lines_ms = std::max(use.recorder.without_lines_ms, process.recorder.without_lines_ms);
    }
  }
  return processes;
}

// The recorder's own clock goes on where that of a simulated GPU does not.
uint64_t WithinWindow(uint64_t ms, uint64_t window_ns) {
  constexpr uint64_t kNsPerMs = 1'000'000;
  return ms <= window_ns / kNsPerMs ? ms * kNsPerMs : window_ns;
}

void AddRings(const analyze::RecorderUse& recorder, RecorderCost* cost) {
  if (recorder.small_rings + recorder.threads_without_ring == 0) return;
  const bool is_first = cost->small_rings + cost->threads_without_ring == 0;
  if (is_first) cost->memory_most_bytes = recorder.memory_most_bytes;
  if (cost->memory_most_bytes != recorder.memory_most_bytes) cost->memory_most_bytes = 0;
  cost->small_rings += recorder.small_rings;
  cost->threads_without_ring += recorder.threads_without_ring;
}

// As one writes it for an option: "64M".
std::string OptionBytes(uint64_t bytes) {
  constexpr uint64_t kUnit = 1024;
  const char* units = "KMGT";
  std::string unit;
  for (; bytes != 0 && bytes % kUnit == 0 && *units != '\0'; ++units, bytes /= kUnit) unit = *units;
  return std::to_string(bytes) + unit;
}

// Where something was dropped: what a user may raise.
std::string DescribeRings(const RecorderCost& cost) {
  if (cost.small_rings + cost.threads_without_ring == 0) return "";
  std::string text = "; ";
  if (cost.small_rings != 0) text += CountOf(cost.small_rings, "thread", "threads") + " had small rings";
  if (cost.threads_without_ring != 0) {
    text += cost.small_rings != 0 ? " and " + HumanCount(cost.threads_without_ring) + " none"
                                  : CountOf(cost.threads_without_ring, "thread", "threads") + " had no ring";
  }
  text += ", because of MIGPROF_MAX_MEMORY";
  return cost.memory_most_bytes != 0 ? text + "=" + OptionBytes(cost.memory_most_bytes) : text;
}

}  // namespace

RecorderCost SumRecorderCost(const std::vector<const analyze::SliceProfile*>& slices) {
  RecorderCost cost;
  for (const analyze::SliceProfile* slice : slices) cost.simulated |= slice->simulated;
  for (const auto& [key, use] : UseOfProcesses(slices)) {
    const analyze::RecorderUse& recorder = use.recorder;
    if (recorder.own_ns == 0 && recorder.own_share_ppm == 0) continue;
    ++cost.processes;
    cost.own_ns += recorder.own_ns;
    cost.memory_peak_bytes = std::max(cost.memory_peak_bytes, recorder.memory_peak_bytes);
    if (use.dropped) AddRings(recorder, &cost);
    cost.largest_share = std::max(cost.largest_share, recorder.own_share_ppm / 1e6);
    cost.reduced += recorder.highest_level != 0;
    cost.without_lines_ns += WithinWindow(recorder.without_lines_ms, use.window_ns);
    cost.sampled_ns += WithinWindow(recorder.sampled_ms, use.window_ns);
    cost.whole_graphs_ns += WithinWindow(recorder.whole_graphs_ms, use.window_ns);
    if (recorder.budget_ppm != 0 && recorder.last_level_share_ppm > recorder.budget_ppm) {
      ++cost.above;
      cost.share_above = std::max(cost.share_above, recorder.last_level_share_ppm / 1e6);
    }
  }
  return cost;
}

std::string DescribeRecorderCost(const RecorderCost& cost, bool ascii) {
  if (cost.processes == 0) return "";
  std::string text = HumanTime(cost.own_ns, ascii);
  // Simulated calls take next to no time, so that a share of it says nothing.
  if (!cost.simulated && cost.largest_share > 0) {
    char share[64];
    std::snprintf(share, sizeof(share), ", at most %.1f%% of a thread's time", 100 * cost.largest_share);
    text += share;
  }
  if (cost.memory_peak_bytes != 0) text += ", and " + HumanBytes(cost.memory_peak_bytes) + " of memory";
  text += DescribeRings(cost);
  if (cost.reduced == 0) return text;
  text += "; less detail to stay below MIGPROF_BUDGET in " + std::to_string(cost.reduced) +
          (cost.reduced == 1 ? " process" : " processes");
  const char* separator = ": ";
  const auto add_step = [&](const char* what, uint64_t ns) {
    if (ns == 0) return;
    text += separator + std::string(what) + " for " + HumanTime(ns, ascii);
    separator = ", ";
  };
  add_step("no Python lines", cost.without_lines_ns);
  add_step("sampled stacks", cost.sampled_ns);
  add_step("graphs as a whole", cost.whole_graphs_ns);
  if (cost.above != 0) {
    char share[64];
    std::snprintf(share, sizeof(share), "; above MIGPROF_BUDGET all the same (%.1f%%)", 100 * cost.share_above);
    text += share;
    if (cost.reduced != 1) text += " in " + std::to_string(cost.above) + " of them";
  }
  return text;
}

}  // namespace migprof::render
