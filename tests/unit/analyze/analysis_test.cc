// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_join.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;
using testing_support::TraceBuilder;

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
    TraceBuilder trace(Path(name));
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
std::map<std::string, uint64_t> Stacks(const Profile& profile, const SliceProfile& slice) {
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

TEST_F(AnalysisTest, InternalFrames_AreShownOnlyWhenAskedFor) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
  const uint64_t libc = trace.Module("/lib/libc.so.6");
  const uint64_t runtime = trace.Module("/opt/cuda/libcudart.so.13");
  const uint64_t driver = trace.Module("/lib/libcuda.so.1");
  const uint64_t stack =
      trace.Stack({trace.Frame("_start", app, 0x1100), trace.Frame("__libc_start_main", libc, 0x9000),
                   trace.Frame("main", app, 0x2000), trace.Frame("_ZN3App4StepEv", app, 0x2100),
                   trace.Frame("__device_stub__Z4axpyPf", app, 0x2200), trace.Frame("", app, 0x2345),
                   trace.Frame("cudaLaunchKernel", runtime, 0x100), trace.Frame("", runtime, 0x200),
                   trace.Frame("", driver, 0x300), trace.Frame("cuLaunchKernel", driver, 0x400)});
  trace.Call({.correlation = 1, .time_ns = 10, .stack_node = stack, .api = trace.String("cuLaunchKernel")});
  trace.Kernel({.correlation = 1, .start_ns = 20, .duration_ns = 5, .shape = trace.Shape("axpy")});
  trace.Close();
  Analysis analysis = Analyze();
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              ElementsAre(Pair("app (100);main;App::Step;app+0x1344;cudaLaunchKernel;cuLaunchKernel;axpy", 5u)));
  AnalysisOptions options;
  options.view.show_internals = true;
  analysis = Analyze(options);
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              ElementsAre(Pair("app (100);_start;__libc_start_main;main;App::Step;__device_stub__Z4axpyPf;app+0x1344;"
                               "cudaLaunchKernel;libcudart.so.13+0x1ff;libcuda.so.1+0x2ff;cuLaunchKernel;axpy",
                               5u)));
}

// One call in four had its stack taken. What the others gave the GPU is exact; who called is estimated from the
// sampled.
TEST_F(AnalysisTest, CallsWithoutAStack_AreGivenToThoseThatStandForThem) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t app = trace.Module("/usr/bin/app");
  const uint64_t a = trace.Stack({trace.Frame("a", app, 0x1010)});
  const uint64_t b = trace.Stack({trace.Frame("b", app, 0x1020)});
  const uint64_t c = trace.Stack({trace.Frame("c", app, 0x1030)});
  const uint64_t api = trace.String("cuLaunchKernel");
  const uint64_t kernel = trace.Shape("kernel");
  const uint64_t other = trace.Shape("other");
  uint64_t correlation = 0;
  const auto launch = [&](uint64_t stack, uint64_t stands_for, uint64_t shape, uint64_t duration) {
    ++correlation;
    trace.Call({.correlation = correlation,
                .time_ns = correlation,
                .stack_node = stack,
                .api = api,
                .flags = stack == 0 ? format::kCallStackSampledOut : 0,
                .stands_for = stands_for});
    trace.Kernel({.correlation = correlation, .start_ns = 1000 * correlation, .duration_ns = duration, .shape = shape});
  };
  launch(a, 0, kernel, 7);  // before sampling began: stands for itself
  launch(a, 4, kernel, 10);
  launch(b, 4, kernel, 30);
  for (int i = 0; i < 6; ++i) launch(0, 0, kernel, 67);  // 402 ns of a and b, 1 : 3
  launch(c, 4, other, 5);
  launch(0, 0, other, 11);
  launch(0, 0, trace.Shape("never_sampled"), 13);
  trace.Close();
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  EXPECT_THAT(Stacks(analysis.profile, slice),
              UnorderedElementsAre(Pair("app (100);a;cuLaunchKernel;kernel", 7 + 10 + 100u),
                                   Pair("app (100);b;cuLaunchKernel;kernel", 30 + 302u),
                                   Pair("app (100);c;cuLaunchKernel;other", 16u),
                                   Pair("app (100);[stack left out to save time];cuLaunchKernel;never_sampled", 13u)));
  EXPECT_EQ(slice.kernels.total_ns, 7 + 10 + 30 + 402 + 5 + 11 + 13u);
  EXPECT_EQ(slice.health.sampled_out, 8u);
  EXPECT_EQ(slice.health.stackless, 0u);
  EXPECT_FALSE(HasLoss(slice.health));
}

