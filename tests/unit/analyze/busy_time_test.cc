// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/busy_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace migprof::analyze {
namespace {

constexpr uint64_t kFirst = 1000;

WorkInterval Kernel(uint64_t start, uint64_t end, uint32_t site = 0) { return {start, end, {.site = site}, true}; }
WorkInterval Copy(uint64_t start, uint64_t end, uint32_t site = 0) { return {start, end, {.site = site}, false}; }

uint64_t Sum(const Timeline& timeline, uint64_t Timeline::Bin::*share) {
  uint64_t sum = 0;
  for (const Timeline::Bin& bin : timeline.bins) sum += bin.*share;
  return sum;
}

uint64_t Count(const std::vector<bool>& flags, uint64_t begin, uint64_t end) {
  return static_cast<uint64_t>(
      std::count(flags.begin() + static_cast<ptrdiff_t>(begin), flags.begin() + static_cast<ptrdiff_t>(end), true));
}

TEST(BusyTime, OverlapsAndGaps_AreCountedOnce) {
  BusyTime busy;
  for (const auto& [start, end] : {std::pair(10, 20), {15, 25}, {40, 50}, {42, 45}, {25, 30} /* touches */, {60, 60}}) {
    busy.Add(Kernel(static_cast<uint64_t>(start), static_cast<uint64_t>(end)));
  }
  busy.Add(Copy(28, 42));
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(busy.busy_ns(), 40u);
  EXPECT_EQ(busy.kernel_ns(), 30u);
}

TEST(BusyTime, Nothing_IsZero) {
  BusyTime busy;
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(busy.busy_ns(), 0u);
}

TEST(BusyTime, RandomIntervalsWithSettlements_EqualTheReference) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<WorkInterval> work(1 + random() % 200);
    for (WorkInterval& interval : work) {
      interval.start = random() % 10'000;
      interval.end = interval.start + random() % (round % 2 == 0 ? 50 : 3000);
      interval.is_kernel = random() % 3 != 0;
    }
    std::sort(work.begin(), work.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
    // Disorder within a window of ten, as from buffers of several streams.
    for (size_t i = 0; i + 10 < work.size(); i += 10) {
      std::shuffle(work.begin() + static_cast<ptrdiff_t>(i), work.begin() + static_cast<ptrdiff_t>(i + 10), random);
    }
    BusyTime busy;
    // The slow reference: one flag per unit of time.
    std::vector<bool> any(20'000), kernel(20'000);
    for (size_t i = 0; i < work.size(); ++i) {
      busy.Add(work[i]);
      for (uint64_t t = work[i].start; t < work[i].end; ++t) {
        any[t] = true;
        if (work[i].is_kernel) kernel[t] = true;
      }
      if (i % 10 == 9 && i + 1 < work.size()) {
        uint64_t earliest = UINT64_MAX;
        for (size_t j = i + 1; j < work.size(); ++j) earliest = std::min(earliest, work[j].start);
        busy.SettleBefore(earliest);
      }
    }
    busy.SettleBefore(UINT64_MAX);
    ASSERT_EQ(busy.busy_ns(), Count(any, 0, any.size())) << round;
    ASSERT_EQ(busy.kernel_ns(), Count(kernel, 0, kernel.size())) << round;
  }
}

struct Gap {
  uint64_t start;
  uint64_t end;
  uint32_t ended_by;
  bool operator==(const Gap&) const = default;
};

TEST(BusyTime, Gaps_AreToldWithWhatEndedThem) {
  BusyTime busy;
  busy.SetBegin(5);
  busy.Add(Kernel(10, 20, 1));
  busy.Add(Kernel(15, 30, 2));
  busy.Add(Kernel(50, 60, 3));
  busy.Add(Copy(40, 45, 4));
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

TEST(BusyTime, GapsAndIntervals_AddUp) {
  std::mt19937_64 random(11);
  BusyTime busy;
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
    busy.Add(Kernel(start, start + random() % 12));
    if (i % 97 == 0) busy.SettleBefore(i * 10, tell);
  }
  busy.SettleBefore(UINT64_MAX, tell);
  EXPECT_EQ(busy.busy_ns() + idle, busy.covered_until());
}

TEST(BusyTime, EqualStarts_StayInTheOrderTheyCameIn) {
  BusyTime busy;
  for (uint32_t site = 1; site <= 100; ++site) busy.Add(Kernel(100, 110, site));
  busy.Add(Kernel(50, 60, 101));
  std::vector<Gap> gaps;
  busy.SettleBefore(UINT64_MAX, [&gaps](uint64_t start, uint64_t end, const WorkOrigin& origin) {
    gaps.push_back({start, end, origin.site});
  });
  EXPECT_EQ(gaps, (std::vector<Gap>{{0, 50, 101}, {60, 100, 1}}));
}

TEST(BusyTime, SettledTime_TakesNoMemory) {
  BusyTime busy;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    busy.Add(Kernel(i * 10, i * 10 + 5));
    if (i % 1000 == 999) busy.SettleBefore((i + 1) * 10);
    ASSERT_LE(busy.pending(), 1000u);
  }
  EXPECT_EQ(busy.busy_ns(), 5'000'000u);
}

TEST(BusyTime, BrokenPromise_NeverCountsTimeTwice) {
  BusyTime busy;
  busy.Add(Kernel(0, 100));
  busy.SettleBefore(100);
  busy.Add(Kernel(50, 150));
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(busy.busy_ns(), 150u);
  EXPECT_EQ(busy.kernel_ns(), 150u);
}

