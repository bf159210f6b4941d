// SPDX-License-Identifier: Apache-2.0
// What sampling NVML's counters costs, in whole recorded processes: CPU time of the samples, as the recorder measures
// it on its own thread.
#include <cstdio>
#include <filesystem>
#include <string>

#include "libmigprof/analyze/trace_scan.h"
#include "tests/bench/child.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

namespace fs = std::filesystem;

struct Cost {
  uint64_t samples = 0;
  uint64_t counter_cpu_ns = 0;
  uint64_t drain_cpu_ns = 0;
  double seconds = 0;
};

// A training loop of some seconds on the real clock, sampled every `period` milliseconds.
Cost Record(const std::string& period) {
  const fs::path folder = fs::temp_directory_path() / "migprof-bench-counters";
  fs::remove_all(folder);
  const ChildResult child =
      RunChild({BuiltFile("bin/training_loop"), "--steps", "600"}, {{"LD_LIBRARY_PATH", BuiltFile("lib/simgpu")},
                                                                    {"LD_PRELOAD", BuiltFile("lib/libmigprof.so")},
                                                                    {"CUDA_VISIBLE_DEVICES", "0"},
                                                                    {"SIMGPU_CLOCK", "real"},
                                                                    {"MIGPROF_COUNTERS", period},
                                                                    {"MIGPROF_OUTPUT", folder.string()}});
  Cost cost;
  cost.seconds = child.seconds;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto scan = analyze::ScanTrace(entry.path().string());
    if (!scan.ok()) continue;
    const auto counter = [&](const char* name) {
      const auto found = scan->counters.find(name);
      return found != scan->counters.end() ? found->second : 0;
    };
    cost.samples = counter("process.counter_samples");
    cost.counter_cpu_ns = counter("process.counter_cpu_ns");
    cost.drain_cpu_ns = counter("process.drain_cpu_ns");
  }
  fs::remove_all(folder);
  return cost;
}

void Print(const char* name, const Cost& cost) {
  std::printf("%-8s %6.2f s, %4llu samples, their CPU time %8.3f ms, the drain thread's %8.1f ms\n", name, cost.seconds,
              static_cast<unsigned long long>(cost.samples), static_cast<double>(cost.counter_cpu_ns) / 1e6,
              static_cast<double>(cost.drain_cpu_ns) / 1e6);
}

}  // namespace

void BenchCounters(Figures* figures) {
  std::printf(
      "\n== counters: NVML's counters of one slice, sampled while a training loop runs; the NVML is the simulated\n"
      "   one, so this is migprof's share and not the driver's\n");
  Print("off", Record("off"));
  const Cost slow = Record("1000");
  Print("1 Hz", slow);
  const Cost fast = Record("100");
  Print("10 Hz", fast);
  // The opening, which is in the first sample, counts as well.
  const double seconds = slow.seconds > 0 ? slow.seconds : 1;
  figures->Add("counters_1hz_core_share_simulated", static_cast<double>(slow.counter_cpu_ns) / seconds / 1e7, "%");
  if (fast.samples == 0) return;
  figures->Add("counters_sample_us_simulated",
               static_cast<double>(fast.counter_cpu_ns) / 1e3 / static_cast<double>(fast.samples), "us");
}

}  // namespace migprof::bench
