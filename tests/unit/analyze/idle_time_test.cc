// SPDX-License-Identifier: Apache-2.0
// From trace files to the idle time of a slice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libmigprof/analyze/analysis.h"
#include "libmigprof/analyze/idle_gaps.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::Pair;
using testing_support::TraceBuilder;

class IdleTimeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / absl::StrCat("idle_time_test_", getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A process that launches a kernel at `start`, half a microsecond after its first call, and makes a last call later.
  void Write(const std::string& pid, uint64_t start, uint64_t last_call, uint64_t correlation_of_kernel = 1,
             uint64_t end_ns = 0) {
    TraceBuilder trace((folder_ / (pid + ".migtrace")).string());
    trace.Process({{"pid", pid}, {"start_ns", pid}});
    trace.Slice();
    const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
    const uint64_t stack = trace.Stack({trace.Frame("main", app, 0x2000)});
    trace.Call({.correlation = 1, .time_ns = start - 500, .stack_node = stack, .api = trace.String("cuLaunchKernel")});
    trace.Call({.correlation = 2,
                .time_ns = last_call,
                .stack_node = stack,
                .api = trace.String("cuMemFree"),
                .call_class = format::CallClass::kRelease});
    trace.Kernel(
        {.correlation = correlation_of_kernel, .start_ns = start, .duration_ns = 100, .shape = trace.Shape("k")});
    trace.Close(end_ns);
  }

  std::map<std::string, uint64_t> Idle() {
    profile_ = AnalyzeTraces({folder_.string()}, {}).profile;
    const SliceProfile& slice = profile_.slices.at(0);
    std::map<std::string, uint64_t> stacks;
    const auto& nodes = slice.idle.nodes();
    uint64_t sum = 0;
    for (NodeId id = 0; id < nodes.size(); ++id) {
      if (nodes[id].self_ns == 0) continue;
      std::vector<std::string> names;
      for (NodeId node = id; node != 0; node = nodes[node].parent) {
        names.push_back(profile_.frames[nodes[node].frame].name);
      }
      std::reverse(names.begin(), names.end());
      stacks[absl::StrJoin(names, ";")] += nodes[id].self_ns;
      sum += nodes[id].self_ns;
    }
    const auto& causes = slice.metrics.idle_ns;
    EXPECT_EQ(sum, slice.window_ns - slice.busy_ns);
    EXPECT_EQ(std::accumulate(causes.begin(), causes.end(), uint64_t{0}), sum);
    return stacks;
  }

  fs::path folder_;
  Profile profile_;
};

