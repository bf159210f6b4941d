// SPDX-License-Identifier: Apache-2.0
// The result of analysis and the input of every renderer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libmigprof/analyze/health.h"
#include "libmigprof/analyze/slice_metrics.h"
#include "libmigprof/analyze/stack_tree.h"
#include "libmigprof/mig/slice_identity.h"

namespace migprof::analyze {

// What recording took from a process, as the recorder measured it.
struct RecorderUse {
  uint64_t own_ns = 0;                // on all its threads that launch, estimated from the calls that were timed
  uint32_t own_share_ppm = 0;         // of the thread that gave most of its time, in millionths; 0: too short to tell
  uint32_t budget_ppm = 0;            // MIGPROF_BUDGET; 0: none
  uint32_t last_level_share_ppm = 0;  // as own_share_ppm, over the time when nothing more could be left out
  uint32_t highest_level = 0;         // 0: everything was recorded; else how many steps MIGPROF_BUDGET asked for
  uint64_t without_lines_ms = 0;      // of Python frames; 0 where there are none
  uint64_t sampled_ms = 0;
  uint64_t whole_graphs_ms = 0;
  // Memory that the recorder took, when it last said so and at most; and MIGPROF_MAX_MEMORY. 0: not said.
  uint64_t memory_bytes = 0;
  uint64_t memory_peak_bytes = 0;
  uint64_t memory_most_bytes = 0;
  // To stay below it: threads whose ring is smaller than was asked for, threads of which nothing was recorded, and how
  // often definitions were forgotten and written again.
  uint64_t small_rings = 0;
  uint64_t threads_without_ring = 0;
  uint64_t definitions_forgotten = 0;
};

struct ProcessInfo {
  uint32_t pid = 0;
  std::string name;
  std::string command_line;  // empty unless MIGPROF_RECORD_ARGS asked for it
  uint64_t window_ns = 0;    // first event to the end of its recording
  uint64_t gpu_ns = 0;       // sum of kernel, copy and memset time
  RecorderUse recorder;
  Health health;
  uint64_t stops = 0;          // how often its recording was stopped (migprof_stop, `migprof stop`, MIGPROF_START=off)
  uint64_t stopped_ns = 0;     // for how long; what was stopped to the end counts up to there
  std::string recording = {};  // what tells the process from all others; the same on all of its slices
};

// One slice of one host, over all processes that ran on it.
struct SliceProfile {
  std::string host;
  std::string boot_id;
  mig::SliceIdentity identity;
  // What tells it from another slice of the profile that would be called the same: "16 SMs", "9663 MB", "#2"; else
  // empty.
  std::string distinction;
  bool simulated = false;  // recorded on the simulated GPU
  uint64_t first_ns = 0;   // first event on the slice, in ns since 1970 (or of the simulated clock)
  uint64_t window_ns = 0;  // first event of any process to the end of the last one's recording
  uint64_t busy_ns = 0;    // union of kernel, copy and memset intervals of all its processes
  // Time of the window in which nothing that was recorded ran, but some process on the slice had stopped its recording:
  // neither busy nor idle. 0 without metrics.
  uint64_t not_recorded_ns = 0;
  Totals kernels;
  Totals memcpys;
  Totals memsets;
  Totals graph_runs;  // whole launches of graphs, where their kernels were not recorded one by one
  uint64_t graph_launches = 0;
  uint64_t synchronize_ns = 0;   // time that host threads spent in synchronizing calls, summed
  uint64_t allocated_bytes = 0;  // device memory asked for, summed over all allocations
  Health health;
  std::vector<ProcessInfo> processes;  // by pid
  StackTree stacks;                    // root; process; host frames; …; kernel or copy
  SliceMetrics metrics;
  // Idle time by what ended it: as `stacks`, down to the call, then the cause (kIdle). Adds up to
  // recorded_ns() - busy_ns.
  StackTree idle;
  // The part of the window that is known: what shares of time are shares of.
  uint64_t recorded_ns() const { return window_ns - not_recorded_ns; }
  // Device memory that was live at the moment of metrics.memory.peak_ns: weight is bytes, count allocations. As
  // `stacks`, down to the allocating call.
  StackTree memory;
};

struct Profile {
  bool simulated = false;            // any part of it came from the simulated GPU
  FrameTable frames;                 // of all slices
  std::vector<SliceProfile> slices;  // by host, GPU UUID, GPU instance, compute instance, profile
};

// The rows above a slice's own tree, root first: host, GPU, slice. Names as shown in every picture and in folded
// output.
std::vector<Frame> SlicePath(const SliceProfile& slice);

// Sets `distinction` where slices would have the same path: one UUID may have stood for several slices, one after
// another.
void TellApart(std::vector<SliceProfile>* slices);

}  // namespace migprof::analyze
