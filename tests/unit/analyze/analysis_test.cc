// SPDX-License-Identifier: Apache-2.0
// Which slices, processes and losses an analysis tells of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "libmigprof/analyze/analysis.h"
#include "tests/unit/analyze/analysis_fixture.h"

namespace migprof::analyze {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;
using testing_support::TraceBuilder;

TEST_F(AnalysisTest, OneProcess_BecomesOneSliceWithItsStack) {
  WriteSimple("a");
  const Analysis analysis = Analyze();
  EXPECT_EQ(analysis.files_read, 1u);
  EXPECT_TRUE(analysis.problems.empty());
  ASSERT_EQ(analysis.profile.slices.size(), 1u);
  const SliceProfile& slice = analysis.profile.slices[0];
  EXPECT_EQ(slice.host, "node1");
  EXPECT_EQ(slice.identity.profile, "1g.10gb");
  EXPECT_EQ(slice.identity.gpu_instance_id, 7u);
  EXPECT_EQ(slice.kernels.count, 3u);
  EXPECT_EQ(slice.kernels.total_ns, 300u);
  EXPECT_EQ(slice.busy_ns, 300u);
  EXPECT_EQ(slice.first_ns, 9'500u);
  EXPECT_EQ(slice.window_ns, 2'600u);
  EXPECT_EQ(slice.health.launches, 3u);
  EXPECT_EQ(slice.health.matched, 3u);
  EXPECT_FALSE(HasLoss(slice.health));
  EXPECT_THAT(Stacks(analysis.profile, slice),
              ElementsAre(Pair("app (100);main;work;cuLaunchKernel;nn::gelu<nn::Bf16>", 300u)));
  EXPECT_FALSE(analysis.profile.simulated);
}

TEST_F(AnalysisTest, ProcessesOfOneSlice_ShareItAndAreTold) {
  WriteSimple("a", {{"pid", "100"}});
  WriteSimple("b", {{"pid", "200"}}, {}, 3, 10'050);  // overlaps by half
  const Analysis analysis = Analyze();
  ASSERT_EQ(analysis.profile.slices.size(), 1u);
  const SliceProfile& slice = analysis.profile.slices[0];
  EXPECT_EQ(slice.kernels.total_ns, 600u);
  EXPECT_EQ(slice.busy_ns, 450u) << "the union, not the sum";
  ASSERT_EQ(slice.processes.size(), 2u);
  EXPECT_EQ(slice.processes[0].pid, 100u);
  EXPECT_EQ(slice.processes[1].gpu_ns, 300u);
  EXPECT_EQ(Stacks(analysis.profile, slice).size(), 2u);
}

TEST_F(AnalysisTest, DifferentSlices_StayApart) {
  WriteSimple("a");
  WriteSimple("b", {}, {{"mig_uuid", "MIG-33333333-3333-3333-3333-333333333333"}, {"gpu_instance_id", "9"}});
  WriteSimple("c", {{"host", "node2"}, {"boot_id", "other"}});
  // The same UUID again with another profile: the card was partitioned anew.
  WriteSimple("d", {}, {{"profile", "2g.20gb"}, {"sm_count", "32"}});
  WriteSimple("e", {}, {{"mig_uuid", ""}, {"profile", ""}});
  const Analysis analysis = Analyze();
  EXPECT_EQ(analysis.profile.slices.size(), 5u);
  for (const SliceProfile& slice : analysis.profile.slices) EXPECT_EQ(slice.kernels.total_ns, 300u);
}

TEST_F(AnalysisTest, SlicesOfOneNameAndUuid_AreToldApart) {
  WriteSimple("a");
  WriteSimple("b", {}, {{"sm_count", "26"}});
  const auto slice_name = [](const SliceProfile& slice) { return SlicePath(slice)[2].name; };
  const Analysis by_sms = Analyze();
  ASSERT_EQ(by_sms.profile.slices.size(), 2u);
  EXPECT_EQ(slice_name(by_sms.profile.slices[0]), "MIG 1g.10gb GI 7 CI 0 (MIG-22222222), 16 SMs");
  EXPECT_EQ(slice_name(by_sms.profile.slices[1]), "MIG 1g.10gb GI 7 CI 0 (MIG-22222222), 26 SMs");
  WriteSimple("c", {{"boot_id", "later"}});
  const Analysis by_number = Analyze();
  ASSERT_EQ(by_number.profile.slices.size(), 3u);
  EXPECT_EQ(slice_name(by_number.profile.slices[2]), "MIG 1g.10gb GI 7 CI 0 (MIG-22222222), #3");
}

TEST_F(AnalysisTest, InstanceIdsFromOneProcess_ServeTheOthers) {
  WriteSimple("a", {{"pid", "1"}}, {{"gpu_instance_id", ""}, {"compute_instance_id", ""}, {"gpu_uuid", ""}});
  WriteSimple("b", {{"pid", "2"}});
  const Analysis analysis = Analyze();
  ASSERT_EQ(analysis.profile.slices.size(), 1u);
  EXPECT_EQ(analysis.profile.slices[0].identity.gpu_uuid, "GPU-11111111-1111-1111-1111-111111111111");
}

TEST_F(AnalysisTest, OrderOfInputs_MakesNoDifference) {
  for (int i = 0; i < 6; ++i) {
    WriteSimple("t" + std::to_string(i), {{"pid", std::to_string(10 - i)}}, {}, 5 + i, 10'000 + i * 37);
  }
  std::vector<std::string> files = FindTraces({folder_.string()}, nullptr);
  const Analysis forward = AnalyzeTraces(files, {});
  std::reverse(files.begin(), files.end());
  const Analysis backward = AnalyzeTraces(files, {.view = {}, .threads = 1, .progress = nullptr});
  ASSERT_EQ(forward.profile.slices.size(), backward.profile.slices.size());
  EXPECT_EQ(forward.profile.slices[0].busy_ns, backward.profile.slices[0].busy_ns);
  EXPECT_EQ(Stacks(forward.profile, forward.profile.slices[0]), Stacks(backward.profile, backward.profile.slices[0]));
}

TEST_F(AnalysisTest, SameFileTwice_CountsOnce) {
  WriteSimple("a");
  const Analysis analysis = AnalyzeTraces({Path("a"), folder_.string(), Path("a")}, {});
  EXPECT_EQ(analysis.files_read, 1u);
  EXPECT_EQ(analysis.profile.slices[0].kernels.count, 3u);
}

TEST_F(AnalysisTest, FileAndFolderTwice_InDifferentSpellings_CountOnce) {
  WriteSimple("a");
  const std::string dotted = (folder_ / "." / "a.migtrace").string();
  const Analysis analysis = AnalyzeTraces({Path("a"), dotted}, {});
  EXPECT_EQ(analysis.files_read, 1u);
}

TEST_F(AnalysisTest, LossesOfEveryKind_AreCounted) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t app = trace.Module("/usr/bin/app");
  const uint64_t stack = trace.Stack({trace.Frame("main", app, 0x2000)});
  const uint64_t shape = trace.Shape("axpy");
  const uint64_t api = trace.String("cuLaunchKernel");
  for (uint64_t i = 1; i <= 6; ++i) trace.Call({.correlation = i, .time_ns = 100 * i, .stack_node = stack, .api = api});
  trace.Call({.correlation = 7, .time_ns = 700, .api = api, .flags = format::kCallStackMissing});
  trace.Call({.correlation = 8, .time_ns = 800, .stack_node = stack, .api = api, .flags = format::kCallStackTruncated});
  trace.Call({.correlation = 9,
              .time_ns = 900,
              .stack_node = stack,
              .api = api,
              .call_class = format::CallClass::kSynchronize});
  trace.Outcome(2, format::CallOutcome::kFailed);
  trace.Outcome(3, format::CallOutcome::kCaptured);
  trace.Lost(11);
  trace.Kernel({.correlation = 1, .start_ns = 1000, .duration_ns = 50, .shape = shape});
  trace.Kernel({.correlation = 4, .shape = shape, .flags = format::kActivityUntimed});
  trace.Kernel({.correlation = 7, .start_ns = 1100, .duration_ns = 50, .shape = shape});
  trace.Kernel({.correlation = 8, .start_ns = 1200, .duration_ns = 50, .shape = shape});
  trace.Kernel({.correlation = 999, .start_ns = 1300, .duration_ns = 50, .shape = shape});
  trace.Flush();  // no trailer: killed
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  const Health& health = slice.health;
  EXPECT_EQ(health.launches, 8u);
  EXPECT_EQ(health.matched, 4u);
  EXPECT_EQ(health.unmatched, 2u);
  EXPECT_EQ(health.failed, 1u);
  EXPECT_EQ(health.captured, 1u);
  EXPECT_EQ(health.launches, health.matched + health.unmatched + health.failed + health.captured);
  EXPECT_EQ(health.untimed, 1u);
  EXPECT_EQ(health.orphaned, 1u);
  EXPECT_EQ(health.stackless, 1u);
  EXPECT_EQ(health.truncated, 1u);
  EXPECT_EQ(health.dropped, 11u);
  EXPECT_TRUE(health.killed);
  EXPECT_TRUE(HasLoss(health));
  EXPECT_EQ(slice.kernels.count, 5u);
  EXPECT_THAT(Stacks(analysis.profile, slice),
              UnorderedElementsAre(Pair("app (100);main;cuLaunchKernel;axpy", 100u),
                                   Pair("app (100);[stack not recorded];cuLaunchKernel;axpy", 50u),
                                   Pair("app (100);[unknown launch];axpy", 50u)));
}

TEST_F(AnalysisTest, GraphKernels_StandBelowTheirLaunch) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t stack = trace.Stack({trace.Frame("Replay", trace.Module("/usr/bin/app"), 0x2000)});
  trace.Call({.correlation = 5,
              .time_ns = 10,
              .stack_node = stack,
              .api = trace.String("cuGraphLaunch"),
              .call_class = format::CallClass::kGraphLaunch});
  for (uint64_t i = 0; i < 10; ++i) {
    trace.Kernel({.correlation = 5,
                  .start_ns = 100 + i * 10,
                  .duration_ns = 10,
                  .shape = trace.Shape("k" + std::to_string(i % 2))});
  }
  trace.Close();
  const Analysis analysis = Analyze();
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              UnorderedElementsAre(Pair("app (100);Replay;cuGraphLaunch;[CUDA graph];k0", 50u),
                                   Pair("app (100);Replay;cuGraphLaunch;[CUDA graph];k1", 50u)));
  EXPECT_EQ(analysis.profile.slices[0].graph_launches, 1u);
  EXPECT_EQ(analysis.profile.slices[0].health.matched, 1u);
  EXPECT_EQ(analysis.profile.slices[0].health.orphaned, 0u);
}

TEST_F(AnalysisTest, WholeGraphLaunches_AreGraphTimeAndNoKernels) {
  TraceBuilder trace(Path("a"));
  trace.Process({{"graphs", "graph"}});
  trace.Slice();
  trace.Call({.correlation = 3,
              .time_ns = 40,
              .api = trace.String("cuGraphLaunch"),
              .call_class = format::CallClass::kGraphLaunch});
  trace.GraphRun({.correlation = 3, .start_ns = 1000, .duration_ns = 500});
  trace.Close();
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  EXPECT_THAT(Stacks(analysis.profile, slice),
              ElementsAre(Pair("app (100);[stack not recorded];cuGraphLaunch;[CUDA graph];graph launch", 500u)));
  EXPECT_EQ(slice.kernels.count, 0u);
  EXPECT_EQ(slice.graph_runs.count, 1u);
  EXPECT_EQ(slice.busy_ns, 500u);
  EXPECT_EQ(slice.processes[0].gpu_ns, 500u);
  EXPECT_EQ(slice.health.matched, 1u);
}

TEST_F(AnalysisTest, Copies_AreToldByDirection) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  trace.Call(
      {.correlation = 1, .time_ns = 10, .api = trace.String("cuMemcpyHtoD"), .call_class = format::CallClass::kMemcpy});
  trace.Call(
      {.correlation = 2, .time_ns = 20, .api = trace.String("cuMemsetD8"), .call_class = format::CallClass::kMemset});
  trace.Transfer({.correlation = 1, .start_ns = 100, .duration_ns = 40, .bytes = 4096, .what = 1});
  trace.Transfer({.correlation = 2, .start_ns = 120, .duration_ns = 40, .bytes = 512, .what = format::kMemset});
  trace.Close();
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  EXPECT_EQ(slice.memcpys.count, 1u);
  EXPECT_EQ(slice.memcpys.bytes, 4096u);
  EXPECT_EQ(slice.memsets.bytes, 512u);
  EXPECT_EQ(slice.busy_ns, 60u);
}

TEST_F(AnalysisTest, BadFiles_AreNamedAndTheRestIsMerged) {
  WriteSimple("good");
  std::ofstream(Path("empty"));
  std::ofstream(Path("foreign")) << std::string(5000, 'x');
  fs::copy_file(Path("good"), Path("newer"));
  std::fstream newer(Path("newer"), std::ios::in | std::ios::out | std::ios::binary);
  newer.seekp(10);
  newer.put(9);
  newer.close();
  WriteSimple("torn", {{"pid", "77"}});
  fs::resize_file(Path("torn"), fs::file_size(Path("good")) - 30);
  fs::create_directory(folder_ / "folder.migtrace");
  const Analysis analysis = AnalyzeTraces({folder_.string(), "/nonexistent.migtrace"}, {});
  EXPECT_EQ(analysis.files_read, 2u);
  EXPECT_EQ(analysis.files_unreadable, 5u);
  std::map<std::string, std::string> problems;
  for (const Problem& problem : analysis.problems) problems[fs::path(problem.path).filename()] = problem.what;
  EXPECT_THAT(problems["empty.migtrace"], HasSubstr("empty"));
  EXPECT_THAT(problems["foreign.migtrace"], HasSubstr("not a migprof trace"));
  EXPECT_THAT(problems["newer.migtrace"], HasSubstr("version 9"));
  EXPECT_THAT(problems["torn.migtrace"], HasSubstr("chunk"));
  EXPECT_THAT(problems["folder.migtrace"], HasSubstr("regular file"));
  EXPECT_THAT(problems["nonexistent.migtrace"], HasSubstr("No such file"));
  ASSERT_EQ(analysis.profile.slices.size(), 1u);
  EXPECT_EQ(analysis.profile.slices[0].kernels.count, 6u);
  EXPECT_GT(analysis.profile.slices[0].health.damaged_bytes, 0u);
  EXPECT_TRUE(analysis.profile.slices[0].health.killed);
}

TEST_F(AnalysisTest, DefinitionsThatContradictThemselves_DoNoHarm) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  // A call of a stack, an API and a kernel that are defined nowhere.
  trace.Call({.correlation = 1, .time_ns = 10, .stack_node = 12345, .api = 999});
  trace.Kernel({.correlation = 1, .start_ns = 20, .duration_ns = 5, .shape = 777});
  trace.Kernel({.correlation = 1, .start_ns = UINT64_MAX - 2, .duration_ns = UINT64_MAX, .shape = 777});
  trace.Call({.correlation = UINT64_MAX, .time_ns = 10, .call_class = static_cast<format::CallClass>(200)});
  trace.Close();
  const Analysis analysis = Analyze();
  EXPECT_EQ(analysis.profile.slices.at(0).kernels.count, 2u);
}

TEST_F(AnalysisTest, StackNodeThatIsItsOwnParent_DoesNotTurnForever) {
  const std::string path = Path("a");
  {
    TraceBuilder trace(path);
    trace.Process();
    trace.Slice();
    trace.StackNode(0, 0, 1);
    trace.StackNode(5, 5, 1);
    trace.StackNode(6, 7, 1);
    trace.StackNode(7, 6, 1);
    for (uint64_t node : {0, 5, 6, 7}) trace.Call({.correlation = node + 1, .time_ns = 10, .stack_node = node});
    for (uint64_t node : {0, 5, 6, 7}) trace.Kernel({.correlation = node + 1, .start_ns = 20, .duration_ns = 5});
    trace.Close();
  }
  EXPECT_EQ(Analyze().profile.slices.at(0).health.matched, 4u);
}

TEST_F(AnalysisTest, Progress_EndsAtTheTotal) {
  WriteSimple("a");
  uint64_t done = 0;
  uint64_t total = 0;
  AnalysisOptions options;
  options.progress = [&](uint64_t now, uint64_t all) { done = now, total = all; };
  Analyze(options);
  EXPECT_GT(total, 0u);
  EXPECT_EQ(done, total);
}

}  // namespace
}  // namespace migprof::analyze
