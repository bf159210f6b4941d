// SPDX-License-Identifier: Apache-2.0
// What is known of a slice beside its stacks, gathered while its files are read.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/device_memory.h"
#include "libmigprof/analyze/duration_counter.h"
#include "libmigprof/analyze/idle_timeline.h"
#include "libmigprof/analyze/occupancy.h"
#include "libmigprof/analyze/slice_metrics.h"
#include "libmigprof/analyze/trace_definitions.h"
#include "libmigprof/mig/slice_identity.h"

namespace migprof::analyze {

// Fills SliceMetrics, all but what BusyTime and CounterMerge know and `idle_ns`, from the events of all processes of
// one slice. What happens per event is a few nanoseconds; everything that depends on a kernel's shape or name alone is
// done once, at the end. Not thread-safe.
class SliceMeter {
 public:
  // Kernels beyond so many names share one distribution of durations: 4 KiB each.
  static constexpr size_t kMostSketches = 4096;

  SliceMeter(uint64_t first_ns, uint64_t window_ns, const mig::SliceIdentity& identity);

  // A number for all kernels of this symbol.
  uint32_t KernelId(const std::string& symbol);

  // Where to put the durations of a kernel; stays where it is.
  DurationCounter* Durations(uint32_t kernel) { return &durations_[std::min<size_t>(kernel, kMostSketches)]; }

  // Activities with usable times. `durations`: of the kernel. `launch_ns`: entry of the call that launched the kernel;
  // 0: none is known, or it launched a whole graph.
  void AddKernel(DurationCounter* durations, uint64_t start, uint64_t duration, uint64_t launch_ns) {
    durations->Add(duration);
    if (launch_ns != 0) launch_latency_.Add(start > launch_ns ? start - launch_ns : 0);
  }
  // A copy of CUPTI's kind `what`; `duration` 0 when it has no usable times.
  void AddCopy(uint64_t what, uint64_t duration, uint64_t bytes);
  // Time of kernels that are not known one by one.
  void AddUnknownKernels(uint64_t total_ns) { unknown_ns_ += total_ns; }

  DeviceMemory* memory() { return &memory_; }
  IdleTimeline* idle_timeline() { return &idle_timeline_; }

  // Promises that no allocation added later starts before `time`.
  void SettleBefore(uint64_t time) { memory_.SettleBefore(time); }

  // All launches of one shape by one process; `shape` may be null.
  void AddLaunches(uint32_t kernel, const KernelShapeDefinition* shape, uint64_t count, uint64_t total_ns);

  // Call once, at the end.
  SliceMetrics Finish();

 private:
  const mig::SliceIdentity identity_;
  const SmLimits* const limits_;  // null: unknown compute capability
  DeviceMemory memory_;
  IdleTimeline idle_timeline_;
  absl::flat_hash_map<std::string, uint32_t> kernel_ids_;
  std::vector<KernelUse> kernels_;
  std::deque<DurationCounter> durations_;  // by kernel; the last one is shared by all beyond kMostSketches
  DurationCounter launch_latency_;
  std::array<Totals, kCopyDirections> copies_{};
  uint64_t unknown_ns_ = 0;
};

}  // namespace migprof::analyze
