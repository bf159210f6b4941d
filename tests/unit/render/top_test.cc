// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/top_json.h"
#include "libmigprof/render/top_text.h"
#include "tests/unit/render/golden.h"
#include "tests/unit/render/live_samples.h"

namespace migprof::render {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Joined(const TopTable& table) {
  std::string text;
  for (const std::string& note : table.notes) text += note + "\n";
  text += table.heading + "\n";
  for (const std::string& row : table.rows) text += row + "\n";
  return text;
}

std::vector<char> Order(TopSort sort, bool reverse = false) {
  const mig::LiveSample sample = SampleLive();
  std::vector<char> order;
  for (const mig::LiveSlice* slice : SortedSlices(sample, sort, reverse)) {
    order.push_back(slice->mig_uuid.empty() ? 'f' : slice->mig_uuid[4]);
  }
  return order;
}

TEST(FormatTop, SampleOfEverything_IsAsItEverWas) {
  ExpectGolden("top.txt", Joined(FormatTop(SampleLive(), {.width = 110})));
  ExpectGolden("top.narrow.txt", Joined(FormatTop(SampleLive(), {.width = 50, .ascii = true})));
}

TEST(FormatTop, AnyWidth_IsObserved) {
  for (size_t width = 1; width < 140; ++width) {
    const TopTable table = FormatTop(SampleLive(), {.width = width});
    EXPECT_LE(DisplayCells(table.heading), width);
    for (const std::string& row : table.rows) EXPECT_LE(DisplayCells(row), width) << row;
  }
}

TEST(FormatTop, NamesFromOutside_CannotControlTheTerminal) {
  const std::string text = Joined(FormatTop(SampleLive(), {.width = 200}));
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(text, HasSubstr("train"));
}

TEST(FormatTop, SuspectValues_AreMarkedAndNotClamped) {
  const std::string text = Joined(FormatTop(SampleLive(), {.width = 110}));
  EXPECT_THAT(text, HasSubstr("137.5!"));
  EXPECT_THAT(text, HasSubstr("55.5~"));
  EXPECT_THAT(text, HasSubstr("not to be believed"));
}

TEST(FormatTop, OnlyUsed_HidesIdleSlicesAndCountsThem) {
  const TopTable table = FormatTop(SampleLive(), {.width = 110, .only_used = true});
  EXPECT_EQ(table.rows.size(), 4u) << "where NVML does not tell the processes it may be in use";
  EXPECT_EQ(table.hidden_rows, 2u);
}

TEST(SortedSlices, EachKey_PutsTheMostOnTop) {
  using testing::ElementsAre;
  EXPECT_THAT(Order(TopSort::kSlice), ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(Order(TopSort::kSlice, true), ElementsAre('f', 'e', 'd', 'c', 'b', 'a'));
  EXPECT_THAT(Order(TopSort::kSm), ElementsAre('b', 'a', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(Order(TopSort::kSm, true), ElementsAre('d', 'e', 'c', 'a', 'b', 'f')) << "unknown stays last";
  EXPECT_THAT(Order(TopSort::kOccupancy), ElementsAre('b', 'a', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(Order(TopSort::kTensor), ElementsAre('a', 'd', 'e', 'b', 'c', 'f'));
  EXPECT_THAT(Order(TopSort::kDram), ElementsAre('a', 'c', 'b', 'd', 'e', 'f'));
  EXPECT_THAT(Order(TopSort::kMemory), ElementsAre('a', 'd', 'e', 'b', 'c', 'f'));
  EXPECT_THAT(Order(TopSort::kProcesses), ElementsAre('a', 'b', 'd', 'c', 'f', 'e'));
}

TEST(WriteTopJson, SampleOfEverything_IsAsItEverWas) {
  std::ostringstream out;
  WriteTopJson(SampleLive(), 2, out);
  ExpectGolden("top.json", out.str());
  const nlohmann::json json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["slices"][1]["counters"]["sm_utilization"],
            nlohmann::json({{"percent", 137.5}, {"stale", false}, {"suspect", true}}));
  EXPECT_TRUE(json["slices"][4]["processes"].is_null());
  EXPECT_TRUE(json["slices"][5]["counters"]["sm_utilization"].is_null());
}

TEST(WriteTopJson, OneLine_IsOneLine) {
  std::ostringstream out;
  WriteTopJson(SampleLive(), -1, out);
  EXPECT_EQ(out.str().find('\n'), out.str().size() - 1);
}

}  // namespace
}  // namespace migprof::render
