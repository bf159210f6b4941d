// SPDX-License-Identifier: Apache-2.0
// Traces that are made up, and what an analysis of them shows.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "libmigprof/analyze/analysis.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {

namespace fs = std::filesystem;

class AnalysisTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("analysis_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / (name + ".migtrace")).string(); }
  Analysis Analyze(const AnalysisOptions& options = {}) const { return AnalyzeTraces({folder_.string()}, options); }

  // One process on one slice: main -> work -> cuLaunchKernel -> kernel "axpy", `kernels` times 100 ns, every 1000 ns.
  void WriteSimple(const std::string& name, const std::map<std::string, std::string>& process = {},
                   const std::map<std::string, std::string>& slice = {}, uint64_t kernels = 3,
                   uint64_t start = 10'000) {
    testing_support::TraceBuilder trace(Path(name));
    trace.Process(process);
    trace.Slice(slice);
    const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
    const uint64_t cuda = trace.Module("/lib/libcuda.so.1");
    const uint64_t stack = trace.Stack({trace.Frame("main", app, 0x2000), trace.Frame("work", app, 0x3000),
                                        trace.Frame("cuLaunchKernel", cuda, 0x9000)});
    const uint64_t shape = trace.Shape("_ZN2nn4geluINS_4Bf16EEEvPT_i");
    for (uint64_t i = 0; i < kernels; ++i) {
      trace.Call({.correlation = i + 1,
                  .time_ns = start + i * 1000 - 500,
                  .stack_node = stack,
                  .api = trace.String("cuLaunchKernel")});
      trace.Kernel({.correlation = i + 1, .start_ns = start + i * 1000, .duration_ns = 100, .shape = shape});
    }
    trace.Close();
  }

  fs::path folder_;
};

// Every stack of a slice as "frame;frame;… -> ns", names as shown.
inline std::map<std::string, uint64_t> Stacks(const Profile& profile, const SliceProfile& slice) {
  std::map<std::string, uint64_t> stacks;
  const auto& nodes = slice.stacks.nodes();
  for (NodeId id = 0; id < nodes.size(); ++id) {
    if (nodes[id].self_count == 0) continue;
    std::vector<std::string> names;
    for (NodeId node = id; node != 0; node = nodes[node].parent)
      names.push_back(profile.frames[nodes[node].frame].name);
    std::reverse(names.begin(), names.end());
    stacks[absl::StrJoin(names, ";")] += nodes[id].self_ns;
  }
  return stacks;
}

}  // namespace migprof::analyze
