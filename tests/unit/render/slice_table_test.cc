// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/slice_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/recorder_cost.h"
#include "tests/unit/render/golden.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Table(const analyze::Profile& profile, const SliceTableOptions& options = {}) {
  std::ostringstream out;
  WriteSliceTable(profile, options, out);
  return out.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream lines(text);
  std::vector<std::string> result;
  for (std::string line; std::getline(lines, line);) result.push_back(line);
  return result;
}

TEST(WriteSliceTable, SampleProfile_IsAsItEverWas) { ExpectGolden("sample.table.txt", Table(SampleProfile())); }

TEST(WriteSliceTable, HostileNames_AreAsTheyEverWere) { ExpectGolden("hostile.table.txt", Table(HostileProfile())); }

TEST(WriteSliceTable, Ascii_HasNoOtherByte) {
  const std::string table =
      Table(HostileProfile(), {.width = 120, .ascii = true}) + Table(SampleProfile(), {.width = 120, .ascii = true});
  for (const char c : table) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7F)) << table;
  ExpectGolden("sample.ascii_table.txt", Table(SampleProfile(), {.width = 120, .ascii = true}));
}

TEST(WriteSliceTable, EveryRow_FitsAndIsAligned) {
  analyze::Profile profile = SampleProfile();
  profile.slices[0].host = "a-very-long-host-name-with-a-domain.cluster.example.org";
  profile.slices[1].host = "日本語のとても長いホスト名.example.jp";
  profile.slices[2].kernels.count = 123'456'789'012;
  profile.slices[3].identity.gpu_name = "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition";
  for (const size_t width : {110u, 120u, 160u}) {
    const std::vector<std::string> lines = Lines(Table(profile, {.width = width}));
    const size_t end_of_health = DisplayCells(lines[2]);
    for (size_t i = 1; i < 7; ++i) {
      EXPECT_LE(DisplayCells(lines[i]), width) << lines[i];
      // The last column begins below its head.
      if (i > 2) {
        EXPECT_GE(DisplayCells(lines[i]), end_of_health - 4) << lines[i];
      }
    }
  }
}

TEST(WriteSliceTable, SimulatedGpu_IsSaidFirst) {
  EXPECT_THAT(Lines(Table(SampleProfile()))[0], HasSubstr("SIMULATED GPU: no hardware ran this"));
  analyze::Profile profile = SampleProfile();
  profile.slices[0].simulated = false;
  EXPECT_THAT(Table(profile), HasSubstr("the slices marked [sim]"));
  profile.simulated = false;
  for (analyze::SliceProfile& slice : profile.slices) slice.simulated = false;
  EXPECT_THAT(Table(profile), Not(HasSubstr("SIMULATED")));
}

TEST(WriteSliceTable, GpusOfOneNameOnOneHost_AreToldApart) {
  analyze::Profile profile = SampleProfile();
  EXPECT_THAT(Table(profile), Not(HasSubstr("1a2b3c4d")));
  profile.slices[1].identity.gpu_uuid = "GPU-55667788-0000-0000-0000-000000000000";
  EXPECT_THAT(Table(profile, {.width = 140}), HasSubstr("H100 80GB HBM3 1a2b3c4d"));
  EXPECT_THAT(Table(profile, {.width = 140}), HasSubstr("H100 80GB HBM3 55667788"));
}

TEST(WriteSliceTable, SlicesWithLosses_AreListedBelow) {
  const std::vector<std::string> lines = Lines(Table(SampleProfile()));
  EXPECT_THAT(lines.back(), HasSubstr("node-b03"));
  EXPECT_THAT(lines.back(), HasSubstr("31 unmatched · 1,204 dropped"));
  EXPECT_THAT(lines.back(), HasSubstr("1 process killed"));
}

