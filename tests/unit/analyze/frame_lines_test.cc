// SPDX-License-Identifier: Apache-2.0
// Traces whose modules have debug information.
#include "libmigprof/analyze/frame_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "libmigprof/analyze/analysis.h"
#include "tests/support/trace_builder.h"
#include "tests/unit/analyze/lines/sample_library.h"

namespace migprof::analyze {
namespace {

using testing::ElementsAre;
using testing_support::TraceBuilder;

constexpr uint64_t kBias = 0x7f0000000000;

class FrameLinesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!LineTable::IsAvailable()) GTEST_SKIP() << "built without libdw";
  }
  void TearDown() override { std::remove(trace_path_.c_str()); }

  // A kernel launched from `point` of the sample library, whose function the process called `symbol`.
  void Write(const char* point, const std::string& symbol) {
    TraceBuilder trace(trace_path_);
    trace.Process();
    trace.Slice();
    const uint64_t module = trace.Module(sample_.path(), kBias, sample_.build_id());
    const uint64_t stack = trace.Stack({trace.Frame(symbol, module, kBias + sample_.AddressOf(point) + 1),
                                        trace.Frame("", 0, 0x1234), trace.Frame("jitted", 0, 0x2345)});
    trace.Call({.correlation = 1, .time_ns = 10, .stack_node = stack, .api = trace.String("cuLaunchKernel")});
    trace.Kernel({.correlation = 1, .start_ns = 20, .duration_ns = 5, .shape = trace.Shape("axpy")});
    trace.Close();
  }

  // The host frames of the one stack, as "name|module|source|i if inlined".
  std::vector<std::string> Stack(StackView view, bool with_lines = true) {
    LineTable lines({.debug_folders = {}, .debuginfod = false});
    if (with_lines) view.lines = &lines;
    const Analysis analysis = AnalyzeTraces({trace_path_}, {.view = view, .threads = 1, .progress = nullptr});
    std::vector<std::string> frames;
    for (const TreeNode& node : analysis.profile.slices.at(0).stacks.nodes()) {
      const Frame& frame = analysis.profile.frames[node.frame];
      if (&node == &analysis.profile.slices[0].stacks.nodes()[0] || frame.kind != FrameKind::kNative) continue;
      frames.push_back(frame.name + "|" + frame.module + "|" + frame.source + (frame.inlined ? "|i" : ""));
    }
    return frames;
  }

  SampleLibrary sample_;
  const std::string module_ = sample_.path().substr(sample_.path().rfind('/') + 1);
  const std::string trace_path_ = testing::TempDir() + "/frame_lines_" + std::to_string(getpid()) + ".migtrace";
};

TEST_F(FrameLinesTest, InlinedFunctions_StandBelowTheirCaller) {
  Write("point_innermost", "_ZN6sample5OuterEi");
  EXPECT_THAT(Stack({}), ElementsAre("sample::Outer|" + module_ + "|/sources/outer.cc:300",
                                     "sample::Engine::Middle|" + module_ + "|/sources/engine.h:105|i",
                                     "sample::Engine::Innermost|" + module_ + "|/sources/engine.h:101|i",
                                     "[unknown]+0x1233||", "jitted|[jit]|"));
}

TEST_F(FrameLinesTest, SplitLines_AreInTheNames) {
  Write("point_innermost", "_ZN6sample5OuterEi");
  EXPECT_THAT(Stack({.split_lines = true}),
              ElementsAre("sample::Outer (outer.cc:303)|" + module_ + "|/sources/outer.cc:303",
                          "sample::Engine::Middle (engine.h:107)|" + module_ + "|/sources/engine.h:107|i",
                          "sample::Engine::Innermost (engine.h:102)|" + module_ + "|/sources/engine.h:102|i",
                          "[unknown]+0x1233||", "jitted|[jit]|"));
}

TEST_F(FrameLinesTest, NoInline_KeepsTheFunctionItself) {
  Write("point_innermost", "_ZN6sample5OuterEi");
  EXPECT_THAT(Stack({.show_inlined = false}), ElementsAre("sample::Outer|" + module_ + "|/sources/outer.cc:300",
                                                          "[unknown]+0x1233||", "jitted|[jit]|"));
}

TEST_F(FrameLinesTest, RecordedName_Wins) {
  Write("point_outer", "another_name");
  EXPECT_EQ(Stack({})[0], "another_name|" + module_ + "|/sources/outer.cc:300");
  EXPECT_EQ(Stack({}, false)[0], "another_name|" + module_ + "|");
}

TEST_F(FrameLinesTest, FunctionWithoutRecordedName_IsNamedByDebugInformation) {
  Write("point_outer", "");
  EXPECT_EQ(Stack({})[0], "sample::Outer|" + module_ + "|/sources/outer.cc:300");
  char offset[32];
  std::snprintf(offset, sizeof(offset), "+0x%lx", static_cast<unsigned long>(sample_.AddressOf("point_outer")));
  EXPECT_EQ(Stack({}, false)[0], module_ + offset + "|" + module_ + "|");
}

}  // namespace
}  // namespace migprof::analyze
