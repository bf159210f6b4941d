// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/interval_union.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace migprof::analyze {
namespace {

using Intervals = std::vector<std::pair<uint64_t, uint64_t>>;

// The slow reference: one flag per unit of time.
uint64_t Reference(const Intervals& intervals) {
  std::vector<bool> busy(20'000);
  for (const auto& [start, end] : intervals) std::fill(busy.begin() + start, busy.begin() + end, true);
  return static_cast<uint64_t>(std::count(busy.begin(), busy.end(), true));
}

TEST(IntervalUnion, OverlapsAndGaps_AreCountedOnce) {
  IntervalUnion busy;
  busy.Add(10, 20);
  busy.Add(15, 25);
  busy.Add(40, 50);
  busy.Add(42, 45);
  busy.Add(25, 30);  // touches
  busy.Add(60, 60);  // empty
  EXPECT_EQ(busy.Finish(), 30u);
}

TEST(IntervalUnion, Nothing_IsZero) {
  IntervalUnion busy;
  EXPECT_EQ(busy.Finish(), 0u);
}

TEST(IntervalUnion, RandomIntervalsWithSettlements_EqualTheReference) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    Intervals intervals(1 + random() % 200);
    for (auto& [start, end] : intervals) {
      start = random() % 10'000;
      end = start + random() % (round % 2 == 0 ? 50 : 3000);
    }
    std::sort(intervals.begin(), intervals.end());
    // Disorder within a window of ten, as from buffers of several streams.
    for (size_t i = 0; i + 10 < intervals.size(); i += 10) {
      std::shuffle(intervals.begin() + static_cast<ptrdiff_t>(i), intervals.begin() + static_cast<ptrdiff_t>(i + 10),
                   random);
    }
    IntervalUnion busy;
    for (size_t i = 0; i < intervals.size(); ++i) {
      busy.Add(intervals[i].first, intervals[i].second);
      if (i % 10 == 9 && i + 1 < intervals.size()) {
        uint64_t earliest = UINT64_MAX;
        for (size_t j = i + 1; j < intervals.size(); ++j) earliest = std::min(earliest, intervals[j].first);
        busy.SettleBefore(earliest);
      }
    }
    EXPECT_EQ(busy.Finish(), Reference(intervals)) << round;
  }
}

struct Gap {
  uint64_t start;
  uint64_t end;
  uint32_t ended_by;
  bool operator==(const Gap&) const = default;
};

TEST(IntervalUnion, Gaps_AreToldWithWhatEndedThem) {
  IntervalUnion busy;
  busy.SetBegin(5);
  busy.Add(10, 20, {.site = 1});
  busy.Add(15, 30, {.site = 2});
  busy.Add(50, 60, {.site = 3});
  busy.Add(40, 45, {.site = 4});
  std::vector<Gap> gaps;
  const auto tell = [&gaps](uint64_t start, uint64_t end, const WorkOrigin& origin) {
    gaps.push_back({start, end, origin.site});
  };
  busy.SettleBefore(12, tell);  // in the middle of one
  EXPECT_EQ(gaps, (std::vector<Gap>{{5, 10, 1}}));
  busy.SettleBefore(UINT64_MAX, tell);
  EXPECT_EQ(gaps, (std::vector<Gap>{{5, 10, 1}, {30, 40, 4}, {45, 50, 3}}));
  EXPECT_EQ(busy.covered_until(), 60u);
}

TEST(IntervalUnion, GapsAndIntervals_AddUp) {
  std::mt19937_64 random(11);
  IntervalUnion busy;
  uint64_t idle = 0;
  uint64_t last = 0;
  const auto tell = [&](uint64_t start, uint64_t end, const WorkOrigin&) {
    EXPECT_GE(start, last);
    EXPECT_GT(end, start);
    last = end;
    idle += end - start;
  };
  for (uint64_t i = 0; i < 50'000; ++i) {
    const uint64_t start = i * 10 + random() % 40;
    busy.Add(start, start + random() % 12);
    if (i % 97 == 0) busy.SettleBefore(i * 10, tell);
  }
  busy.SettleBefore(UINT64_MAX, tell);
  EXPECT_EQ(busy.Finish() + idle, busy.covered_until());
}

TEST(IntervalUnion, SettledTime_TakesNoMemory) {
  IntervalUnion busy;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    busy.Add(i * 10, i * 10 + 5);
    if (i % 1000 == 999) busy.SettleBefore((i + 1) * 10);
    ASSERT_LE(busy.pending(), 1000u);
  }
  EXPECT_EQ(busy.Finish(), 5'000'000u);
}

TEST(IntervalUnion, BrokenPromise_NeverCountsTimeTwice) {
  IntervalUnion busy;
  busy.Add(0, 100);
  busy.SettleBefore(100);
  busy.Add(50, 150);
  EXPECT_EQ(busy.Finish(), 150u);
}

TEST(IntervalUnion, DisorderWithoutBounds_IsNotKept) {
  IntervalUnion busy;
  constexpr uint64_t kIntervals = 3 * IntervalUnion::kMostPending;
  for (uint64_t i = 1; i <= kIntervals; ++i) {
    busy.Add(i * 10, i * 10 + 5);
    if (i % 100'000 != 0) continue;
    busy.SettleBefore(1);
    ASSERT_LE(busy.pending(), 2 * IntervalUnion::kMostPending);
  }
  busy.Add(12, 25);  // after what is summed up already
  EXPECT_EQ(busy.Finish(), kIntervals * 5);
}

}  // namespace
}  // namespace migprof::analyze
