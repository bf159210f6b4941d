// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/governor.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace migprof::record {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

class GovernorTest : public testing::Test {
 protected:
  GovernorTest() {
    static std::vector<ThreadSlots*>& all = *new std::vector<ThreadSlots*>;  // threads may outlive everything
    slots_ = all.emplace_back(new ThreadSlots);
    EXPECT_TRUE(slots_->Init(4096).ok());
    std::thread([this] { slot_ = slots_->Mine(); }).join();
  }

  // A second in which recording took `share` of the thread's time.
  bool Second(Governor* governor, double share) {
    now_ += kSecond;
    slot_->own_ns += static_cast<uint64_t>(share * kSecond);
    return governor->Update(slots_, now_);
  }

  ThreadSlots* slots_ = nullptr;
  ThreadSlot* slot_ = nullptr;
  uint64_t now_ = 5 * kSecond;
};

TEST_F(GovernorTest, WithoutABudget_OnlyMeasures) {
  Governor governor(0);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(Second(&governor, 0.3));
  EXPECT_EQ(governor.level(), 0u);
  EXPECT_NEAR(governor.largest_share_ppm(), 300'000, 5'000);
  EXPECT_EQ(governor.own_ns(), 3 * kSecond);
}

TEST_F(GovernorTest, OverTheBudget_TakesAsManyStepsAsAreNeeded) {
  Governor governor(10'000);  // 1 %
  Second(&governor, 0);
  Second(&governor, 0);
  EXPECT_FALSE(Second(&governor, 0.009));
  EXPECT_TRUE(Second(&governor, 0.011));
  EXPECT_EQ(governor.level(), 1u);
  EXPECT_FALSE(Governor::DetailOf(1).python_lines);
  EXPECT_EQ(Governor::DetailOf(1).sample_shift, 0u);
  EXPECT_TRUE(Second(&governor, 0.039));  // two halvings
  EXPECT_EQ(governor.level(), 3u);
  EXPECT_EQ(Governor::DetailOf(3).sample_shift, 2u);
  for (int i = 0; i < 5; ++i) Second(&governor, 0.5);
  EXPECT_EQ(governor.level(), Governor::kLevels - 1);
  EXPECT_EQ(governor.highest_level(), Governor::kLevels - 1);
  EXPECT_FALSE(Governor::DetailOf(governor.level()).single_graph_nodes);
}

TEST_F(GovernorTest, FarBelowTheBudget_GoesBackUpSlowly) {
  Governor governor(10'000);
  Second(&governor, 0);
  Second(&governor, 0);
  Second(&governor, 0.015);
  ASSERT_EQ(governor.level(), 1u);
  int seconds = 0;
  while (governor.level() != 0 && ++seconds < 100) Second(&governor, 0.001);
  EXPECT_EQ(seconds, 8);
  EXPECT_EQ(governor.milliseconds_at(1), 8'000u);
  EXPECT_EQ(governor.highest_level(), 1u);
}

TEST_F(GovernorTest, GraphsOnceRecordedAsAWhole_StaySo) {
  Governor governor(10'000);
  for (int i = 0; i < 8; ++i) Second(&governor, 0.5);
  ASSERT_EQ(governor.level(), Governor::kLevels - 1);
  const uint64_t before = governor.milliseconds_of_whole_graphs();
  for (int i = 0; i < 20; ++i) Second(&governor, 0);
  EXPECT_LT(governor.level(), Governor::kLevels - 1);
  EXPECT_EQ(governor.milliseconds_of_whole_graphs(), before + 20'000);
}

TEST_F(GovernorTest, JustBelowTheBudget_StaysWhereItIs) {
  Governor governor(10'000);
  Second(&governor, 0);
  Second(&governor, 0);
  Second(&governor, 0.015);
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(Second(&governor, 0.006));
  EXPECT_EQ(governor.level(), 1u);
}

}  // namespace
}  // namespace migprof::record
