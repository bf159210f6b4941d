// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/graph_recorder.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace migprof::record {
namespace {

using format::GraphNodeEvent;

constexpr uint32_t kContext = 1;
constexpr uint32_t kLaunch = 307;
constexpr uint32_t kAddKernelNode = 689;
constexpr uint32_t kInstantiate = 643;

uint64_t g_now = 1000;

class GraphRecorderTest : public testing::Test {
 protected:
  void Start(uint64_t ring_bytes, bool with_nodes = true) {
    // As in the product: threads may outlive everything, so nothing is ever freed.
    static std::vector<ThreadSlots*>& all_slots = *new std::vector<ThreadSlots*>;
    slots_ = all_slots.emplace_back(new ThreadSlots);
    ASSERT_TRUE(slots_->Init(ring_bytes).ok());
    contexts_.Add(kContext, 0);
    calls_ = std::make_unique<CallRecorder>(
        slots_, &contexts_, [] { return g_now; }, 0);
    graphs_ = std::make_unique<GraphRecorder>(
        slots_, calls_.get(), [] { return g_now; }, with_nodes);
  }

  // Runs `body` inside of a call, on a thread of its own.
  template <typename Body>
  void InCall(uint32_t callback_id, uint32_t correlation, Body&& body) {
    std::thread([&] {
      calls_->Enter(callback_id, correlation, kContext);
      body();
      graphs_->CallEnds();
      calls_->Exit(correlation, 0);
    }).join();
    Drain();
  }

  void Drain() {
    slots_->ForEach([&](ThreadSlot* slot) {
      slot->ring.Drain([&](const RingRecordHeader* header) {
        if (header->kind == RingRecordKind::kOutcome) {
          outcomes_.push_back(*reinterpret_cast<const OutcomeRecord*>(header));
        } else if (header->kind == RingRecordKind::kGraphNodes) {
          nodes_.push_back(*reinterpret_cast<const GraphNodesRecord*>(header));
        }
      });
      dropped_ += slot->dropped_graph_nodes.load();
    });
  }

  ThreadSlots* slots_ = nullptr;
  ContextTable contexts_;
  std::unique_ptr<CallRecorder> calls_;
  std::unique_ptr<GraphRecorder> graphs_;
  std::vector<OutcomeRecord> outcomes_;
  std::vector<GraphNodesRecord> nodes_;
  uint64_t dropped_ = 0;
};

TEST_F(GraphRecorderTest, NodeInsideALaunch_MarksItCaptured) {
  Start(1 << 16);
  InCall(kLaunch, 9, [&] { graphs_->NodeCreated(77); });
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].header.correlation, 9u);
  EXPECT_EQ(outcomes_[0].header.flags, static_cast<uint8_t>(format::CallOutcome::kCaptured));
  EXPECT_EQ(outcomes_[0].detail, 77u);
  ASSERT_EQ(nodes_.size(), 1u);
  EXPECT_EQ(nodes_[0].header.correlation, 9u);
  EXPECT_EQ(nodes_[0].node, 77u);
  EXPECT_EQ(nodes_[0].context, kContext);
  EXPECT_EQ(nodes_[0].time_ns, g_now);
}

TEST_F(GraphRecorderTest, NodeAddedExplicitly_IsNoCapturedLaunch) {
  Start(1 << 16);
  InCall(kAddKernelNode, 4, [&] { graphs_->NodeCreated(5); });
  EXPECT_TRUE(outcomes_.empty());
  ASSERT_EQ(nodes_.size(), 1u);
  EXPECT_EQ(nodes_[0].header.correlation, 4u);
}

TEST_F(GraphRecorderTest, CopiesThatFollowEachOther_AreOneRecord) {
  Start(1 << 16);
  InCall(kInstantiate, 6, [&] {
    for (uint64_t i = 0; i < 10'000; ++i) {
      graphs_->NodeCreated((uint64_t{2} << 32) + i);  // told of, but not made by this call
      graphs_->NodeChanged(GraphNodeEvent::kCloned, (uint64_t{2} << 32) + i, (uint64_t{1} << 32) + i);
    }
    graphs_->NodeChanged(GraphNodeEvent::kCloned, 40, 50);
    graphs_->NodeChanged(GraphNodeEvent::kCloned, 41, 60);
  });
  ASSERT_EQ(nodes_.size(), 3u);
  EXPECT_EQ(nodes_[0].count, 10'000u);
  EXPECT_EQ(nodes_[0].node, uint64_t{2} << 32);
  EXPECT_EQ(nodes_[0].origin, uint64_t{1} << 32);
  EXPECT_EQ(nodes_[1].count, 1u);
  EXPECT_EQ(nodes_[2].origin, 60u);
}

TEST_F(GraphRecorderTest, RemovedNodes_AreOneRecordInEitherDirection) {
  Start(1 << 16);
  std::thread([&] {
    for (uint64_t i = 100; i > 90; --i) graphs_->NodeChanged(GraphNodeEvent::kRemoved, i, 0);
    graphs_->CallEnds();
    for (uint64_t i = 10; i < 20; ++i) graphs_->NodeChanged(GraphNodeEvent::kRemoved, i, 0);
    graphs_->CallEnds();
  }).join();
  Drain();
  ASSERT_EQ(nodes_.size(), 2u);
  EXPECT_EQ(nodes_[0].node, 91u);
  EXPECT_EQ(nodes_[0].count, 10u);
  EXPECT_EQ(nodes_[1].node, 10u);
  EXPECT_EQ(nodes_[1].count, 10u);
}

TEST_F(GraphRecorderTest, NodeOutsideOfAnyCall_IsSentAtOnceAndOfNobody) {
  Start(1 << 16);
  std::thread([&] { graphs_->NodeCreated(3); }).join();
  Drain();
  ASSERT_EQ(nodes_.size(), 1u);
  EXPECT_EQ(nodes_[0].header.correlation, 0u);
  EXPECT_EQ(nodes_[0].context, 0u);
  EXPECT_TRUE(outcomes_.empty());
}

TEST_F(GraphRecorderTest, FullRing_CountsEveryNodeItDrops) {
  Start(1 << 12);
  uint64_t expected = 0;
  InCall(kInstantiate, 6, [&] {
    for (uint64_t i = 0; i < 2000; ++i) {  // scattered: a record for each pair
      graphs_->NodeChanged(GraphNodeEvent::kCloned, 10 * i, 30 * i + 7);
      graphs_->NodeChanged(GraphNodeEvent::kCloned, 10 * i + 1, 30 * i + 8);
      expected += 2;
    }
  });
  EXPECT_GT(dropped_, 0u);
  uint64_t kept = 0;
  for (const GraphNodesRecord& record : nodes_) kept += record.count;
  EXPECT_EQ(kept + dropped_, expected);
}

TEST_F(GraphRecorderTest, WithoutNodes_OnlyCapturedLaunchesAreToldOf) {
  Start(1 << 16, /*with_nodes=*/false);
  InCall(kLaunch, 9, [&] { graphs_->NodeCreated(77); });
  EXPECT_EQ(outcomes_.size(), 1u);
  EXPECT_TRUE(nodes_.empty());
}

}  // namespace
}  // namespace migprof::record