// As nvcc 13 compiles `AddVectors<<<…>>>(…)` and `Scale<2><<<…>>>(…)`: a function in the kernel's name calls one or two
// stubs. None of them is the user's.
TEST_F(AnalysisTest, LaunchStubs_AreHidden) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
  const uint64_t runtime = trace.Module("/opt/cuda/libcudart.so.13");
  const std::vector<uint64_t> launch = {
      trace.Frame("_ZL25__cudaLaunchKernel_helperP9CUkern_st4dim3S1_PPvmP11CUstream_st", app, 0x2500),
      trace.Frame("__cudaLaunchKernel", runtime, 0x100)};
  std::vector<uint64_t> add = {
      trace.Frame("_ZN12_GLOBAL__N_110AddVectorsEPKfS1_Pfi", app, 0x2100),
      trace.Frame("_Z83__device_stub__ZN42_GLOBAL__N__e7beae26_13_vector_add_cu_main10AddVectorsEPKfS1_PfiPKfS0_Pfi",
                  app, 0x2200)};
  std::vector<uint64_t> scale = {
      trace.Frame("_ZN12_GLOBAL__N_15ScaleILi2EEEvPfi", app, 0x2300),
      trace.Frame("_ZN42_GLOBAL__N__e7beae26_13_vector_add_cu_mainL28__wrapper__device_stub_ScaleILi2EEEvRPfRi", app,
                  0x2400)};
  uint64_t correlation = 0;
  for (std::vector<uint64_t>* path : {&add, &scale}) {
    path->insert(path->begin(), trace.Frame("main", app, 0x2000));
    path->insert(path->end(), launch.begin(), launch.end());
    trace.Call({.correlation = ++correlation,
                .time_ns = 10,
                .stack_node = trace.Stack(*path),
                .api = trace.String("cuLaunchKernel")});
    trace.Kernel({.correlation = correlation, .start_ns = 20, .duration_ns = 5, .shape = trace.Shape("kernel")});
  }
  trace.Close();
  const Analysis analysis = Analyze();
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              ElementsAre(Pair("app (100);main;__cudaLaunchKernel;cuLaunchKernel;kernel", 10u)));
}

// A thread of a Python program: start-up, interpreter, a run of two frames, C that calls back, the interpreter again, a
// run of one.
uint64_t MixedStack(TraceBuilder* trace) {
  const uint64_t libc = trace->Module("/lib/libc.so.6");
  const uint64_t python = trace->Module("/usr/bin/python3.12");
  const uint64_t ctypes = trace->Module("/usr/lib/python3.12/lib-dynload/_ctypes.cpython-312.so");
  const uint64_t app = trace->Module("/usr/lib/libapp.so");
  const uint64_t driver = trace->Module("/lib/libcuda.so.1");
  return trace->Stack(
      {trace->Frame("_start", python, 0x1100), trace->Frame("__libc_start_main", libc, 0x9000),
       trace->Frame("Py_BytesMain", python, 0x2000), trace->Frame("_PyEval_EvalFrameDefault", python, 0x2100),
       trace->Frame("", ctypes, 0x100), trace->Frame("sort_all", app, 0x9100), trace->Frame("", ctypes, 0x200),
       trace->Frame("_PyEval_EvalFrameDefault.cold", python, 0x2200), trace->Frame("cuLaunchKernel", driver, 0x400)});
}