TEST_F(IdleTimeTest, BetweenProcesses_NobodyIsToBlame) {
  Write("100", 10'000, 12'000);
  Write("200", 20'000, 20'050);
  EXPECT_THAT(Idle(), ElementsAre(Pair("app (100);[after its last GPU work];host code", 1'900u),
                                  Pair("app (100);main;cuLaunchKernel;first launch", 500u),
                                  Pair("app (200);main;cuLaunchKernel;first launch", 500u),
                                  Pair("no process running", 7'500u)));
}

TEST_F(IdleTimeTest, ProcessThatIsStillThere_AnswersForTheTimeBeforeTheNext) {
  Write("100", 10'000, 30'000);
  Write("200", 20'000, 20'050);
  EXPECT_THAT(Idle(), ElementsAre(Pair("app (100);[after its last GPU work];host code", 9'400u + 9'900u),
                                  Pair("app (100);main;cuLaunchKernel;first launch", 500u),
                                  Pair("app (200);main;cuLaunchKernel;first launch", 500u)));
}

TEST_F(IdleTimeTest, TimeUpToTheEndOfTheProcess_IsIdleAfterItsLastWork) {
  Write("100", 10'000, 12'000, 1, 50'000);
  EXPECT_THAT(Idle(), ElementsAre(Pair("app (100);[after its last GPU work];host code", 39'900u),
                                  Pair("app (100);main;cuLaunchKernel;first launch", 500u)));
  EXPECT_EQ(profile_.slices[0].window_ns, 40'500u);
  EXPECT_EQ(profile_.slices[0].processes[0].window_ns, 40'500u);
}

TEST_F(IdleTimeTest, OfProcesses_TheLastToEndEndsTheWindow) {
  Write("100", 10'000, 12'000, 1, 60'000);
  Write("200", 20'000, 20'050, 1, 30'000);
  EXPECT_THAT(Idle(), ElementsAre(Pair("app (100);[after its last GPU work];host code", 9'400u + 39'900u),
                                  Pair("app (100);main;cuLaunchKernel;first launch", 500u),
                                  Pair("app (200);main;cuLaunchKernel;first launch", 500u)));
}

TEST_F(IdleTimeTest, KilledProcess_WasThereUntilItLastWrote) {
  TraceBuilder trace((folder_ / "1.migtrace").string());
  trace.Process();
  trace.Slice();
  trace.Call({.correlation = 1, .time_ns = 1000, .api = trace.String("cuLaunchKernel")});
  trace.Kernel({.correlation = 1, .start_ns = 1500, .duration_ns = 500, .shape = trace.Shape("k")});
  trace.Flush();
  trace.ClockSample(7000);
  const SliceProfile slice = AnalyzeTraces({folder_.string()}, {}).profile.slices.at(0);
  EXPECT_TRUE(slice.health.killed);
  EXPECT_EQ(slice.window_ns, 6000u);
  EXPECT_EQ(slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kHost)], 5000u);
}

TEST_F(IdleTimeTest, EndWithoutEvents_IsNoWindow) {
  TraceBuilder trace((folder_ / "1.migtrace").string());
  trace.Process();
  trace.Slice();
  trace.ClockSample(7000);
  trace.Close(9000);
  EXPECT_EQ(AnalyzeTraces({folder_.string()}, {}).profile.slices.at(0).window_ns, 0u);
}

TEST_F(IdleTimeTest, StoppedToTheEnd_IsNotRecordedUpToThere) {
  TraceBuilder trace((folder_ / "1.migtrace").string());
  trace.Process();
  trace.Slice();
  trace.Call({.correlation = 100'000, .time_ns = 1000, .api = trace.String("cuLaunchKernel")});
  trace.Kernel({.correlation = 100'000, .start_ns = 1500, .duration_ns = 500, .shape = trace.Shape("k")});
  trace.Pause({.stopped_ns = 2400, .started_ns = 9000, .last_before = 100'000});
  trace.Close(9000);
  const SliceProfile slice = AnalyzeTraces({folder_.string()}, {}).profile.slices.at(0);
  EXPECT_EQ(slice.window_ns, 8000u);
  EXPECT_EQ(slice.not_recorded_ns, 6600u);
  EXPECT_EQ(slice.metrics.idle_ns[static_cast<size_t>(IdleCause::kHost)], 400u);
}

TEST_F(IdleTimeTest, StoppedTime_IsNotIdleAndItsWorkIsLeftOut) {
  TraceBuilder trace((folder_ / "1.migtrace").string());
  trace.Process();
  trace.Slice();
  const uint64_t api = trace.String("cuLaunchKernel");
  trace.Call({.correlation = 100'000, .time_ns = 1000, .api = api});
  trace.Kernel({.correlation = 100'000, .start_ns = 1500, .duration_ns = 500, .shape = trace.Shape("k")});
  trace.Pause({.stopped_ns = 2400, .started_ns = 0, .last_before = 100'000});
  trace.Flush();
  // Told again once it is over. A kernel of a call that nobody recorded was still running then.
  trace.Pause({.stopped_ns = 2400, .started_ns = 6000, .last_before = 100'000, .first_after = 300'000});
  trace.Kernel({.correlation = 250'000, .start_ns = 5900, .duration_ns = 300, .shape = trace.Shape("k")});
  trace.Call({.correlation = 300'000, .time_ns = 6500, .api = api});
  trace.Kernel({.correlation = 300'000, .start_ns = 7000, .duration_ns = 1000, .shape = trace.Shape("k")});
  // Far from any pause: its call was lost.
  trace.Kernel({.correlation = 900'000, .start_ns = 8000, .duration_ns = 100, .shape = trace.Shape("k")});
  trace.Close();
  const SliceProfile slice = AnalyzeTraces({folder_.string()}, {}).profile.slices.at(0);
  EXPECT_EQ(slice.window_ns, 7100u);
  EXPECT_EQ(slice.busy_ns, 500u + 1100u);
  EXPECT_EQ(slice.not_recorded_ns, 3600u);
  const auto& idle = slice.metrics.idle_ns;
  EXPECT_EQ(std::accumulate(idle.begin(), idle.end(), uint64_t{0}), 500u + 400u + 1000u);
  EXPECT_EQ(idle[static_cast<size_t>(IdleCause::kHost)], 400u + 500u);
  EXPECT_EQ(idle[static_cast<size_t>(IdleCause::kFirstLaunch)], 500u);
  EXPECT_EQ(slice.kernels.count, 3u);
  EXPECT_EQ(slice.health.orphaned, 1u);
  EXPECT_EQ(slice.processes.at(0).stops, 1u);
  EXPECT_EQ(slice.processes.at(0).stopped_ns, 3600u);
}

TEST_F(IdleTimeTest, CallThatIsNotInTheTrace_IsUnknown) {
  Write("100", 10'000, 10'050, 77);
  EXPECT_THAT(Idle(), ElementsAre(Pair("app (100);[unknown launch];unknown", 500u)));
}

}  // namespace
}  // namespace migprof::analyze
