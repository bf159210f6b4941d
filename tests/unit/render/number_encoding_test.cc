// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/number_encoding.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/render/encoding_reader.h"

namespace migprof::render {
namespace {

void ExpectRoundTrip(const std::vector<uint64_t>& numbers) {
  EXPECT_EQ(DecodeNumbers(nlohmann::json::parse(EncodeNumbers(numbers))), numbers);
}

TEST(Digits, AreDistinctPrintableAndHarmlessEverywhere) {
  const std::set<char> digits(kDigits.begin(), kDigits.end());
  EXPECT_EQ(digits.size(), kDigits.size());
  for (const char c : kDigits) EXPECT_TRUE(c > ' ' && c < 0x7F);
  for (const char c : {'<', '>', '&', '"', '\\'}) EXPECT_EQ(digits.count(c), 0u);
}

TEST(EncodeNumbers, AnyNumbers_ComeBack) {
  ExpectRoundTrip({});
  ExpectRoundTrip({0});
  ExpectRoundTrip({UINT64_MAX});
  ExpectRoundTrip({0, 1, UINT64_MAX - 1, UINT64_MAX, 88, 89, 90});
  std::vector<uint64_t> powers;
  for (int bit = 0; bit < 64; ++bit) {
    for (int add = -1; add <= 1; ++add) powers.push_back((uint64_t{1} << bit) + static_cast<uint64_t>(add));
  }
  ExpectRoundTrip(powers);
}

TEST(EncodeNumbers, EveryNarrowRangeOfNumbers_ComesBack) {
  for (const uint64_t most : {1u, 50u, 88u, 89u, 200u, 7920u, 8000u, 100'000u, 1'000'000u, 80'000'000u}) {
    std::vector<uint64_t> numbers;
    for (uint64_t i = 0; i < 10'000; ++i) numbers.push_back(i * 7919 % (most + 1));
    numbers.push_back(most);
    ExpectRoundTrip(numbers);
  }
}

TEST(EncodeNumbers, SmallNumbersWithFewLargeOnes_TakeOneDigitEach) {
  std::vector<uint64_t> numbers(10'000, 3);
  for (size_t i = 0; i < numbers.size(); i += 100) numbers[i] = 1'000'000'000'000 + i;
  EXPECT_LT(EncodeNumbers(numbers).size(), 11'500u);
  ExpectRoundTrip(numbers);
}

}  // namespace
}  // namespace migprof::render
