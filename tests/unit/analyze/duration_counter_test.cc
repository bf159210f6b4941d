// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/duration_counter.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace migprof::analyze {
namespace {

// Values at both edges of every bucket there is, and others of every size.
std::vector<uint64_t> Values() {
  std::vector<uint64_t> values = {0, UINT64_MAX};
  const uint32_t last = QuantileSketch::BucketOf(UINT64_MAX);
  for (uint32_t bucket = 1; bucket <= last; ++bucket) {
    values.push_back(QuantileSketch::SmallestOf(bucket));
    values.push_back(QuantileSketch::SmallestOf(bucket) - 1);
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) values.push_back(random() >> random() % 64);
  return values;
}

TEST(DurationCounter, Counts_AreThoseOfTheSketch) {
  QuantileSketch sketch;
  DurationCounter counter;
  for (const uint64_t value : Values()) {
    sketch.Add(value);
    counter.Add(value);
  }
  EXPECT_EQ(counter.Take().counts(), sketch.counts());
}

TEST(DurationCounter, ManyTimesTheSame_DoNotOverflow) {
  DurationCounter counter;
  constexpr uint64_t kTimes = 3 * (uint64_t{1} << 16) + 5;
  for (uint64_t i = 0; i < kTimes; ++i) counter.Add(1000);
  EXPECT_EQ(counter.Take().counts()[QuantileSketch::BucketOf(1000)], kTimes);
}

TEST(DurationCounter, Nothing_IsEmpty) { EXPECT_EQ(DurationCounter().Take().count(), 0u); }

}  // namespace
}  // namespace migprof::analyze
