// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/live_graph_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace migprof::record {
namespace {

using format::GraphNodeEvent;

// What the nodes are carried as, without a file in between: node -> correlation of the call it comes from.
class LiveGraphNodesTest : public testing::Test {
 protected:
  void Create(uint64_t node, uint32_t correlation, uint32_t count = 1) {
    CallEvent call;
    call.correlation = correlation;
    nodes_.Note({.node = node, .time_ns = ++time_ns_, .correlation = correlation, .count = count}, &call);
  }
  void Do(GraphNodeEvent event, uint64_t node, uint64_t origin, uint32_t count = 1) {
    nodes_.Note({.node = node, .time_ns = ++time_ns_, .event = event, .origin = origin, .count = count}, nullptr);
  }
  std::map<uint64_t, uint32_t> Carried() {
    std::map<uint64_t, uint32_t> carried;
    nodes_.ForEach([&](const GraphNodesEvent& nodes, const CallEvent& call) {
      EXPECT_EQ(nodes.event, GraphNodeEvent::kCreated);
      EXPECT_EQ(nodes.correlation, call.correlation);
      for (uint64_t i = 0; i < nodes.count; ++i) {
        EXPECT_TRUE(carried.emplace(nodes.node + i, call.correlation).second) << nodes.node + i;
      }
    });
    return carried;
  }

  LiveGraphNodes nodes_;
  uint64_t time_ns_ = 0;
};

using Nodes = std::map<uint64_t, uint32_t>;

TEST_F(LiveGraphNodesTest, CopiesOutliveTheirOriginals) {
  Create(10, 1);
  Create(11, 2);
  Do(GraphNodeEvent::kCloned, 100, 10, 2);
  Do(GraphNodeEvent::kRemoved, 10, 0, 2);
  Do(GraphNodeEvent::kCloned, 200, 100, 2);
  EXPECT_EQ(Carried(), (Nodes{{100, 1}, {101, 2}, {200, 1}, {201, 2}}));
}

TEST_F(LiveGraphNodesTest, RunsAreSplitWherePartOfThemChanges) {
  Create(10, 1, 10);
  Do(GraphNodeEvent::kRemoved, 12, 0, 3);
  Create(18, 2);
  Do(GraphNodeEvent::kUpdated, 10, 18);
  EXPECT_EQ(Carried(), (Nodes{{10, 2}, {11, 1}, {15, 1}, {16, 1}, {17, 1}, {18, 2}, {19, 1}}));
}

TEST_F(LiveGraphNodesTest, CopiesOfRangesWithHoles) {
  Create(10, 1, 2);
  Create(14, 2, 2);
  Do(GraphNodeEvent::kCloned, 100, 8, 10);
  EXPECT_EQ(Carried(), (Nodes{{10, 1}, {11, 1}, {14, 2}, {15, 2}, {102, 1}, {103, 1}, {106, 2}, {107, 2}}));
}

TEST_F(LiveGraphNodesTest, OriginsThatComeLaterAreFound) {
  Do(GraphNodeEvent::kCloned, 100, 10, 4);
  Create(11, 1, 2);
  EXPECT_EQ(Carried(), (Nodes{{11, 1}, {12, 1}, {101, 1}, {102, 1}}));
}

TEST_F(LiveGraphNodesTest, AnIdThatComesAgainIsAnotherNode) {
  Create(10, 1);
  Do(GraphNodeEvent::kRemoved, 10, 0);
  EXPECT_TRUE(Carried().empty());
  Create(10, 2);
  EXPECT_EQ(Carried(), (Nodes{{10, 2}}));
  nodes_.Note({.node = 10, .time_ns = 9, .correlation = 3}, nullptr);  // by a call that nobody knows
  EXPECT_TRUE(Carried().empty());
}

TEST_F(LiveGraphNodesTest, TooManyAreCounted) {
  for (uint64_t i = 0; i < LiveGraphNodes::kMostRuns + 5; ++i) Create(2 * i, static_cast<uint32_t>(i + 1));
  EXPECT_EQ(nodes_.size(), LiveGraphNodes::kMostRuns);
  EXPECT_EQ(nodes_.forgotten(), 5u);
}

}  // namespace
}  // namespace migprof::record