TEST(BusyTime, DisorderWithoutBounds_IsNotKept) {
  BusyTime busy;
  constexpr uint64_t kIntervals = 3 * BusyTime::kMostPending;
  for (uint64_t i = 1; i <= kIntervals; ++i) {
    busy.Add(Kernel(i * 10, i * 10 + 5));
    if (i % 100'000 != 0) continue;
    busy.SettleBefore(1);
    ASSERT_LE(busy.pending(), 2 * BusyTime::kMostPending);
  }
  busy.Add(Kernel(12, 25));  // after what is summed up already
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(busy.busy_ns(), kIntervals * 5);
}

// The timeline.

TEST(BusyTime, BinsCoverTheWindow) {
  for (const uint64_t window : {uint64_t{1}, uint64_t{239}, uint64_t{240}, uint64_t{241}, uint64_t{100'003}}) {
    BusyTime busy;
    busy.WantTimeline(kFirst, window);
    const uint64_t bins = busy.timeline().bins.size();
    EXPECT_LE(bins, BusyTime::kBins);
    EXPECT_GE(bins * busy.timeline().bin_ns, window);
    EXPECT_LT((bins - 1) * busy.timeline().bin_ns, window);
  }
  BusyTime busy;
  busy.WantTimeline(0, 0);
  busy.Add(Kernel(0, 1));
  busy.SettleBefore(UINT64_MAX);
  EXPECT_TRUE(busy.timeline().bins.empty());
}

TEST(BusyTime, Timeline_HasKernelsAndAllApart) {
  BusyTime busy;
  busy.WantTimeline(kFirst, 2400);  // 10 per bin
  busy.Add(Kernel(1000, 1015));
  busy.Add(Kernel(1005, 1008));
  busy.Add(Copy(1010, 1020));
  busy.Add(Kernel(1095, 1125));
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(busy.kernel_ns(), 15u + 30u);
  EXPECT_EQ(busy.busy_ns(), 20u + 30u);
  const std::vector<Timeline::Bin>& bins = busy.timeline().bins;
  EXPECT_EQ(bins[0].kernel_ns, 10u);
  EXPECT_EQ(bins[1].kernel_ns, 5u);
  EXPECT_EQ(bins[1].busy_ns, 10u);
  EXPECT_EQ(bins[9].busy_ns, 5u);
  EXPECT_EQ(bins[10].busy_ns, 10u);
  EXPECT_EQ(bins[11].busy_ns, 10u);
  EXPECT_EQ(bins[12].busy_ns, 5u);
  EXPECT_EQ(Sum(busy.timeline(), &Timeline::Bin::busy_ns), 50u);
}

TEST(BusyTime, WhatLiesOutsideOfTheWindow_IsInNoBin) {
  BusyTime busy;
  busy.WantTimeline(kFirst, 100);
  for (const auto& [start, end] : {std::pair(0, 10), {900, 1001}, {1099, 5000}, {6000, 7000}}) {
    busy.Add(Kernel(static_cast<uint64_t>(start), static_cast<uint64_t>(end)));
  }
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(busy.kernel_ns(), 10u + 101u + 3901u + 1000u);
  EXPECT_EQ(Sum(busy.timeline(), &Timeline::Bin::kernel_ns), 2u);
}

TEST(BusyTime, TimelineInAnyOrderWithAnySettlements_EqualsASlowCount) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    constexpr uint64_t kWindow = 1000;
    BusyTime busy;
    busy.WantTimeline(kFirst, kWindow);
    std::vector<bool> kernel(kWindow), any(kWindow);
    for (uint64_t settled = 0; settled < kWindow; settled += 100) {
      for (int i = 0; i < 8; ++i) {
        const uint64_t start = settled + random() % (kWindow - settled);
        const uint64_t end = std::min(kWindow, start + random() % 30);
        const bool is_kernel = random() % 2 == 0;
        busy.Add({kFirst + start, kFirst + end, {}, is_kernel});
        for (uint64_t t = start; t < end; ++t) {
          any[t] = true;
          if (is_kernel) kernel[t] = true;
        }
      }
      busy.SettleBefore(kFirst + settled + 100);
    }
    busy.SettleBefore(UINT64_MAX);
    EXPECT_EQ(busy.kernel_ns(), Count(kernel, 0, kWindow));
    EXPECT_EQ(busy.busy_ns(), Count(any, 0, kWindow));
    const uint64_t length = busy.timeline().bin_ns;
    for (size_t bin = 0; bin < busy.timeline().bins.size(); ++bin) {
      const uint64_t end = std::min(kWindow, (bin + 1) * length);
      ASSERT_EQ(busy.timeline().bins[bin].kernel_ns, Count(kernel, bin * length, end));
      ASSERT_EQ(busy.timeline().bins[bin].busy_ns, Count(any, bin * length, end));
    }
  }
}

TEST(BusyTime, Listeners_AreToldWhatIsSummedUp) {
  BusyAtEdges all({100, 200, 300});
  BusyAtEdges kernels({100, 200, 300});
  BusyTime busy;
  busy.Tell(&all, &kernels);
  busy.Add(Kernel(150, 160));
  busy.Add(Kernel(90, 120));
  busy.Add(Copy(110, 155));
  busy.Add(Copy(290, 500));
  busy.SettleBefore(UINT64_MAX);
  EXPECT_EQ(all.Between(100, 200), 60u);
  EXPECT_EQ(kernels.Between(100, 200), 20u + 10u);
  EXPECT_EQ(all.Between(200, 300), 10u);
  EXPECT_EQ(kernels.Between(200, 300), 0u);
}

}  // namespace
}  // namespace migprof::analyze
