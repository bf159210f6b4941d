// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/process_info.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace migprof::analyze {
namespace {

bool HasPythonFrames(const TraceScan& scan) {
  return std::any_of(scan.chunks.begin(), scan.chunks.end(),
                     [](const format::ChunkRef& chunk) { return chunk.kind() == format::ChunkKind::kPythonFrames; });
}

}  // namespace

ProcessInfo DescribeProcess(const TraceScan& scan) {
  ProcessInfo process;
  process.pid = scan.process.pid;
  process.recording =
      absl::StrCat(scan.process.host, "/", scan.process.boot_id, "/", scan.process.pid, "/",
                   scan.process.recording_start_ns != 0 ? scan.process.recording_start_ns : scan.process.start_ns);
  process.name = scan.process.name;
  process.command_line = scan.process.command_line;
  process.window_ns = scan.last_ns - scan.first_ns;
  const auto counter = [&scan](const char* name) {
    const auto entry = scan.counters.find(name);
    return entry != scan.counters.end() ? entry->second : 0;
  };
  process.recorder.own_ns = counter("process.own_ns");
  process.recorder.own_share_ppm =
      static_cast<uint32_t>(std::min<uint64_t>(counter("process.own_share_ppm"), 1'000'000));
  process.recorder.budget_ppm = static_cast<uint32_t>(std::min<uint64_t>(counter("process.budget_ppm"), 1'000'000));
  process.recorder.last_level_share_ppm =
      static_cast<uint32_t>(std::min<uint64_t>(counter("process.last_level_share_ppm"), 1'000'000));
  process.recorder.highest_level = static_cast<uint32_t>(counter("process.budget_highest_level"));
  // The recorder takes this step whatever the program is written in.
  if (HasPythonFrames(scan)) process.recorder.without_lines_ms = counter("process.ms_without_python_lines");
  process.recorder.sampled_ms = counter("process.ms_of_sampled_stacks");
  process.recorder.whole_graphs_ms = counter("process.ms_of_whole_graphs");
  process.recorder.memory_bytes = counter("process.memory_bytes");
  process.recorder.memory_peak_bytes = counter("process.memory_peak_bytes");
  process.recorder.memory_most_bytes = counter("process.memory_most_bytes");
  process.recorder.small_rings = counter("process.small_rings");
  process.recorder.threads_without_ring = counter("process.threads_without_ring");
  process.recorder.definitions_forgotten = counter("process.definitions_forgotten");
  for (const TracePause& pause : scan.pauses) {
    // What was before the first event that is still there is as gone as the events.
    const uint64_t begin = scan.rotated.empty() ? pause.stopped_ns : std::max(pause.stopped_ns, scan.first_ns);
    if (pause.started_ns < begin) continue;
    process.stopped_ns += std::min(pause.started_ns, std::max(scan.last_ns, begin)) - begin;
    ++process.stops;
  }
  for (const RotatedGap& gap : scan.rotated) {
    process.health.rotated_files += gap.segments;
    process.health.rotated_bytes += gap.bytes;
    process.health.rotated_launches += gap.launches;
    process.health.rotated_activities += gap.activities;
  }
  process.health.dropped = scan.lost + counter("device.late_calls") + counter("device.late_activities");
  process.health.unplaced = counter("process.unplaced_losses");
  process.health.ranges_lost = counter("process.ranges_lost");
  process.health.other_calls_dropped = counter("device.dropped_other_calls");
  process.health.killed = !scan.closed;
  process.health.damaged_bytes = scan.damaged_bytes;
  process.health.missing_chunks = scan.missing_chunks;
  process.health.stopped = scan.stopped;
  process.health.taken_over_ns = scan.taken_over_ns;
  return process;
}

}  // namespace migprof::analyze
