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

}  // namespace
}  // namespace migprof::analyze
