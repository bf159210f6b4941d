// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/human_units.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace migprof::render {
namespace {

TEST(HumanTime, EveryScale_HasThreeDigits) {
  EXPECT_EQ(HumanTime(0), "0 ns");
  EXPECT_EQ(HumanTime(999), "999 ns");
  EXPECT_EQ(HumanTime(1000), "1.00 µs");
  EXPECT_EQ(HumanTime(1000, /*ascii=*/true), "1.00 us");
  EXPECT_EQ(HumanTime(12'345), "12.3 µs");
  EXPECT_EQ(HumanTime(123'456'789), "123 ms");
  EXPECT_EQ(HumanTime(83'400'000'000), "83.4 s");
  EXPECT_EQ(HumanTime(119'400'000'000), "119 s");
}

TEST(HumanTime, Rounding_NeverReadsAThousand) {
  EXPECT_EQ(HumanTime(999'499), "999 µs");
  EXPECT_EQ(HumanTime(999'500), "1.00 ms");
  EXPECT_EQ(HumanTime(9'996), "10.0 µs");
  EXPECT_EQ(HumanTime(99'960), "100 µs");
}

TEST(HumanTime, LongTimes_AreInTwoUnits) {
  EXPECT_EQ(HumanTime(119'600'000'000), "2 min 0 s");
  EXPECT_EQ(HumanTime(754'000'000'000), "12 min 34 s");
  EXPECT_EQ(HumanTime(12'300'000'000'000), "3 h 25 min");
  EXPECT_EQ(HumanTime(273'600'000'000'000), "3 d 4 h");
  EXPECT_EQ(HumanTime(UINT64_MAX), "213,503 d 23 h");
}

TEST(HumanBytes, EveryScale_IsDecimal) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(4'100'000'000), "4.10 GB");
  EXPECT_EQ(HumanBytes(UINT64_MAX), "18.4 EB");
}

TEST(HumanCount, Thousands_AreGrouped) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1000), "1,000");
  EXPECT_EQ(HumanCount(1'234'567), "1,234,567");
  EXPECT_EQ(HumanCount(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(ShortCount(9'999'999), "9,999,999");
  EXPECT_EQ(ShortCount(12'345'678), "12.3 M");
}

TEST(Percent, SmallShares_AreNotRoundedToNothing) {
  EXPECT_EQ(Percent(0, 10), "0%");
  EXPECT_EQ(Percent(1, 1'000'000), "<0.01%");
  EXPECT_EQ(Percent(4, 10'000), "0.04%");
  EXPECT_EQ(Percent(712, 1000), "71.2%");
  EXPECT_EQ(Percent(10, 10), "100%");
  EXPECT_EQ(Percent(3, 0), "–");
  EXPECT_EQ(Percent(3, 0, /*ascii=*/true), "-");
}

TEST(CountOf, One_IsSingular) {
  EXPECT_EQ(CountOf(1, "process", "processes"), "1 process");
  EXPECT_EQ(CountOf(2000, "process", "processes"), "2,000 processes");
}

TEST(ClockTimeUtc, IsTheTimeOfDay) {
  EXPECT_EQ(ClockTimeUtc(0), "00:00:00 UTC");
  EXPECT_EQ(ClockTimeUtc(1'700'000'000'999'999'999), "22:13:20 UTC");
}

}  // namespace
}  // namespace migprof::render
