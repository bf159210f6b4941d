// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "libmigprof/analyze/analysis.h"
#include "tests/bench/child.h"
#include "tests/bench/figures.h"

namespace migprof::bench {

namespace fs = std::filesystem;

void BenchTrace(Figures* figures) {
  std::printf("\n== trace: bytes of trace per launch and its kernel, training workload on the simulated GPU\n");
  const fs::path folder = fs::temp_directory_path() / ("migprof-bench-trace-" + std::to_string(getpid()));
  const ChildResult run = RunChild({BuiltFile("bin/training_loop"), "--steps", "400", "--layers", "24"},
                                   {{"CUDA_INJECTION64_PATH", BuiltFile("lib/libmigprof.so")},
                                    {"LD_LIBRARY_PATH", BuiltFile("lib/simgpu")},
                                    // Real time, so that at least the times of calls jitter. The GPU's are modelled
                                    // and do not: trace_bytes_per_pair_jittered of "merge" has both.
                                    {"SIMGPU_CLOCK", "real"},
                                    {"MIGPROF_OUTPUT", folder.string()}});
  if (run.status != 0) {
    std::printf("the workload did not run (status %d): no figure\n", run.status);
    return;
  }
  const analyze::Analysis analysis = analyze::AnalyzeTraces({folder.string()}, {});
  uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) bytes += entry.file_size();
  uint64_t pairs = 0;
  for (const analyze::SliceProfile& slice : analysis.profile.slices) pairs += slice.health.matched;
  fs::remove_all(folder);
  std::printf("%llu bytes, %llu launches with their activity\n", static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(pairs));
  figures->Add("trace_bytes_per_pair", static_cast<double>(bytes) / static_cast<double>(pairs), "B");
}

}  // namespace migprof::bench
