// SPDX-License-Identifier: Apache-2.0
// The metrics of a slice, from trace files.
#include "libmigprof/analyze/slice_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "absl/strings/str_join.h"
#include "libmigprof/analyze/analysis.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using format::AllocationOperation;
using format::CallClass;
using testing::ElementsAre;
using testing::Pair;
using testing_support::TraceBuilder;

const std::map<std::string, std::string> kHopperSlice = {
    {"compute_major", "9"}, {"compute_minor", "0"}, {"sm_count", "16"}};

class SliceMeterTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("slice_meter_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / (name + ".migtrace")).string(); }
  Analysis Analyze(const AnalysisOptions& options = {}) const { return AnalyzeTraces({folder_.string()}, options); }
  SliceMetrics OnlyMetrics() const {
    Analysis analysis = Analyze();
    EXPECT_EQ(analysis.profile.slices.size(), 1u);
    return analysis.profile.slices.at(0).metrics;
  }

  fs::path folder_;
};

std::map<std::string, std::pair<uint64_t, uint64_t>> MemoryStacks(const Profile& profile, const SliceProfile& slice) {
  std::map<std::string, std::pair<uint64_t, uint64_t>> stacks;
  const auto& nodes = slice.memory.nodes();
  for (NodeId id = 0; id < nodes.size(); ++id) {
    if (nodes[id].self_count == 0) continue;
    std::vector<std::string> names;
    for (NodeId node = id; node != 0; node = nodes[node].parent) {
      names.push_back(profile.frames[nodes[node].frame].name);
    }
    std::reverse(names.begin(), names.end());
    stacks[absl::StrJoin(names, ";")] = {nodes[id].self_ns, nodes[id].self_count};
  }
  return stacks;
}