TEST(WriteSliceTable, GraphsRecordedAsAWhole_HaveALine) {
  EXPECT_THAT(Table(analyze::Profile(SampleProfile())), Not(HasSubstr("graphs recorded as a whole")));
  analyze::Profile profile = SampleProfile();
  for (analyze::SliceProfile& slice : profile.slices) slice.graph_runs = {};
  profile.slices[0].graph_runs = {.count = 3, .total_ns = 40'000};
  profile.slices[1].graph_runs = {.count = 4, .total_ns = 55'200};
  EXPECT_THAT(Table(profile), HasSubstr("graphs recorded as a whole, not in KERNELS: 7 (95.2 µs)\n"));
}

TEST(DescribeRecorderCost, Budget_IsSaidToBeKeptOrNot) {
  analyze::SliceProfile slice;
  slice.processes.emplace_back();
  slice.processes[0].recorder = {.own_ns = 3'000'000,
                                 .own_share_ppm = 31'000,
                                 .budget_ppm = 10'000,
                                 .last_level_share_ppm = 9'000,
                                 .highest_level = 8,
                                 .without_lines_ms = 3000,
                                 .sampled_ms = 2000,
                                 .whole_graphs_ms = 1000};
  slice.processes[0].window_ns = 4'000'000'000;
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&slice})),
            "3.00 ms, at most 3.1% of a thread's time; less detail to stay below MIGPROF_BUDGET in 1 process: "
            "no Python lines for 3.00 s, sampled stacks for 2.00 s, graphs as a whole for 1.00 s");
  slice.processes[0].recorder.last_level_share_ppm = 27'000;
  EXPECT_THAT(DescribeRecorderCost(SumRecorderCost({&slice})),
              ::testing::EndsWith("; above MIGPROF_BUDGET all the same (2.7%)"));
}

TEST(DescribeRecorderCost, LessDetail_LastsNoLongerThanTheWindow) {
  analyze::SliceProfile first;
  first.processes.emplace_back();
  first.processes[0].window_ns = 103'200'000;
  first.processes[0].recorder = {.own_ns = 3'000'000, .highest_level = 3, .sampled_ms = 1280};
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&first})),
            "3.00 ms; less detail to stay below MIGPROF_BUDGET in 1 process: sampled stacks for 103 ms");
  // Python launched on another slice only.
  analyze::SliceProfile second = first;
  second.processes[0].window_ns = 2'000'000'000;
  second.processes[0].recorder.without_lines_ms = 1500;
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&first, &second})),
            "3.00 ms; less detail to stay below MIGPROF_BUDGET in 1 process: no Python lines for 1.50 s, "
            "sampled stacks for 1.28 s");
}

// One slice with one process that has 5 threads too many for its memory.
analyze::SliceProfile SliceWithSmallRings(uint64_t dropped) {
  analyze::SliceProfile slice;
  slice.processes.emplace_back();
  slice.processes[0].recorder = {.own_ns = 3'000'000, .memory_most_bytes = 64 << 20, .small_rings = 5};
  slice.processes[0].health.dropped = dropped;
  return slice;
}

TEST(DescribeRecorderCost, SmallRings_AreNamedWhereCallsWereDropped) {
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({})), "");
  analyze::SliceProfile slice = SliceWithSmallRings(0);
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&slice})), "3.00 ms");
  slice = SliceWithSmallRings(7);
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&slice})),
            "3.00 ms; 5 threads had small rings, because of MIGPROF_MAX_MEMORY=64M");
  slice.processes[0].recorder.threads_without_ring = 2;
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&slice})),
            "3.00 ms; 5 threads had small rings and 2 none, because of MIGPROF_MAX_MEMORY=64M");
  slice.processes[0].recorder.small_rings = 0;
  slice.processes[0].recorder.threads_without_ring = 1;
  slice.processes[0].recorder.memory_most_bytes = (16 << 20) + 1024;
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&slice})),
            "3.00 ms; 1 thread had no ring, because of MIGPROF_MAX_MEMORY=16385K");
}

TEST(DescribeRecorderCost, SmallRings_AreOfTheProcessesThatLost) {
  analyze::SliceProfile first = SliceWithSmallRings(0), second = SliceWithSmallRings(1);
  // The same process on two slices.
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&first, &second})),
            "3.00 ms; 5 threads had small rings, because of MIGPROF_MAX_MEMORY=64M");
  second.processes[0].recording = "another";
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&first, &second})),
            "6.00 ms; 5 threads had small rings, because of MIGPROF_MAX_MEMORY=64M");
  first.processes[0].health.other_calls_dropped = 1;
  first.processes[0].recorder.memory_most_bytes = uint64_t{1} << 30;
  EXPECT_EQ(DescribeRecorderCost(SumRecorderCost({&first, &second})),
            "6.00 ms; 10 threads had small rings, because of MIGPROF_MAX_MEMORY");
}

TEST(WriteSliceTable, NoSlices_GiveASentence) {
  EXPECT_THAT(Table(analyze::Profile()), HasSubstr("No GPU activity was recorded"));
}

}  // namespace
}  // namespace migprof::render
