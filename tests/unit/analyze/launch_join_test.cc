// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/launch_join.h"

#include <gtest/gtest.h>

namespace migprof::analyze {
namespace {

TEST(LaunchJoin, EveryCall_EndsInExactlyOneCount) {
  LaunchJoin join;
  for (uint32_t i = 1; i <= 4; ++i) join.AddCall(i, i + 10);
  join.AddOutcome(2, format::CallOutcome::kFailed);
  join.AddOutcome(3, format::CallOutcome::kCaptured);
  EXPECT_EQ(join.Match(1), 11u);
  EXPECT_EQ(join.Match(99), kUnknownSite);
  const LaunchJoin::Counts counts = join.Finish();
  EXPECT_EQ(counts.launches, 4u);
  EXPECT_EQ(counts.matched, 1u);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.captured, 1u);
  EXPECT_EQ(counts.unmatched, 1u);
  EXPECT_EQ(counts.orphaned, 1u);
}

TEST(LaunchJoin, OneCallWithManyActivities_MatchesAll) {
  LaunchJoin join;
  join.AddCall(7, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(join.Match(7), 3u);
  EXPECT_EQ(join.Finish().matched, 1u);
  EXPECT_EQ(join.Finish().orphaned, 0u);
}

TEST(LaunchJoin, CorrelationUsedAgain_IsANewCall) {
  LaunchJoin join;
  join.AddCall(7, 1);
  EXPECT_EQ(join.Match(7), 1u);
  join.AddCall(7, 2);
  EXPECT_EQ(join.Match(7), 2u);
  join.AddCall(7, 3);
  const LaunchJoin::Counts counts = join.Finish();
  EXPECT_EQ(counts.launches, 3u);
  EXPECT_EQ(counts.matched, 2u);
  EXPECT_EQ(counts.unmatched, 1u);
}

TEST(LaunchJoin, MatchedCalls_AreNotKeptForever) {
  LaunchJoin join;
  for (uint32_t i = 1; i <= 3'000'000; ++i) {
    join.AddCall(i, 1);
    join.Match(i);
    ASSERT_LE(join.waiting(), 300'000u);
  }
  EXPECT_EQ(join.Finish().matched, 3'000'000u);
}

TEST(LaunchJoin, ActivityAMillionCallsLate_StillFindsItsCall) {
  LaunchJoin join;
  constexpr uint32_t kLate = 1'000'000;
  for (uint32_t i = 1; i <= 2 * kLate; ++i) {
    join.AddCall(i, i);
    if (i > kLate) {
      ASSERT_EQ(join.Match(i - kLate), i - kLate);
    }
  }
  EXPECT_EQ(join.Finish().orphaned, 0u);
}

TEST(LaunchJoin, CallsThatNeverRun_AreBounded) {
  LaunchJoin join;
  constexpr uint32_t kCalls = 12'000'000;
  for (uint32_t i = 1; i <= kCalls; ++i) join.AddCall(i, 1);
  EXPECT_LE(join.waiting(), 3'300'000u);
  EXPECT_EQ(join.Finish().unmatched, kCalls);
}

}  // namespace
}  // namespace migprof::analyze
