// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/governor.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
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
    new (&slot_->life) SlotLife;
    slot_->life.Begin(now_);
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

TEST_F(GovernorTest, ShortLivedThreads_AreKeptBelowTheBudgetToo) {
  Governor governor(10'000);
  governor.Update(slots_, now_);
  // One thread after the other, each of 100 ms, with as much time between them, and 5 % of it is recording.
  slot_->life.End(now_);
  for (int i = 0; i < 30; ++i) {
    slot_->life.Begin(now_);
    slot_->own_ns += kSecond / 10 / 20;
    slot_->serial += 1;
    slot_->life.End(now_ += kSecond / 10);
    now_ += kSecond / 10;
    governor.Update(slots_, now_);
  }
  EXPECT_EQ(governor.level(), Governor::kLevels - 1);
  EXPECT_NEAR(governor.largest_share_ppm(), 50'000, 500);
}

TEST_F(GovernorTest, ColdStartOfAThread_IsNoReasonToLeaveAnythingOut) {
  Governor governor(10'000);
  governor.Update(slots_, now_);
  slot_->life.End(now_);
  now_ += kSecond;
  slot_->life.Begin(now_ - 1'000'000);
  slot_->own_ns += 100'000;  // 10 % of a millisecond
  EXPECT_FALSE(governor.Update(slots_, now_));
  EXPECT_EQ(governor.largest_share_ppm(), 0u);
  EXPECT_FALSE(Second(&governor, 0.001));
  EXPECT_NEAR(governor.largest_share_ppm(), 1'100, 10);
}

TEST_F(GovernorTest, Measure_TellsOfWhatIsShorterThanAPeriod) {
  Governor governor(0);
  EXPECT_FALSE(governor.Update(slots_, now_));
  slot_->own_ns += 12'345;
  governor.Measure(slots_, now_ + 1'000'000);
  EXPECT_EQ(governor.own_ns(), 12'345u);
  EXPECT_EQ(governor.milliseconds_at(0), 1u);
}

TEST_F(GovernorTest, LastLevel_KnowsWhetherTheBudgetWasKept) {
  Governor governor(10'000);
  for (int i = 0; i < 8 && governor.level() != Governor::kLevels - 1; ++i) Second(&governor, 0.5);
  ASSERT_EQ(governor.level(), Governor::kLevels - 1);
  EXPECT_EQ(governor.share_at_last_level_ppm(), 0u);
  for (int i = 0; i < 4; ++i) Second(&governor, 0.03);
  EXPECT_NEAR(governor.share_at_last_level_ppm(), 30'000, 100);
}

TEST(SlotLife, AddsUpAllOwners) {
  SlotLife life;
  EXPECT_EQ(life.NsUntil(7), 0u);
  life.Begin(100);
  EXPECT_EQ(life.NsUntil(90), 0u) << "looked at a moment too early";
  EXPECT_EQ(life.NsUntil(130), 30u);
  life.End(150);
  EXPECT_EQ(life.NsUntil(1000), 50u);
  life.Begin(2000);
  EXPECT_EQ(life.NsUntil(2007), 57u);
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
