// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/stack_tree.h"

#include <utility>

namespace migprof::analyze {

namespace {

std::string KeyOf(const Frame& frame) {
  std::string key = frame.full_name;
  key += '\0';
  key += frame.module;
  key += static_cast<char>(frame.kind);
  if (frame.inlined) key += 'i';
  return key;
}

}  // namespace

FrameId FrameTable::Intern(Frame frame) {
  const auto [entry, is_new] = ids_.try_emplace(KeyOf(frame), static_cast<FrameId>(frames_.size()));
  if (is_new) {
    frames_.push_back(std::move(frame));
  } else if (frames_[entry->second].source.empty()) {
    frames_[entry->second].source = std::move(frame.source);
  }
  return entry->second;
}

void FrameTable::Rename(const std::function<Frame(const Frame&)>& renamed) {
  ids_.clear();
  for (FrameId id = 0; id < frames_.size(); ++id) {
    frames_[id] = renamed(frames_[id]);
    ids_.try_emplace(KeyOf(frames_[id]), id);
  }
}

NodeId StackTree::Child(NodeId parent, FrameId frame) {
  const uint64_t key = uint64_t{parent} << 32 | frame;
  const auto [entry, is_new] = children_.try_emplace(key, static_cast<NodeId>(nodes_.size()));
  if (is_new) nodes_.push_back({.parent = parent, .frame = frame});
  return entry->second;
}

namespace {

template <typename FrameOf>
void MergeTree(const StackTree& from, NodeId under, StackTree* into, FrameOf&& frame_of) {
  std::vector<NodeId> mine(from.nodes().size());
  mine[0] = under;
  for (NodeId id = 0; id < from.nodes().size(); ++id) {
    const TreeNode& node = from.nodes()[id];
    if (id != 0) mine[id] = into->Child(mine[node.parent], frame_of(node.frame));
    into->Add(mine[id], node.self_ns, node.self_count);
  }
}

}  // namespace

void StackTree::Merge(const StackTree& other, NodeId under) {
  MergeTree(other, under, this, [](FrameId frame) { return frame; });
}

void StackTree::Merge(const StackTree& other, const std::vector<FrameId>& frames, NodeId under) {
  MergeTree(other, under, this, [&](FrameId frame) { return frames[frame]; });
}

}  // namespace migprof::analyze
