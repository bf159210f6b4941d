// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/quantile_sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace migprof::analyze {
namespace {

std::vector<uint64_t> Durations(size_t count, uint32_t seed) {
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> shape(9, 3);  // from nanoseconds to minutes
  std::vector<uint64_t> values(count);
  for (uint64_t& value : values) value = static_cast<uint64_t>(shape(random));
  return values;
}

TEST(QuantileSketch, Quantile_IsWithinItsErrorOfTheSortedValues) {
  std::vector<uint64_t> values = Durations(20'001, 1);
  QuantileSketch sketch;
  for (const uint64_t value : values) sketch.Add(value);
  std::sort(values.begin(), values.end());
  for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.9999, 1.0}) {
    const auto rank = std::max<size_t>(static_cast<size_t>(std::ceil(q * static_cast<double>(values.size()))), 1);
    const auto exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(sketch.Quantile(q)), exact, exact / 128 + 0.5) << q;
  }
}

TEST(QuantileSketch, SmallValues_AreExact) {
  QuantileSketch sketch;
  for (uint64_t value = 0; value < 64; ++value) sketch.Add(value);
  for (uint64_t value = 0; value < 64; ++value) {
    EXPECT_EQ(sketch.Quantile(static_cast<double>(value + 1) / 64), value);
  }
}

TEST(QuantileSketch, EveryValue_IsInTheBucketThatHoldsIt) {
  for (uint64_t value : {uint64_t{0}, uint64_t{63}, uint64_t{64}, uint64_t{65}, uint64_t{127}, uint64_t{128},
                         uint64_t{1'000'000'007}, UINT64_MAX}) {
    const uint32_t bucket = QuantileSketch::BucketOf(value);
    EXPECT_LE(QuantileSketch::SmallestOf(bucket), value);
    if (value != UINT64_MAX) {
      EXPECT_GT(QuantileSketch::SmallestOf(bucket + 1), value);
    }
  }
}

TEST(QuantileSketch, PartsMergedInAnyOrder_GiveTheSame) {
  QuantileSketch whole, left, right;
  const std::vector<uint64_t> values = Durations(5000, 2);
  for (size_t i = 0; i < values.size(); ++i) {
    whole.Add(values[i]);
    (i % 3 == 0 ? left : right).Add(values[i]);
  }
  QuantileSketch one = left, other = right;
  one.Merge(right);
  other.Merge(left);
  EXPECT_EQ(one.counts(), whole.counts());
  EXPECT_EQ(other.counts(), whole.counts());
  EXPECT_EQ(one.count(), 5000u);
}

TEST(QuantileSketch, Empty_SaysZero) { EXPECT_EQ(QuantileSketch().Quantile(0.5), 0u); }

}  // namespace
}  // namespace migprof::analyze
