// SPDX-License-Identifier: Apache-2.0
// Recordings that consist of several files, of which some were deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "libmigprof/analyze/analysis.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::RotatedRow;
using testing_support::TraceBuilder;

// Of segment n all times begin with n: launch i of it is entered at n * kSegmentNs + 10 * i, and has correlation
// 100 * n + i + 1. Each segment defines what it needs, with the same ids.
constexpr uint64_t kSegmentNs = 1000;

class RecordingsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("recordings_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A file of the recording, with everything that its events need.
  struct Segment {
    Segment(const std::string& path, uint32_t its_number) : trace(path), number(its_number) {
      trace.Process({{"start_ns", std::to_string(5000 + number)},
                     {"recording_start_ns", "5000"},
                     {"segment", std::to_string(number)}});
      trace.Slice();
      const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
      main = trace.Stack({trace.Frame("main", app, 0x2000)});
      setup = trace.Stack({trace.Frame("main", app, 0x2000), trace.Frame("setup", app, 0x3000)});
      shape = trace.Shape("axpy");
    }
    uint64_t Correlation(uint64_t i) const { return 100 * number + i + 1; }
    uint64_t Time(uint64_t i) const { return (number + 1) * kSegmentNs + 10 * i; }
    void Call(uint64_t i) {
      trace.Call({.correlation = Correlation(i),
                  .time_ns = Time(i),
                  .stack_node = main,
                  .api = trace.String("cuLaunchKernel")});
    }
    void Kernel(uint64_t correlation, uint64_t i, uint64_t graph_node = 0) {
      trace.Kernel({.correlation = correlation,
                    .start_ns = Time(i) + 5,
                    .duration_ns = 3,
                    .shape = shape,
                    .graph_node = graph_node});
    }
    void CallWithKernel(uint64_t i) {
      Call(i);
      Kernel(Correlation(i), i);
    }

    TraceBuilder trace;
    uint32_t number;
    uint64_t main, setup, shape;
  };

  std::unique_ptr<Segment> Begin(uint32_t number) {
    return std::make_unique<Segment>((folder_ / ("s" + std::to_string(number) + ".migtrace")).string(), number);
  }
  // Two launches with their kernels.
  void WritePlain(uint32_t number, const std::vector<RotatedRow>& rotated = {}) {
    const auto segment = Begin(number);
    if (!rotated.empty()) segment->trace.Rotated(rotated);
    segment->CallWithKernel(0);
    segment->CallWithKernel(1);
    segment->trace.Close();
  }
  Analysis Analyze() { return AnalyzeTraces({folder_.string()}, {}); }
  // What all nodes below a frame called `name` add up to.
  static TreeNode Below(const Analysis& analysis, const StackTree& tree, const std::string& name) {
    TreeNode sum;
    for (NodeId node = 1; node < tree.nodes().size(); ++node) {
      for (NodeId at = node; at != 0; at = tree.nodes()[at].parent) {
        if (analysis.profile.frames[tree.nodes()[at].frame].name != name) continue;
        sum.self_ns += tree.nodes()[node].self_ns;
        sum.self_count += tree.nodes()[node].self_count;
        break;
      }
    }
    return sum;
  }
  // Pieces of GPU work.
  static uint64_t CountOf(const Analysis& analysis, const std::string& name) {
    return Below(analysis, analysis.profile.slices[0].stacks, name).self_count;
  }

  fs::path folder_;
};

TEST_F(RecordingsTest, SegmentsAreOneRecording) {
  {
    const auto first = Begin(0);
    first->CallWithKernel(0);
    first->Call(1);  // its kernel is in the next file
    first->trace.Flush();
    const auto second = Begin(1);
    second->Kernel(first->Correlation(1), 0);
    second->CallWithKernel(1);
    second->trace.Close();
  }
  const Analysis analysis = Analyze();
  EXPECT_THAT(analysis.problems, IsEmpty());
  ASSERT_EQ(analysis.profile.slices.size(), 1u);
  const SliceProfile& slice = analysis.profile.slices[0];
  ASSERT_EQ(slice.processes.size(), 1u);
  EXPECT_EQ(slice.health.launches, 3u);
  EXPECT_EQ(slice.health.matched, 3u);
  EXPECT_EQ(slice.health.orphaned + slice.health.unmatched, 0u);
  EXPECT_FALSE(slice.health.killed) << "only the last file is closed by the process";
  EXPECT_EQ(CountOf(analysis, "main"), 3u);
  EXPECT_EQ(slice.health.rotated_files, 0u);
}

