// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/graph_recorder.h"

#include <cstring>

#include "libmigprof/record/hooked_calls.h"

namespace migprof::record {

using format::GraphNodeEvent;

namespace {

void CountDropped(ThreadSlot* slot, uint64_t nodes) {
  const uint64_t dropped = slot->dropped_graph_nodes.load(std::memory_order_relaxed);
  slot->dropped_graph_nodes.store(dropped + nodes, std::memory_order_relaxed);
}

}  // namespace

void GraphRecorder::NodeCreated(uint64_t node) noexcept {
  ThreadSlot* const slot = slots_->Mine();
  if (slot == nullptr) return;
  const SlotUse use(slot);
  if (!use.granted()) [[unlikely]]
    return CountDropped(slot, 1);
  calls_->ForgetMissedReturn(slot);
  if (slot->open_correlation != 0) {
    // Copies are told of twice, as made and as cloned, and it is the second that says where they come from.
    if (CopiesGraphNodes(slot->open_callback_id)) return;
    if (format::GivesWork(CallClassOf(slot->open_callback_id)) && !slot->open_captured) {
      calls_->Captured(slot, node);
      slot->open_captured = true;
    }
  }
  if (with_nodes_) Add(slot, GraphNodeEvent::kCreated, node, 0);
}

void GraphRecorder::NodeChanged(GraphNodeEvent event, uint64_t node, uint64_t origin) noexcept {
  ThreadSlot* const slot = slots_->Mine();
  if (slot == nullptr) return;
  const SlotUse use(slot);
  if (!use.granted()) [[unlikely]]
    return CountDropped(slot, 1);
  calls_->ForgetMissedReturn(slot);
  Add(slot, event, node, origin);
}

void GraphRecorder::CallEnds() noexcept {
  if (!with_nodes_) return;
  ThreadSlot* const slot = slots_->Mine();
  if (slot == nullptr || slot->pending_nodes.count == 0) [[likely]]
    return;
  const SlotUse use(slot);
  if (use.granted()) Push(slot);
}

void GraphRecorder::Add(ThreadSlot* slot, GraphNodeEvent event, uint64_t node, uint64_t origin) noexcept {
  GraphNodesRecord& pending = slot->pending_nodes;
  if (pending.count != 0) {
    const bool follows = pending.header.flags == static_cast<uint8_t>(event) &&
                         pending.header.correlation == slot->open_correlation && pending.node + pending.count == node &&
                         (origin == 0 ? pending.origin == 0 : pending.origin + pending.count == origin) &&
                         pending.count < format::kMaxGraphNodesPerRow;
    if (follows) {
      ++pending.count;
      return;
    }
    // Graphs are taken apart from the last node to the first.
    if (event == GraphNodeEvent::kRemoved && pending.header.flags == static_cast<uint8_t>(event) &&
        pending.header.correlation == slot->open_correlation && node + 1 == pending.node &&
        pending.count < format::kMaxGraphNodesPerRow) {
      pending.node = node;
      ++pending.count;
      return;
    }
    Push(slot);
  }
  pending.header = {sizeof(GraphNodesRecord), RingRecordKind::kGraphNodes, static_cast<uint8_t>(event),
                    slot->open_correlation};
  pending.time_ns = clock_();
  pending.node = node;
  pending.origin = origin;
  pending.context = slot->open_correlation != 0 ? slot->open_context : 0;
  pending.count = 1;
  // Outside of a recorded call nobody says when it ends. Nodes that go can wait.
  if (slot->open_correlation == 0 && event != GraphNodeEvent::kRemoved) Push(slot);
}

void GraphRecorder::Push(ThreadSlot* slot) noexcept {
  GraphNodesRecord& pending = slot->pending_nodes;
  if (uint8_t* const room = slot->ring.Reserve(sizeof(pending))) {
    std::memcpy(room, &pending, sizeof(pending));
    slot->ring.Commit();
  } else {
    CountDropped(slot, pending.count);
  }
  pending.count = 0;
}

}  // namespace migprof::record
