// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "libmigprof/analyze/analysis.h"
#include "tests/bench/child.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

namespace fs = std::filesystem;

// What launch_storm says of itself.
struct Storm {
  uint64_t launches = 0;
  double median_ns = 0;
  double p999_ns = 0;
  double max_ns = 0;
};

std::optional<Storm> RunStorm(const std::string& seconds, const fs::path& folder, bool recorded) {
  const fs::path result = folder / "result";
  std::vector<std::pair<std::string, std::string>> environment = {{"LD_LIBRARY_PATH", BuiltFile("lib/simgpu")}};
  if (recorded) {
    environment.emplace_back("CUDA_INJECTION64_PATH", BuiltFile("lib/libmigprof.so"));
    environment.emplace_back("MIGPROF_OUTPUT", (folder / "traces").string());
  }
  const ChildResult run = RunChild({BuiltFile("bin/launch_storm"), seconds, "2", result.string()}, environment);
  Storm storm;
  std::ifstream file(result);
  if (run.status != 0 || !(file >> storm.launches >> storm.median_ns >> storm.p999_ns >> storm.max_ns)) return {};
  std::printf("%-9s %9.0f launches/s; a launch takes %5.0f ns, 999 of 1000 at most %6.0f ns, the slowest %9.0f ns\n",
              recorded ? "recorded" : "plain", static_cast<double>(storm.launches) / std::atof(seconds.c_str()),
              storm.median_ns, storm.p999_ns, storm.max_ns);
  return storm;
}

}  // namespace

void BenchStorm(Figures* figures) {
  const char* const asked = std::getenv("STORM_SECONDS");
  const std::string seconds = asked != nullptr ? asked : "5";
  std::printf("\n== storm: two threads that launch without a pause for %s s on the simulated GPU\n", seconds.c_str());
  const fs::path folder = fs::temp_directory_path() / ("migprof-bench-storm-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::optional<Storm> plain = RunStorm(seconds, folder, false);
  const std::optional<Storm> recorded = RunStorm(seconds, folder, true);
  uint64_t launches = 0;
  uint64_t matched = 0;
  uint64_t dropped = 0;
  if (recorded) {
    const analyze::Analysis analysis = analyze::AnalyzeTraces({(folder / "traces").string()}, {});
    for (const analyze::SliceProfile& slice : analysis.profile.slices) {
      launches += slice.health.launches;
      matched += slice.health.matched;
      dropped += slice.health.dropped;
    }
  }
  fs::remove_all(folder);
  if (!plain || !recorded) {
    std::printf("the storm did not run: no figure\n");
    return;
  }
  // Every launch is in the trace or missing from it, and what the recorder counted as dropped says how many are.
  const uint64_t missing_calls = recorded->launches - launches;
  std::printf(
      "%llu launches, %llu in the trace, %llu of them with their kernel; counted as dropped, calls and kernels: "
      "%llu\n",
      static_cast<unsigned long long>(recorded->launches), static_cast<unsigned long long>(launches),
      static_cast<unsigned long long>(matched), static_cast<unsigned long long>(dropped));
  figures->Add("storm_launches_per_second", static_cast<double>(recorded->launches) / std::atof(seconds.c_str()),
               "1/s");
  figures->Add("storm_ring_drops", static_cast<double>(missing_calls), "launches");
  figures->Add("storm_dropped_ppm", 1e6 * static_cast<double>(missing_calls) / static_cast<double>(recorded->launches),
               "ppm");
  figures->Add("storm_added_median_ns", recorded->median_ns - plain->median_ns, "ns");
  figures->Add("storm_added_p999_ns", recorded->p999_ns - plain->p999_ns, "ns");
  figures->Add("storm_added_max_us", (recorded->max_ns - plain->max_ns) / 1000, "us");
}

}  // namespace migprof::bench
