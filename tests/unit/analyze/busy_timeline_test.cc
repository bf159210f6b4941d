// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/busy_timeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace migprof::analyze {
namespace {

constexpr uint64_t kFirst = 1000;

uint64_t Sum(const Timeline& timeline, uint64_t Timeline::Bin::*share) {
  uint64_t sum = 0;
  for (const Timeline::Bin& bin : timeline.bins) sum += bin.*share;
  return sum;
}

TEST(BusyTimelineTest, BinsCoverTheWindow) {
  for (const uint64_t window : {uint64_t{1}, uint64_t{239}, uint64_t{240}, uint64_t{241}, uint64_t{100'003}}) {
    const BusyTimeline timeline(kFirst, window);
    const uint64_t bins = timeline.timeline().bins.size();
    EXPECT_LE(bins, BusyTimeline::kBins);
    EXPECT_GE(bins * timeline.timeline().bin_ns, window);
    EXPECT_LT((bins - 1) * timeline.timeline().bin_ns, window);
  }
  EXPECT_TRUE(BusyTimeline(0, 0).timeline().bins.empty());
}

TEST(BusyTimelineTest, OverlapCountsOnce_KernelsAndAllApart) {
  BusyTimeline timeline(kFirst, 2400);  // 10 per bin
  timeline.AddKernel(1000, 1015);
  timeline.AddKernel(1005, 1008);
  timeline.AddOther(1010, 1020);
  timeline.AddKernel(1095, 1125);
  timeline.SettleBefore(UINT64_MAX);
  EXPECT_EQ(timeline.kernel_ns(), 15u + 30u);
  EXPECT_EQ(timeline.busy_ns(), 20u + 30u);
  const std::vector<Timeline::Bin>& bins = timeline.timeline().bins;
  EXPECT_EQ(bins[0].kernel_ns, 10u);
  EXPECT_EQ(bins[1].kernel_ns, 5u);
  EXPECT_EQ(bins[1].busy_ns, 10u);
  EXPECT_EQ(bins[9].busy_ns, 5u);
  EXPECT_EQ(bins[10].busy_ns, 10u);
  EXPECT_EQ(bins[11].busy_ns, 10u);
  EXPECT_EQ(bins[12].busy_ns, 5u);
  EXPECT_EQ(Sum(timeline.timeline(), &Timeline::Bin::busy_ns), 50u);
}

TEST(BusyTimelineTest, WhatLiesOutsideOfTheWindow_IsInNoBin) {
  BusyTimeline timeline(kFirst, 100);
  timeline.AddKernel(0, 10);
  timeline.AddKernel(900, 1001);
  timeline.AddKernel(1099, 5000);
  timeline.AddKernel(6000, 7000);
  timeline.SettleBefore(UINT64_MAX);
  EXPECT_EQ(timeline.kernel_ns(), 10u + 101u + 3901u + 1000u);
  EXPECT_EQ(Sum(timeline.timeline(), &Timeline::Bin::kernel_ns), 2u);
}

TEST(BusyTimelineTest, AnyOrderAndAnySettlements_GiveTheSameAsASlowCount) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    constexpr uint64_t kWindow = 1000;
    BusyTimeline timeline(kFirst, kWindow);
    std::vector<bool> kernel(kWindow), any(kWindow);
    for (uint64_t settled = 0; settled < kWindow; settled += 100) {
      for (int i = 0; i < 8; ++i) {
        const uint64_t start = settled + random() % (kWindow - settled);
        const uint64_t end = std::min(kWindow, start + random() % 30);
        const bool is_kernel = random() % 2 == 0;
        if (is_kernel) {
          timeline.AddKernel(kFirst + start, kFirst + end);
        } else {
          timeline.AddOther(kFirst + start, kFirst + end);
        }
        for (uint64_t t = start; t < end; ++t) {
          any[t] = true;
          if (is_kernel) kernel[t] = true;
        }
      }
      timeline.SettleBefore(kFirst + settled + 100);
    }
    timeline.SettleBefore(UINT64_MAX);
    EXPECT_EQ(timeline.kernel_ns(), static_cast<uint64_t>(std::count(kernel.begin(), kernel.end(), true)));
    EXPECT_EQ(timeline.busy_ns(), static_cast<uint64_t>(std::count(any.begin(), any.end(), true)));
    const uint64_t length = timeline.timeline().bin_ns;
    for (size_t bin = 0; bin < timeline.timeline().bins.size(); ++bin) {
      const auto begin = static_cast<ptrdiff_t>(bin * length);
      const auto end = static_cast<ptrdiff_t>(std::min(kWindow, (bin + 1) * length));
      ASSERT_EQ(timeline.timeline().bins[bin].kernel_ns,
                static_cast<uint64_t>(std::count(kernel.begin() + begin, kernel.begin() + end, true)));
      ASSERT_EQ(timeline.timeline().bins[bin].busy_ns,
                static_cast<uint64_t>(std::count(any.begin() + begin, any.begin() + end, true)));
    }
  }
}

}  // namespace
}  // namespace migprof::analyze
