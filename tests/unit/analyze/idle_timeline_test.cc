// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/idle_timeline.h"

#include <gtest/gtest.h>

#include <random>

#include "libmigprof/analyze/busy_time.h"

namespace migprof::analyze {
namespace {

// Parts of gaps, in order of time and in none, against a count nanosecond by nanosecond.
TEST(IdleTimeline, Bins_AreWhatCountingSays) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    constexpr uint64_t kFirst = 1'700'000'000'000'000'000;
    const uint64_t window = 1 + random() % 3000;
    IdleTimeline timeline(kFirst, window);
    std::vector<IdleTimeline::Bin> expected(BinCount(window));
    uint64_t at = 0;
    for (int part = 0; part < 60; ++part) {
      if (round % 2 != 0) at = random() % (window + 1);
      const uint64_t end = std::min(window, at + random() % (1 + random() % (window / 4 + 1)));
      const size_t cause = random() % kIdleCauses;
      timeline.Add(static_cast<IdleCause>(cause), kFirst + at, kFirst + end);
      for (; at < end; ++at) ++expected[at / BinLength(window)][cause];
    }
    ASSERT_EQ(timeline.bins(), expected) << window;
  }
}

TEST(IdleTimeline, EmptyWindow_HasNoBins) {
  IdleTimeline timeline(5, 0);
  timeline.Add(IdleCause::kHost, 5, 5);
  timeline.Add(IdleCause::kHost, 5, 9);
  EXPECT_TRUE(timeline.bins().empty());
}

}  // namespace
}  // namespace migprof::analyze