TEST_F(AnalysisTest, PythonFrames_StandWhereTheEvaluationLoopRan) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t python = trace.PythonStack({trace.PythonFrame("<module>", "/home/me/train.py", 12, true),
                                             trace.PythonFrame("step", "/home/me/train.py", 7, false),
                                             trace.PythonFrame("compare.<locals>.<lambda>", "<made>", 0, true)});
  trace.Call({.correlation = 1,
              .time_ns = 10,
              .stack_node = MixedStack(&trace),
              .api = trace.String("cuLaunchKernel"),
              .python_node = python});
  trace.Kernel({.correlation = 1, .start_ns = 20, .duration_ns = 5, .shape = trace.Shape("axpy")});
  trace.Close();
  const Analysis analysis = Analyze();
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              ElementsAre(Pair("app (100);<module> (train.py:12);step (train.py:7);sort_all;"
                               "compare.<locals>.<lambda> (<made>);cuLaunchKernel;axpy",
                               5u)));
  EXPECT_EQ(analysis.profile.slices.at(0).health.unspliced, 0u);
  for (FrameId id = 0; id < analysis.profile.frames.size(); ++id) {
    const Frame& frame = analysis.profile.frames[id];
    if (frame.name != "step (train.py:7)") continue;
    EXPECT_EQ(frame.full_name, "step (/home/me/train.py:7)");
    EXPECT_EQ(frame.kind, FrameKind::kPython);
  }
}

TEST_F(AnalysisTest, PythonFramesThatDoNotFit_AreMarkedAndCounted) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t python = trace.PythonStack({trace.PythonFrame("<module>", "train.py", 12, true)});
  const uint64_t stack = MixedStack(&trace);
  for (uint64_t i = 1; i <= 3; ++i) {
    trace.Call({.correlation = i,
                .time_ns = 10 * i,
                .stack_node = stack,
                .api = trace.String("cuLaunchKernel"),
                .flags = i == 3 ? format::kCallPythonLost : 0,
                .python_node = i == 3 ? 0 : python});
    trace.Kernel({.correlation = i, .start_ns = 20 * i, .duration_ns = 5, .shape = trace.Shape("axpy")});
  }
  trace.Close();
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  EXPECT_THAT(Stacks(analysis.profile, slice),
              testing::Contains(Pair("app (100);sort_all;[Python frames not spliced];<module> (train.py:12);"
                                     "cuLaunchKernel;axpy",
                                     10u)));
  EXPECT_EQ(slice.health.unspliced, 2u);
  EXPECT_EQ(slice.health.python_lost, 1u);
  EXPECT_TRUE(HasLoss(slice.health));
}

TEST_F(AnalysisTest, PythonLines_AreMissedByProcessesWithPythonFramesOnly) {
  for (const bool has_python : {false, true}) {
    TraceBuilder trace(Path("a"));
    trace.Process();
    trace.Slice();
    const uint64_t python = has_python ? trace.PythonStack({trace.PythonFrame("<module>", "train.py", 0, true)}) : 0;
    trace.Call({.correlation = 1,
                .time_ns = 10,
                .stack_node = MixedStack(&trace),
                .api = trace.String("cuLaunchKernel"),
                .python_node = python});
    trace.Counters({{"process.own_ns", 1000}, {"process.ms_without_python_lines", 1280}});
    trace.Close();
    EXPECT_EQ(Analyze().profile.slices.at(0).processes.at(0).recorder.without_lines_ms, has_python ? 1280u : 0u);
  }
}