TEST_F(SliceMeterTest, KernelsAreWeightedByTheSmsTheyKeepBusy) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice(kHopperSlice);
  const uint64_t small = trace.Shape("small", {.grid = 4, .block = 256, .registers = 32});
  const uint64_t large = trace.Shape("large", {.grid = 1280, .block = 256, .registers = 40});
  const uint64_t odd = trace.Shape("odd", {.grid = 1, .block = 4096});
  trace.Kernel({.correlation = 1, .start_ns = 10'000, .duration_ns = 1000, .shape = small});
  trace.Kernel({.correlation = 2, .start_ns = 20'000, .duration_ns = 2000, .shape = large});
  trace.Kernel({.correlation = 3, .start_ns = 30'000, .duration_ns = 500, .shape = odd});
  trace.GraphRun({.correlation = 4, .start_ns = 40'000, .duration_ns = 70});
  trace.Close();
  const SliceMetrics metrics = OnlyMetrics();
  EXPECT_EQ(metrics.sm_weighted_ns, 1000u * 4 / 16 + 2000u);
  EXPECT_EQ(metrics.sm_unknown_ns, 570u);
  EXPECT_EQ(metrics.kernel_busy_ns, 3500u);
  ASSERT_EQ(metrics.kernels.size(), 3u);
  EXPECT_EQ(metrics.kernels[0].name, "large");
  EXPECT_EQ(metrics.kernels[0].sm_weighted_ns, 2000u);
  EXPECT_EQ(metrics.kernels[0].registers_per_thread, 40u);
  EXPECT_EQ(metrics.kernels[0].largest_grid_blocks, 1280u);
  EXPECT_EQ(metrics.kernels[1].sm_weighted_ns, 250u);
}

TEST_F(SliceMeterTest, UnknownCapabilityOrSmCount_MakesTheWeightUnknown) {
  for (const auto& [key, value] : std::map<std::string, std::string>{{"compute_major", "3"}, {"sm_count", "0"}}) {
    SetUp();
    TraceBuilder trace(Path("a"));
    trace.Process();
    auto facts = kHopperSlice;
    facts[key] = value;
    trace.Slice(facts);
    const uint64_t shape = trace.Shape("k", {.grid = 4, .block = 256});
    trace.Kernel({.correlation = 1, .start_ns = 10'000, .duration_ns = 1000, .shape = shape});
    trace.Close();
    EXPECT_EQ(OnlyMetrics().sm_weighted_ns, 0u) << key;
    EXPECT_EQ(OnlyMetrics().sm_unknown_ns, 1000u) << key;
  }
}

TEST_F(SliceMeterTest, OneKernelOfTwoProcessesAndShapes_IsOne) {
  for (const std::string name : {"a", "b"}) {
    TraceBuilder trace(Path(name));
    trace.Process({{"pid", name == "a" ? "1" : "2"}});
    trace.Slice(kHopperSlice);
    const uint64_t one = trace.Shape("_Z9hmma_gemmPf", {.grid = 16, .block = 256, .registers = 30});
    const uint64_t two = trace.Shape("_Z9hmma_gemmPf", {.grid = 8, .block = 256, .registers = 50});
    trace.Kernel({.correlation = 1, .start_ns = 10'000, .duration_ns = 40, .shape = one});
    trace.Kernel({.correlation = 2, .start_ns = 20'000, .duration_ns = 60, .shape = two});
    trace.Kernel({.correlation = 3, .start_ns = 0, .duration_ns = 0, .shape = two, .flags = format::kActivityUntimed});
    trace.Close();
  }
  const SliceMetrics metrics = OnlyMetrics();
  ASSERT_EQ(metrics.kernels.size(), 1u);
  const KernelUse& use = metrics.kernels[0];
  EXPECT_EQ(use.full_name, "hmma_gemm(float*)");
  EXPECT_EQ(use.count, 6u);
  EXPECT_EQ(use.total_ns, 200u);
  EXPECT_EQ(use.sm_weighted_ns, 2u * (40 + 30));
  EXPECT_EQ(use.duration.count(), 4u);
  EXPECT_EQ(use.duration.Quantile(0.5), 40u);
  EXPECT_EQ(use.duration.Quantile(1), 60u);
  EXPECT_EQ(use.registers_per_thread, 50u);
  EXPECT_EQ(use.largest_grid_blocks, 16u);
  EXPECT_TRUE(use.uses_tensor_cores);
  EXPECT_EQ(metrics.tensor_ns, 200u);
  EXPECT_EQ(metrics.kernel_busy_ns, 60u + 40u);  // both at the same times
  EXPECT_EQ(metrics.kernel_duration.count(), 4u);
}

TEST_F(SliceMeterTest, Latency_IsFromTheCallToTheKernel_ButNotInGraphs) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice(kHopperSlice);
  const uint64_t shape = trace.Shape("k");
  trace.Call({.correlation = 1, .time_ns = 10'000});
  trace.Kernel({.correlation = 1, .start_ns = 10'050, .duration_ns = 40, .shape = shape});
  trace.Call({.correlation = 2, .time_ns = 20'000});
  trace.Kernel({.correlation = 2, .start_ns = 19'990, .duration_ns = 40, .shape = shape});  // clocks apart: 0
  trace.Call({.correlation = 3, .time_ns = 30'000, .call_class = CallClass::kGraphLaunch});
  trace.Kernel({.correlation = 3, .start_ns = 30'500, .duration_ns = 40, .shape = shape, .graph_node = 9});
  trace.Kernel({.correlation = 4, .start_ns = 40'000, .duration_ns = 40, .shape = shape});  // its call is not there
  trace.Close();
  const SliceMetrics metrics = OnlyMetrics();
  EXPECT_EQ(metrics.launch_latency.count(), 2u);
  EXPECT_EQ(metrics.launch_latency.Quantile(0), 0u);
  EXPECT_EQ(metrics.launch_latency.Quantile(1), 50u);
  EXPECT_EQ(metrics.kernel_duration.count(), 4u);
}

TEST_F(SliceMeterTest, CopiesGoByDirection_MemsetsAreNone) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice(kHopperSlice);
  uint64_t time = 10'000;
  for (const uint64_t what : {1, 3, 2, 4, 8, 5, 10, 9, 0, 64}) {
    trace.Transfer({.correlation = 1, .start_ns = time, .duration_ns = 10, .bytes = 100, .what = what});
    time += 1000;
  }
  trace.Transfer({.correlation = 1, .bytes = 7, .what = 1, .flags = format::kActivityUntimed});
  trace.Close();
  const SliceMetrics metrics = OnlyMetrics();
  const auto of = [&](CopyDirection direction) {
    const Totals& totals = metrics.copies[static_cast<size_t>(direction)];
    return std::tuple(totals.count, totals.total_ns, totals.bytes);
  };
  EXPECT_EQ(of(CopyDirection::kHostToDevice), std::tuple(3u, 20u, 207u));
  EXPECT_EQ(of(CopyDirection::kDeviceToHost), std::tuple(2u, 20u, 200u));
  EXPECT_EQ(of(CopyDirection::kDeviceToDevice), std::tuple(2u, 20u, 200u));
  EXPECT_EQ(of(CopyDirection::kPeerToPeer), std::tuple(1u, 10u, 100u));
  EXPECT_EQ(of(CopyDirection::kOther), std::tuple(2u, 20u, 200u));
  EXPECT_EQ(metrics.kernel_busy_ns, 0u);
  uint64_t busy = 0;
  for (const Timeline::Bin& bin : metrics.timeline.bins) busy += bin.busy_ns;
  EXPECT_EQ(busy, 100u);
}

TEST_F(SliceMeterTest, Memory_IsJoinedToWhatAllocatedIt_OverAllProcesses) {
  for (const std::string name : {"a", "b"}) {
    const uint64_t later = name == "a" ? 0 : 10;
    TraceBuilder trace(Path(name));
    trace.Process({{"pid", name == "a" ? "1" : "2"}, {"process_name", name}});
    trace.Slice(kHopperSlice);
    const uint64_t app = trace.Module("/usr/bin/app");
    const uint64_t stack = trace.Stack({trace.Frame("main", app, 64), trace.Frame("load", app, 128)});
    const uint64_t api = trace.String("cuMemAlloc_v2");
    trace.Call(
        {.correlation = 1, .time_ns = 1000, .stack_node = stack, .api = api, .call_class = CallClass::kAllocate});
    trace.Allocation({.correlation = 1, .time_ns = 1001 + later, .address = 0x1000, .bytes = 100});
    trace.Call(
        {.correlation = 2, .time_ns = 1100, .stack_node = stack, .api = api, .call_class = CallClass::kAllocate});
    trace.Allocation({.correlation = 2, .time_ns = 1101 + later, .address = 0x2000, .bytes = 30});
    trace.Allocation({.correlation = 9, .time_ns = 1102 + later, .address = 0x3000, .bytes = 5});
    trace.Allocation({.correlation = 9, .time_ns = 1103, .address = 0x4000, .bytes = 999, .memory = 2});  // the host's
    trace.Flush();
    trace.Allocation({.correlation = 3,
                      .time_ns = 2000 + later,
                      .address = 0x1000,
                      .bytes = 100,
                      .operation = AllocationOperation::kRelease});
    trace.Call({.correlation = 4, .time_ns = 5000});
    trace.Kernel({.correlation = 4, .start_ns = 5000, .duration_ns = 10, .shape = trace.Shape("k")});
    trace.Close();
  }
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  EXPECT_EQ(slice.metrics.memory.peak_bytes, 270u);
  EXPECT_EQ(slice.metrics.memory.peak_ns, 1112u);
  EXPECT_EQ(slice.metrics.memory.allocations, 6u);
  EXPECT_EQ(slice.metrics.memory.releases, 2u);
  EXPECT_EQ(slice.metrics.memory.unknown_releases, 0u);
  EXPECT_EQ(slice.metrics.memory.live_at_end_bytes, 70u);
  EXPECT_EQ(slice.health.launches, 2u);  // allocating calls give the GPU no work
  EXPECT_THAT(
      MemoryStacks(analysis.profile, slice),
      ElementsAre(Pair("a (1);[unknown launch]", Pair(5, 1)), Pair("a (1);main;load;cuMemAlloc_v2", Pair(130, 2)),
                  Pair("b (2);[unknown launch]", Pair(5, 1)), Pair("b (2);main;load;cuMemAlloc_v2", Pair(130, 2))));
}

TEST_F(SliceMeterTest, WithoutMetrics_StacksAndBusyTimeStayTheSame) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice(kHopperSlice);
  trace.Call({.correlation = 1, .time_ns = 10'000});
  trace.Kernel({.correlation = 1, .start_ns = 10'050, .duration_ns = 40, .shape = trace.Shape("k")});
  trace.Close();
  const Analysis with = Analyze();
  AnalysisOptions options;
  options.metrics = false;
  const Analysis without = Analyze(options);
  EXPECT_EQ(with.profile.slices.at(0).stacks.nodes().size(), without.profile.slices.at(0).stacks.nodes().size());
  EXPECT_EQ(with.profile.slices.at(0).busy_ns, 40u);
  EXPECT_EQ(without.profile.slices.at(0).busy_ns, 40u);
  EXPECT_TRUE(without.profile.slices.at(0).metrics.kernels.empty());
}

}  // namespace
}  // namespace migprof::analyze