TEST_F(RecordingsTest, TheLastFileSaysWhetherTheProcessEndedWell) {
  WritePlain(0);
  {
    const auto second = Begin(1);
    second->CallWithKernel(0);
    second->trace.Flush();
  }
  EXPECT_TRUE(Analyze().profile.slices[0].health.killed);
}

TEST_F(RecordingsTest, WhatWasDeletedIsCountedAndNoLoss) {
  WritePlain(3, {{.first_segment = 0,
                  .last_segment = 2,
                  .segments = 3,
                  .bytes = 70,
                  .launches = 11,
                  .kernels = 12,
                  .last_correlation = 202}});
  WritePlain(4);
  const Analysis analysis = Analyze();
  EXPECT_THAT(analysis.problems, IsEmpty());
  const SliceProfile& slice = analysis.profile.slices[0];
  EXPECT_EQ(slice.health.rotated_files, 3u);
  EXPECT_EQ(slice.health.rotated_bytes, 70u);
  EXPECT_EQ(slice.health.rotated_launches, 11u);
  EXPECT_EQ(slice.health.rotated_activities, 12u);
  EXPECT_EQ(slice.health.launches, 4u);
  EXPECT_EQ(slice.first_ns, 4 * kSegmentNs) << "the window begins with what is there";
  EXPECT_EQ(slice.not_recorded_ns, 0u);
  EXPECT_FALSE(HasLoss(slice.health));
}

TEST_F(RecordingsTest, LossesInDeletedFilesAreLosses) {
  WritePlain(1, {{.first_segment = 0, .last_segment = 0, .launches = 11, .kernels = 4, .lost = 7}});
  const Health health = Analyze().profile.slices[0].health;
  EXPECT_EQ(health.dropped, 7u);
  EXPECT_TRUE(HasLoss(health));
}

TEST_F(RecordingsTest, AFileThatIsCountedAsDeletedDoesNotCountTwice) {
  // Killed between the note and the deletion.
  for (const uint32_t number : {1, 2}) WritePlain(number);
  WritePlain(
      3,
      {{.first_segment = 0, .last_segment = 1, .segments = 2, .launches = 4, .kernels = 4, .last_correlation = 102}});
  const SliceProfile slice = Analyze().profile.slices[0];
  EXPECT_EQ(slice.health.launches, 4u);
  EXPECT_EQ(slice.health.rotated_launches, 4u);
  EXPECT_EQ(slice.first_ns, 3 * kSegmentNs);
}

TEST_F(RecordingsTest, TheLatestWordOnWhatWasDeletedCounts) {
  WritePlain(2, {{.first_segment = 0, .last_segment = 0, .launches = 2, .kernels = 2}});
  WritePlain(3, {{.first_segment = 0, .last_segment = 1, .segments = 2, .launches = 4, .kernels = 4}});
  // Begun before the last deletion, whose note went to the file before.
  WritePlain(4, {{.first_segment = 0, .last_segment = 0, .launches = 2, .kernels = 2}});
  EXPECT_EQ(Analyze().profile.slices[0].health.rotated_launches, 4u);
}