TEST_F(AnalysisTest, KernelsOfAGraph_AreBelowItsLaunchAndWhatCapturedThem) {
  TraceBuilder trace(Path("a"));
  trace.Process({{"graphs", "node"}});
  trace.Slice();
  const uint64_t app = trace.Module("/usr/bin/app");
  const uint64_t main = trace.Frame("main", app, 0x1010);
  const uint64_t replay = trace.Stack({main, trace.Frame("_Z6replayv", app, 0x1020)});
  const uint64_t capture = trace.Stack({main, trace.Frame("_Z7capturev", app, 0x1030)});
  const uint64_t build = trace.Stack({main, trace.Frame("_Z5buildv", app, 0x1040)});
  const uint64_t shape = trace.Shape("kernel");
  const uint64_t launch = trace.String("cuGraphLaunch");
  trace.Call({.correlation = 1, .time_ns = 10, .stack_node = capture, .api = trace.String("cuLaunchKernel")});
  trace.Outcome(1, format::CallOutcome::kCaptured);
  trace.Call({.correlation = 2,
              .time_ns = 20,
              .stack_node = build,
              .api = trace.String("cuGraphAddKernelNode"),
              .call_class = format::CallClass::kGraphConstruction});
  trace.GraphNodes({.node = 100, .time_ns = 11, .correlation = 1});
  trace.GraphNodes({.node = 101, .time_ns = 21, .correlation = 2});
  trace.GraphNodes({.node = 200, .time_ns = 30, .event = format::GraphNodeEvent::kCloned, .origin = 100, .count = 2});
  trace.Call({.correlation = 3,
              .time_ns = 40,
              .stack_node = replay,
              .api = launch,
              .call_class = format::CallClass::kGraphLaunch});
  trace.Kernel({.correlation = 3, .start_ns = 1000, .duration_ns = 10, .shape = shape, .graph_node = 200});
  trace.Kernel({.correlation = 3, .start_ns = 1020, .duration_ns = 20, .shape = shape, .graph_node = 201});
  trace.Kernel({.correlation = 3, .start_ns = 1060, .duration_ns = 40, .shape = shape, .graph_node = 999});
  trace.Kernel({.correlation = 77, .start_ns = 1200, .duration_ns = 80, .shape = shape, .graph_node = 200});
  trace.Close();
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices.at(0);
  const std::string below = "app (100);main;replay;cuGraphLaunch;[CUDA graph];";
  EXPECT_THAT(
      Stacks(analysis.profile, slice),
      UnorderedElementsAre(Pair(below + "main;capture;cuLaunchKernel;kernel", 10u),
                           Pair(below + "main;build;cuGraphAddKernelNode;kernel", 20u), Pair(below + "kernel", 40u),
                           Pair("app (100);[unknown launch];[CUDA graph];main;capture;cuLaunchKernel;kernel", 80u)));
  EXPECT_EQ(slice.health.graph_unattributed, 1u);
  EXPECT_EQ(slice.health.launches, 2u) << "the call that only built is none";
  EXPECT_EQ(slice.health.captured, 1u);
}

TEST_F(AnalysisTest, Ranges_AreOutsideTheHostFrames) {
  TraceBuilder trace(Path("a"));
  trace.Process();
  trace.Slice();
  const uint64_t stack = trace.Stack({trace.Frame("main", trace.Module("/usr/bin/app"), 0x1010)});
  const uint64_t api = trace.String("cuLaunchKernel");
  const uint64_t shape = trace.Shape("kernel");
  const uint64_t epoch = trace.Range("epoch");
  const uint64_t step = trace.Range("step", epoch, "lib");
  trace.Call({.correlation = 1, .time_ns = 10, .stack_node = stack, .api = api, .range_node = step});
  trace.Call({.correlation = 2, .time_ns = 20, .stack_node = stack, .api = api, .range_node = epoch});
  trace.Call({.correlation = 3, .time_ns = 30, .stack_node = stack, .api = api});
  for (uint64_t i = 1; i <= 3; ++i) {
    trace.Kernel({.correlation = i, .start_ns = 100 * i, .duration_ns = 10 * i, .shape = shape});
  }
  trace.Close();
  Analysis analysis = Analyze();
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              UnorderedElementsAre(Pair("app (100);epoch;lib: step;main;cuLaunchKernel;kernel", 10u),
                                   Pair("app (100);epoch;main;cuLaunchKernel;kernel", 20u),
                                   Pair("app (100);main;cuLaunchKernel;kernel", 30u)));
  analysis = Analyze({.view = {.show_internals = false, .show_ranges = false}, .threads = 1, .progress = nullptr});
  EXPECT_THAT(Stacks(analysis.profile, analysis.profile.slices.at(0)),
              ElementsAre(Pair("app (100);main;cuLaunchKernel;kernel", 60u)));
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
