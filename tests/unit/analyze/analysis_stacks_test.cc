// SPDX-License-Identifier: Apache-2.0
// Which frames stand where in the stacks of an analysis.
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

}  // namespace
}  // namespace migprof::analyze