TEST_F(RecordingsTest, WorkWhoseLaunchWasDeletedIsShownAsSuch) {
  {
    const auto segment = Begin(1);
    segment->trace.Rotated({{.first_segment = 0, .last_segment = 0, .launches = 3, .last_correlation = 3}});
    segment->Kernel(3, 0);    // launched in the file that is gone
    segment->Kernel(150, 1);  // not: nobody knows its launch
    segment->CallWithKernel(2);
    segment->trace.Close();
  }
  const Analysis analysis = Analyze();
  const Health& health = analysis.profile.slices[0].health;
  EXPECT_EQ(health.cut_off_activities, 1u);
  EXPECT_EQ(health.orphaned, 1u);
  EXPECT_EQ(health.matched, 1u);
  EXPECT_EQ(CountOf(analysis, "[launched before what was kept]"), 1u);
  EXPECT_EQ(CountOf(analysis, "[unknown launch]"), 1u);
}

TEST_F(RecordingsTest, BetweenTwoDumpsNothingIsKnown) {
  {
    const auto first = Begin(0);
    first->CallWithKernel(0);
    first->Call(1);  // its kernel was in a file that is gone
    first->trace.Flush();
  }
  WritePlain(
      4,
      {{.first_segment = 1, .last_segment = 3, .segments = 3, .launches = 6, .kernels = 7, .last_correlation = 302}});
  const SliceProfile slice = Analyze().profile.slices[0];
  EXPECT_EQ(slice.health.launches, 4u);
  EXPECT_EQ(slice.health.matched, 3u);
  EXPECT_EQ(slice.health.cut_off_launches, 1u);
  EXPECT_EQ(slice.health.unmatched, 0u);
  EXPECT_FALSE(HasLoss(slice.health));
  // From the last event of the one to the first of the other: neither busy nor idle.
  EXPECT_EQ(slice.window_ns, 5 * kSegmentNs + 18 - kSegmentNs);
  EXPECT_EQ(slice.not_recorded_ns, 5 * kSegmentNs + 5 - (kSegmentNs + 10) - 5);
  EXPECT_EQ(slice.busy_ns, 9u);
}

TEST_F(RecordingsTest, AFileThatIsGoneWithoutAWordIsALoss) {
  WritePlain(0);
  WritePlain(2);
  const Analysis analysis = Analyze();
  ASSERT_EQ(analysis.problems.size(), 1u);
  EXPECT_THAT(analysis.problems[0].what, HasSubstr("1 file of the recording"));
  EXPECT_TRUE(HasLoss(analysis.profile.slices[0].health));
}

TEST_F(RecordingsTest, NodesOfGraphsAreCarried) {
  {
    const auto segment = Begin(1);
    segment->trace.Rotated({{.first_segment = 0, .last_segment = 0, .launches = 3, .last_correlation = 30}});
    segment->trace.Call({.correlation = 7,
                         .time_ns = 20,
                         .stack_node = segment->setup,
                         .api = segment->trace.String("cuLaunchKernel"),
                         .call_class = format::CallClass::kGraphConstruction,
                         .flags = format::kCallCarried});
    segment->trace.GraphNodes({.node = 50, .time_ns = 30, .correlation = 7, .flags = format::kRowCarried});
    segment->trace.Call({.correlation = segment->Correlation(0),
                         .time_ns = segment->Time(0),
                         .stack_node = segment->main,
                         .api = segment->trace.String("cuGraphLaunch"),
                         .call_class = format::CallClass::kGraphLaunch});
    segment->Kernel(segment->Correlation(0), 0, 50);
    segment->trace.Close();
  }
  const Analysis analysis = Analyze();
  EXPECT_EQ(analysis.profile.slices[0].health.graph_unattributed, 0u);
  EXPECT_EQ(analysis.profile.slices[0].health.launches, 1u);
  EXPECT_EQ(analysis.profile.slices[0].first_ns, 2 * kSegmentNs);
  EXPECT_EQ(CountOf(analysis, "setup"), 1u);
}

class CarriedMemory : public RecordingsTest {
 protected:
  // An allocation of 100 bytes at address `at`, made at time 20 by call 7.
  static void Carry(Segment* segment, uint64_t at, uint64_t bytes = 100) {
    segment->trace.Call({.correlation = 7,
                         .time_ns = 20,
                         .stack_node = segment->setup,
                         .api = segment->trace.String("cuMemAlloc_v2"),
                         .call_class = format::CallClass::kGraphConstruction,
                         .flags = format::kCallCarried});
    segment->trace.Allocation(
        {.correlation = 7, .time_ns = 20, .address = at, .bytes = bytes, .flags = format::kRowCarried});
  }
};

