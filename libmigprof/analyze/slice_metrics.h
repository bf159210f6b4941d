// SPDX-License-Identifier: Apache-2.0
// What is known of a slice beside its stacks. docs/metrics.md defines each number, with its unit, source and error.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmigprof/analyze/quantile_sketch.h"

namespace migprof::analyze {

struct Totals {
  uint64_t count = 0;
  uint64_t total_ns = 0;
  uint64_t bytes = 0;  // for copies and memsets
};

// Why nothing ran on a slice for a while: what the thread that ended the gap was doing in it.
enum class IdleCause : uint8_t {
  kNothingRunning,  // the process that ended the gap had not begun, or none came after it
  kHost,            // outside of CUDA: the host computed, read, waited, … with nothing queued ("launch-bound")
  kSynchronize,     // inside a synchronizing call
  kCopy,            // inside a copying call, or a copy had been asked for and had not started
  kAllocation,      // inside a call that allocates or releases memory
  kFirstLaunch,     // inside a call that loads code, or a kernel had been launched for the first time and not started
  kLaunchLatency,   // the work had been asked for and had not started: latency, or it waited for another stream
  kUnknown,         // the call that ended the gap is not in the trace
};
inline constexpr size_t kIdleCauses = 8;

enum class CopyDirection : uint8_t { kHostToDevice, kDeviceToHost, kDeviceToDevice, kPeerToPeer, kOther };
inline constexpr size_t kCopyDirections = 5;

// The window of a slice in equal parts.
struct Timeline {
  struct Bin {
    uint64_t kernel_ns = 0;  // in which at least one kernel ran
    uint64_t busy_ns = 0;    // … kernel, copy or memset
    std::array<uint64_t, kIdleCauses> idle_ns{};
  };
  uint64_t bin_ns = 0;  // length of a bin; the last one is shorter where the window ends
  std::vector<Bin> bins;
};

// All launches of one kernel, over all its shapes.
struct KernelUse {
  std::string name;       // as shown in pictures
  std::string full_name;  // demangled, whole
  uint64_t count = 0;
  uint64_t total_ns = 0;
  // total_ns × the share of the slice's SMs that the grid keeps busy, averaged over its waves; see docs/metrics.md.
  uint64_t sm_weighted_ns = 0;
  QuantileSketch duration;
  bool uses_tensor_cores = false;  // by its name: an estimate
  uint32_t registers_per_thread = 0;
  uint64_t largest_grid_blocks = 0;
};

// Device memory, as allocations and releases tell.
struct MemoryUse {
  uint64_t peak_bytes = 0;  // of all processes on the slice together
  uint64_t peak_ns = 0;     // when
  uint64_t live_at_end_bytes = 0;
  uint64_t allocations = 0;
  uint64_t releases = 0;
  uint64_t unknown_releases =
      0;  // of memory whose allocation is not in the trace: the numbers above are then too small
  std::vector<uint64_t> live_bytes;  // largest in each bin of the timeline
};

// A quantity that NVML or its GPM counters said from time to time while the slice was in use.
struct CounterSeries {
  std::string name;    // "memory_used", "sm_utilization", "sm_occupancy", "tensor_utilization", …: docs/metrics.md
  std::string unit;    // "bytes", "percent"
  std::string source;  // "NVML", "NVML GPM"
  uint64_t samples = 0;
  double mean = 0;
  double smallest = 0;
  double largest = 0;
  std::vector<std::optional<double>> bins;  // mean in each bin of the timeline; none where there was no sample
  // Why it is not to be trusted ("above 100 %", "disagrees with measured time", …); empty when nothing is wrong with
  // it. Values are shown as they came.
  std::string doubt;
};

struct SliceMetrics {
  uint64_t kernel_busy_ns = 0;  // union of kernels, without copies and memsets
  // Sum over kernels of their time × the share of the slice's SMs they keep busy. Kernels that run side by side add up,
  // so that it may exceed kernel_busy_ns.
  uint64_t sm_weighted_ns = 0;
  uint64_t sm_unknown_ns = 0;  // kernel time that is not in it: grid or SM count unknown, graphs recorded as a whole
  uint64_t tensor_ns = 0;      // kernel time in kernels that use Tensor Cores, judged by name: an estimate
  std::array<Totals, kCopyDirections> copies{};
  QuantileSketch kernel_duration;               // ns
  QuantileSketch launch_latency;                // ns from the launching call's entry to the kernel's start
  std::array<uint64_t, kIdleCauses> idle_ns{};  // adds up to recorded_ns() - busy_ns
  Timeline timeline;
  std::vector<KernelUse> kernels;  // longest first
  MemoryUse memory;
  std::vector<CounterSeries> counters;
};

}  // namespace migprof::analyze
