// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/stack_tree.h"

#include <utility>

namespace migprof::analyze {

FrameId FrameTable::Intern(Frame frame) {
  std::string key = frame.full_name;
  key += '\0';
  key += frame.module;
  key += static_cast<char>(frame.kind);
  const auto [entry, is_new] = ids_.try_emplace(std::move(key), static_cast<FrameId>(frames_.size()));
  if (is_new) frames_.push_back(std::move(frame));
  return entry->second;
}

NodeId StackTree::Child(NodeId parent, FrameId frame) {
  const uint64_t key = uint64_t{parent} << 32 | frame;
  const auto [entry, is_new] = children_.try_emplace(key, static_cast<NodeId>(nodes_.size()));
  if (is_new) nodes_.push_back({.parent = parent, .frame = frame});
  return entry->second;
}

void StackTree::Merge(const StackTree& other, NodeId under) {
  std::vector<NodeId> mine(other.nodes_.size());
  mine[0] = under;
  for (NodeId id = 0; id < other.nodes_.size(); ++id) {
    const TreeNode& node = other.nodes_[id];
    if (id != 0) mine[id] = Child(mine[node.parent], node.frame);
    Add(mine[id], node.self_ns, node.self_count);
  }
}

}  // namespace migprof::analyze
