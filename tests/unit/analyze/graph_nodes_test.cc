// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/graph_nodes.h"

#include <gtest/gtest.h>

namespace migprof::analyze {
namespace {

using format::GraphNodeEvent;

class GraphNodesTest : public testing::Test {
 protected:
  void Created(uint64_t node, uint64_t time, CallSiteId site, uint64_t count = 1) {
    EXPECT_TRUE(nodes_.Add({GraphNodeEvent::kCreated, node, count, time, 0, site}));
  }
  void Changed(GraphNodeEvent event, uint64_t node, uint64_t time, uint64_t origin = 0, uint64_t count = 1) {
    EXPECT_TRUE(nodes_.Add({event, node, count, time, origin}));
  }

  GraphNodes nodes_;
};

TEST_F(GraphNodesTest, CopyOfACopy_IsWhereTheFirstWasMade) {
  Created(10, 1, 7);
  Created(11, 1, 8);
  Changed(GraphNodeEvent::kCloned, 20, 2, 10, 2);
  Changed(GraphNodeEvent::kRemoved, 10, 3, 0, 2);
  Changed(GraphNodeEvent::kCloned, 30, 4, 20, 2);
  EXPECT_EQ(nodes_.SiteOf(30, 5), 7u);
  EXPECT_EQ(nodes_.SiteOf(31, 5), 8u);
  EXPECT_EQ(nodes_.SiteOf(20, 5), 7u);
}

TEST_F(GraphNodesTest, IdThatComesAgain_MeansWhatItMeantAtTheLaunch) {
  Created(10, 1, 7);
  Changed(GraphNodeEvent::kCloned, 20, 2, 10);
  Changed(GraphNodeEvent::kRemoved, 20, 5);
  Changed(GraphNodeEvent::kRemoved, 10, 5);
  Created(10, 6, 9);
  Changed(GraphNodeEvent::kCloned, 20, 7, 10);
  EXPECT_EQ(nodes_.SiteOf(20, 3), 7u) << "its activity may come after the rows of the new node";
  EXPECT_EQ(nodes_.SiteOf(20, 8), 9u);
  EXPECT_EQ(nodes_.SiteOf(20, 6), kUnknownSite) << "there was none then";
  EXPECT_EQ(nodes_.SiteOf(20, 1), kUnknownSite);
}

TEST_F(GraphNodesTest, UpdatedNode_IsWhereItsNewWorkWasCaptured) {
  Created(10, 1, 7);
  Changed(GraphNodeEvent::kCloned, 20, 2, 10);
  Created(30, 3, 9);
  Changed(GraphNodeEvent::kUpdated, 20, 4, 30);
  EXPECT_EQ(nodes_.SiteOf(20, 3), 7u);
  EXPECT_EQ(nodes_.SiteOf(20, 4), 9u);
}

TEST_F(GraphNodesTest, OriginalWhoseRowComesLate_IsFound) {
  Changed(GraphNodeEvent::kCloned, 20, 2, 10);
  Changed(GraphNodeEvent::kCloned, 30, 3, 20);
  EXPECT_EQ(nodes_.SiteOf(30, 4), kUnknownSite);
  Created(10, 1, 7);
  EXPECT_EQ(nodes_.SiteOf(20, 4), 7u);
  EXPECT_EQ(nodes_.SiteOf(30, 4), 7u);
}

TEST_F(GraphNodesTest, ChainThatLeadsToItself_Ends) {
  Changed(GraphNodeEvent::kCloned, 1, 2, 2);
  Changed(GraphNodeEvent::kCloned, 2, 2, 1);
  Changed(GraphNodeEvent::kCloned, 3, 2, 3);
  EXPECT_EQ(nodes_.SiteOf(1, 9), kUnknownSite);
  EXPECT_EQ(nodes_.SiteOf(3, 9), kUnknownSite);
}

TEST_F(GraphNodesTest, RowOfAbsurdLength_IsRefused) {
  EXPECT_FALSE(nodes_.Add({GraphNodeEvent::kCreated, 1, uint64_t{1} << 40, 1}));
  EXPECT_FALSE(nodes_.Add({GraphNodeEvent::kCreated, 1, 0, 1}));
}

TEST_F(GraphNodesTest, GraphsMadeAndDestroyedForever_TakeBoundedMemory) {
  for (uint64_t round = 1; round <= 1500; ++round) {
    const uint64_t first = round << 32;
    Created(first, 10 * round, 7, 1000);
    Changed(GraphNodeEvent::kRemoved, first, 10 * round + 5, 0, 1000);
    ASSERT_LE(nodes_.size(), 600'000u);
  }
  EXPECT_EQ(nodes_.SiteOf((uint64_t{1500} << 32) + 999, 15'001), 7u);
}

TEST_F(GraphNodesTest, IdUsedOverAndOver_IsTracedBackForAMinute) {
  constexpr uint64_t kStep = 50'000'000;  // 20 graphs per second
  constexpr uint64_t kRounds = 5000;
  for (uint64_t round = 1; round <= kRounds; ++round) {
    Created(10, round * kStep, static_cast<CallSiteId>(round));
    Changed(GraphNodeEvent::kRemoved, 10, round * kStep + 100);
  }
  for (uint64_t round = kRounds - 1000; round <= kRounds; ++round)
    EXPECT_EQ(nodes_.SiteOf(10, round * kStep + 50), round);
  EXPECT_EQ(nodes_.SiteOf(10, kStep + 50), kUnknownSite) << "kept for ever";
}

TEST_F(GraphNodesTest, NodeUpdatedFromTheSameCodeAgainAndAgain_KeepsItsSite) {
  Created(1, 1, 7);
  Changed(GraphNodeEvent::kCloned, 2, 2, 1);
  for (uint64_t time = 10; time < 10'000; time += 10) {
    Created(time << 32, time, 7);
    Changed(GraphNodeEvent::kUpdated, 2, time + 1, time << 32);
  }
  EXPECT_EQ(nodes_.SiteOf(2, 5), 7u) << "however late the activity comes";
}

TEST(GraphNodes, MoreChangesThanAllowed_AreNotFollowed) {
  GraphNodes nodes(10);
  EXPECT_TRUE(nodes.Add({.node = 1, .count = 10, .time_ns = 1, .site = 7}));
  EXPECT_FALSE(nodes.is_full());
  EXPECT_FALSE(nodes.Add({.node = 100, .count = 1, .time_ns = 1, .site = 7}));
  EXPECT_TRUE(nodes.is_full());
  EXPECT_EQ(nodes.size(), 10u);
}

TEST(ConstructionCalls, KeepsWhatIsNeeded) {
  ConstructionCalls calls;
  for (uint32_t i = 1; i <= 2'000'000; ++i) calls.Add(i, i);
  EXPECT_EQ(calls.SiteOf(2'000'000), 2'000'000u);
  EXPECT_EQ(calls.SiteOf(2'000'000 - 200'000), 2'000'000u - 200'000);
  EXPECT_EQ(calls.SiteOf(1), kUnknownSite);
  calls.Add(5, 77);
  EXPECT_EQ(calls.SiteOf(5), 77u);
}

}  // namespace
}  // namespace migprof::analyze
