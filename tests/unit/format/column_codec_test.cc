// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/format/column_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace migprof::format {
namespace {

using Values = std::vector<uint64_t>;

Values RoundTrip(ColumnEncoding encoding, const Values& values, ColumnEntry* entry) {
  std::vector<uint8_t> payload = {0xAA, 0xBB, 0xCC};  // a column need not be the first
  *entry = EncodeColumn(7, encoding, values, &payload);
  payload.push_back(0xDD);
  Values decoded;
  EXPECT_TRUE(DecodeColumn(*entry, values.size(), payload, &decoded));
  return decoded;
}

void ExpectRoundTrip(const Values& values) {
  for (const ColumnEncoding encoding : {ColumnEncoding::kPlain, ColumnEncoding::kDelta}) {
    ColumnEntry entry{};
    EXPECT_EQ(RoundTrip(encoding, values, &entry), values);
  }
}

TEST(ColumnCodec, EdgeValues_SurviveBothEncodings) {
  ExpectRoundTrip({});
  ExpectRoundTrip({0});
  ExpectRoundTrip({UINT64_MAX});
  ExpectRoundTrip({0, UINT64_MAX, 0, UINT64_MAX, 1});
  // The escape marks of each width, and their neighbours.
  ExpectRoundTrip({254, 255, 256, 65534, 65535, 65536, UINT32_MAX - 1, UINT32_MAX, uint64_t{UINT32_MAX} + 1});
  ExpectRoundTrip(Values(1000, 255));
  ExpectRoundTrip({1ull << 63, (1ull << 63) - 1, (1ull << 63) + 1});
}

TEST(ColumnCodec, RandomValuesOfAllWidths_Survive) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    Values values(random() % 500);
    const int most_bits = 1 + static_cast<int>(random() % 64);
    for (uint64_t& value : values) value = random() >> (64 - 1 - random() % most_bits);
    ExpectRoundTrip(values);
  }
}

TEST(ColumnCodec, AllZeros_TakeNoBytes) {
  ColumnEntry entry{};
  RoundTrip(ColumnEncoding::kPlain, Values(1000, 0), &entry);
  EXPECT_EQ(entry.bytes, 0u);
}

TEST(ColumnCodec, OneWideValueAmongNarrow_BecomesAnEscape) {
  Values values(1000, 5);
  values[500] = 1ull << 40;
  ColumnEntry entry{};
  EXPECT_EQ(RoundTrip(ColumnEncoding::kPlain, values, &entry), values);
  EXPECT_EQ(entry.width, 1u);
  EXPECT_EQ(entry.escape_count, 1u);
  EXPECT_EQ(entry.bytes, 1008u);
}

TEST(ColumnCodec, SteadyTimes_AreNarrowAsDeltas) {
  Values times;
  for (uint64_t i = 0; i < 1000; ++i) times.push_back(1700000000000000000u + i * 100);
  ColumnEntry entry{};
  RoundTrip(ColumnEncoding::kDelta, times, &entry);
  EXPECT_EQ(entry.width, 1u);
}

TEST(ColumnCodec, EntriesThatDoNotFit_AreRefused) {
  std::vector<uint8_t> payload;
  Values values(100, 3);
  values[3] = 1 << 20;
  const ColumnEntry good = EncodeColumn(1, ColumnEncoding::kPlain, values, &payload);
  ASSERT_EQ(good.escape_count, 1u);
  Values out;
  ASSERT_TRUE(DecodeColumn(good, 100, payload, &out));
  const auto refused = [&](auto change) {
    ColumnEntry entry = good;
    change(&entry);
    return !DecodeColumn(entry, 100, payload, &out);
  };
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->offset = 1; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->offset = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->bytes = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->bytes -= 8; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->width = 3; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->escape_count = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->encoding = ColumnEncoding::kBytes; }));
  EXPECT_TRUE(refused([](ColumnEntry* e) { e->encoding = static_cast<ColumnEncoding>(9); }));
  EXPECT_FALSE(DecodeColumn(good, 99, payload, &out));
  EXPECT_FALSE(DecodeColumn(good, UINT32_MAX, payload, &out));
  // More marks in the column than escapes behind it, and fewer.
  payload[0] = 255;
  EXPECT_FALSE(DecodeColumn(good, 100, payload, &out));
  payload[0] = 3;
  payload[3] = 3;
  EXPECT_FALSE(DecodeColumn(good, 100, payload, &out));
}

}  // namespace
}  // namespace migprof::format