TEST_F(CarriedMemory, IsThereAndBelongsToItsCall) {
  {
    const auto segment = Begin(1);
    segment->trace.Rotated({{.first_segment = 0, .last_segment = 0, .launches = 3, .last_correlation = 30}});
    Carry(segment.get(), 0x1000);
    segment->CallWithKernel(0);
    segment->trace.Allocation({.correlation = 190,
                               .time_ns = segment->Time(5),
                               .address = 0x1000,
                               .operation = format::AllocationOperation::kRelease});
    segment->trace.Close();
  }
  const Analysis analysis = Analyze();
  const SliceProfile& slice = analysis.profile.slices[0];
  EXPECT_EQ(slice.metrics.memory.peak_bytes, 100u);
  EXPECT_EQ(slice.metrics.memory.unknown_releases, 0u);
  EXPECT_EQ(slice.metrics.memory.allocations, 0u) << "it was not allocated in this window";
  EXPECT_EQ(slice.allocated_bytes, 0u);
  EXPECT_EQ(slice.first_ns, 2 * kSegmentNs);
  EXPECT_EQ(Below(analysis, slice.memory, "setup").self_ns, 100u);
}

TEST_F(CarriedMemory, IsNotReadTwice) {
  {
    const auto first = Begin(0);
    first->trace.Allocation({.correlation = 7, .time_ns = first->Time(0), .address = 0x1000, .bytes = 100});
    first->CallWithKernel(1);
    first->trace.Flush();
    const auto second = Begin(1);
    Carry(second.get(), 0x1000);
    second->CallWithKernel(1);
    second->trace.Close();
  }
  const MemoryUse memory = Analyze().profile.slices[0].metrics.memory;
  EXPECT_EQ(memory.allocations, 1u);
  EXPECT_EQ(memory.peak_bytes, 100u);
  EXPECT_EQ(memory.live_at_end_bytes, 100u);
}

TEST_F(CarriedMemory, AfterAGapOnlyWhatIsToldAgainIsThere) {
  {
    const auto first = Begin(0);
    first->trace.Allocation({.correlation = 7, .time_ns = first->Time(0), .address = 0x1000, .bytes = 100});
    first->trace.Allocation({.correlation = 8, .time_ns = first->Time(0), .address = 0x2000, .bytes = 200});
    first->CallWithKernel(1);
    first->trace.Flush();
    const auto later = Begin(2);  // the larger one was released meanwhile
    later->trace.Rotated({{.first_segment = 1, .last_segment = 1, .launches = 1}});
    Carry(later.get(), 0x1000);
    later->CallWithKernel(1);
    later->trace.Close();
  }
  const MemoryUse memory = Analyze().profile.slices[0].metrics.memory;
  EXPECT_EQ(memory.peak_bytes, 300u);
  EXPECT_EQ(memory.live_at_end_bytes, 100u);
  EXPECT_EQ(memory.allocations, 2u);
}

TEST_F(RecordingsTest, DeletedFilesThatCannotBeAreDamage) {
  for (const RotatedRow& row : std::vector<RotatedRow>{{.first_segment = 0, .last_segment = 5, .segments = 6},
                                                       {.first_segment = 2, .last_segment = 1, .segments = 1},
                                                       {.first_segment = 0, .last_segment = 1, .segments = 3},
                                                       {.first_segment = 0, .last_segment = 1, .segments = 0}}) {
    WritePlain(4, {row});
    const Analysis analysis = Analyze();
    EXPECT_GT(analysis.profile.slices[0].health.damaged_bytes, 0u);
    EXPECT_EQ(analysis.profile.slices[0].health.launches, 2u);
    EXPECT_EQ(analysis.profile.slices[0].health.rotated_files, 0u);
  }
}

}  // namespace
}  // namespace migprof::analyze
