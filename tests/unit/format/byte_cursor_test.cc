// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/format/byte_cursor.h"

#include <gtest/gtest.h>

#include <array>

namespace migprof::format {
namespace {

TEST(ByteCursor, ReadsInOrder) {
  const std::array<uint8_t, 6> bytes = {1, 0, 2, 0, 0, 0};
  ByteCursor cursor(bytes);
  uint16_t first = 0;
  uint32_t second = 0;
  EXPECT_TRUE(cursor.Read(&first));
  EXPECT_TRUE(cursor.Read(&second));
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(second, 2u);
  EXPECT_EQ(cursor.remaining(), 0u);
}

TEST(ByteCursor, ReadPastTheEnd_FailsForGood) {
  const std::array<uint8_t, 3> bytes = {1, 2, 3};
  ByteCursor cursor(bytes);
  uint32_t wide = 77;
  EXPECT_FALSE(cursor.Read(&wide));
  EXPECT_EQ(wide, 77u);
  uint8_t narrow = 0;
  EXPECT_FALSE(cursor.Read(&narrow));
  EXPECT_FALSE(cursor.ok());
}

TEST(ByteCursor, TakeWithHugeCount_Fails) {
  const std::array<uint8_t, 3> bytes = {1, 2, 3};
  ByteCursor cursor(bytes);
  EXPECT_TRUE(cursor.Take(SIZE_MAX).empty());
  EXPECT_FALSE(cursor.ok());
}

}  // namespace
}  // namespace migprof::format
