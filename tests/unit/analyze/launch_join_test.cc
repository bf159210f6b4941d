// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/launch_join.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

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

TEST(LaunchJoin, IdsFarApart_AreBoundedAndCounted) {
  LaunchJoin join;
  constexpr uint32_t kCalls = 1'000'000;
  constexpr uint32_t kStride = 0x9E3779B1;  // odd: every id is a different one
  for (uint32_t i = 1; i <= kCalls; ++i) {
    join.AddCall(i * kStride, i);
    ASSERT_EQ(join.Match(i * kStride), i);
    ASSERT_LE(join.waiting(), 2 * LaunchJoin::kMostPages);
    // What comes a little later still finds its call.
    if (i > 100'000) {
      ASSERT_EQ(join.Match((i - 100'000) * kStride), i - 100'000);
    }
  }
  EXPECT_EQ(join.Finish().matched, kCalls);
  EXPECT_EQ(join.waiting(), 0u);
}

// Against the obvious: a map from id to call.
TEST(LaunchJoin, RandomOrder_EqualsAMap) {
  std::mt19937 random(7);
  LaunchJoin join;
  std::unordered_map<uint32_t, CallSiteId> expected;
  uint64_t orphaned = 0;
  for (CallSiteId i = 1; i <= 100'000; ++i) {
    const uint32_t id = random() % 4096 * (random() % 2 == 0 ? 1 : 1'048'573);
    join.AddCall(id, i, i, static_cast<uint16_t>(i));
    expected[id] = i;
    const uint32_t asked = random() % 4096;
    const auto known = expected.find(asked);
    uint64_t time_ns = 0;
    uint16_t thread = 0;
    ASSERT_EQ(join.Match(asked, &time_ns, &thread), known != expected.end() ? known->second : kUnknownSite);
    orphaned += known == expected.end();
    if (known != expected.end()) {
      ASSERT_EQ(time_ns, known->second);
      ASSERT_EQ(thread, static_cast<uint16_t>(known->second));
    }
  }
  const LaunchJoin::Counts& counts = join.Finish();
  EXPECT_EQ(counts.orphaned, orphaned);
  EXPECT_EQ(counts.matched + counts.unmatched, 100'000u);
}

}  // namespace
}  // namespace migprof::analyze
