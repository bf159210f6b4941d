// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/text_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace migprof::render {
namespace {

using ::testing::ElementsAre;

TEST(EstimateWidth, WideLetters_AreWiderThanNarrowOnes) {
  EXPECT_GT(EstimateWidth("mmmm", 13), 2 * EstimateWidth("iiii", 13));
  EXPECT_GT(EstimateWidth("text", 13, /*bold=*/true), EstimateWidth("text", 13));
  EXPECT_EQ(EstimateWidth("", 13), 0);
}

TEST(WrapParts, PartsThatFit_ShareALine) {
  EXPECT_THAT(WrapParts({"one", "two", "three"}, ", ", 1000, 10), ElementsAre("one, two, three"));
}

TEST(WrapParts, PartsThatDoNotFit_BeginALine) {
  EXPECT_THAT(WrapParts({"first part", "second part", "third part"}, " / ", 100, 10),
              ElementsAre("first part / ", "second part / ", "third part"));
}

TEST(WrapParts, PartWiderThanALine_IsCut) {
  const auto lines = WrapParts({std::string(1000, 'x')}, " / ", 100, 10);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LE(EstimateWidth(lines[0], 10), 110);
}

TEST(WrapParts, NoParts_GiveNoLine) { EXPECT_TRUE(WrapParts({}, " / ", 100, 10).empty()); }

}  // namespace
}  // namespace migprof::render
