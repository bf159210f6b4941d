// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/call_tree.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "libmigprof/render/clean_text.h"

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameId;
using analyze::NodeId;
using analyze::Profile;
using analyze::StackTree;
using analyze::TreeNode;

constexpr uint32_t kNone = 0xFFFFFFFF;

const std::string& FullName(const Frame& frame) { return frame.full_name.empty() ? frame.name : frame.full_name; }

Frame Cleaned(const Frame& frame) {
  Frame clean;
  clean.full_name = CleanText(FullName(frame));
  if (clean.full_name.empty()) clean.full_name = "[no name]";
  clean.name = frame.name.empty() ? clean.full_name : CleanText(frame.name);
  clean.module = CleanText(frame.module);
  clean.kind = frame.kind;
  clean.inlined = frame.inlined;
  clean.source = CleanText(frame.source);
  return clean;
}

// The frames of a profile, and behind them those of the rows above the slices.
class AllFrames {
 public:
  explicit AllFrames(const Profile& profile) : profile_(profile) {}

  FrameId InternAbove(Frame frame) {
    frame.full_name = FullName(frame);
    return static_cast<FrameId>(profile_.frames.size() + above_.Intern(std::move(frame)));
  }
  bool IsAbove(FrameId id) const { return id >= profile_.frames.size(); }
  const Frame& operator[](FrameId id) const {
    const size_t first_above = profile_.frames.size();
    return IsAbove(id) ? above_[static_cast<FrameId>(id - first_above)] : profile_.frames[id];
  }
  size_t size() const { return profile_.frames.size() + above_.size(); }

 private:
  const Profile& profile_;
  analyze::FrameTable above_;
};

StackTree MergeSlices(const Profile& profile, std::optional<size_t> slice, FlamegraphView view, AllFrames* frames) {
  StackTree merged;
  for (size_t i = 0; i < profile.slices.size(); ++i) {
    if (slice.has_value() && *slice != i) continue;
    NodeId node = 0;
    for (Frame& frame : analyze::SlicePath(profile.slices[i])) {
      node = merged.Child(node, frames->InternAbove(std::move(frame)));
    }
    merged.Merge(TreeOf(profile.slices[i], view), node);
  }
  return merged;
}

// Position of each frame among siblings; only frames that occur get one.
std::vector<uint32_t> RankFrames(const std::vector<TreeNode>& nodes, const AllFrames& frames) {
  std::vector<uint32_t> rank(frames.size(), kNone);
  for (size_t i = 1; i < nodes.size(); ++i) rank[nodes[i].frame] = 0;
  std::vector<FrameId> used;
  for (FrameId id = 0; id < rank.size(); ++id) {
    if (rank[id] != kNone) used.push_back(id);
  }
  std::sort(used.begin(), used.end(), [&frames](FrameId a, FrameId b) {
    if (frames.IsAbove(a) || frames.IsAbove(b)) return a < b;
    const Frame& x = frames[a];
    const Frame& y = frames[b];
    return std::tie(FullName(x), x.module, x.kind, x.inlined) < std::tie(FullName(y), y.module, y.kind, y.inlined);
  });
  for (uint32_t i = 0; i < used.size(); ++i) rank[used[i]] = i;
  return rank;
}

// A stack tree as linked lists of children, in sibling order.
struct Children {
  std::vector<uint32_t> first;
  std::vector<uint32_t> next;
};

Children SortSiblings(const std::vector<TreeNode>& nodes, const std::vector<uint32_t>& rank) {
  // All nodes by rank with one counting sort, then pushed to the front of their parent's list, last
  // first: this sorts every set of siblings at once.
  const size_t count = nodes.size();
  std::vector<uint32_t> start(rank.size() + 1, 0);
  for (size_t i = 1; i < count; ++i) ++start[rank[nodes[i].frame] + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<uint32_t> by_rank(count - 1);
  for (uint32_t i = 1; i < count; ++i) by_rank[start[rank[nodes[i].frame]]++] = i;
  Children children{std::vector<uint32_t>(count, kNone), std::vector<uint32_t>(count, kNone)};
  for (size_t k = by_rank.size(); k-- > 0;) {
    const uint32_t node = by_rank[k];
    children.next[node] = std::exchange(children.first[nodes[node].parent], node);
  }
  return children;
}

// The next node in pre-order after `node`, which has no children left to visit.
uint32_t NextOutside(const std::vector<TreeNode>& nodes, const Children& children, uint32_t node) {
  while (node != 0 && children.next[node] == kNone) node = nodes[node].parent;
  return node == 0 ? kNone : children.next[node];
}

void FillTotals(std::vector<CallNode>* nodes) {
  for (CallNode& node : *nodes) {
    node.total_ns = node.self_ns;
    node.total_count = node.self_count;
    node.end = 0;
  }
  for (size_t i = nodes->size(); i-- > 0;) {
    CallNode& node = (*nodes)[i];
    node.end = std::max(node.end, static_cast<uint32_t>(i + 1));
    if (i == 0) break;
    CallNode& parent = (*nodes)[node.parent];
    parent.total_ns += node.total_ns;
    parent.total_count += node.total_count;
    parent.end = std::max(parent.end, node.end);
  }
}

Frame RootFrame() { return {.name = "all", .full_name = "all", .module = "", .kind = {}}; }

CallTree InPreOrder(const std::vector<TreeNode>& nodes, const AllFrames& frames, FlamegraphView view) {
  const Children children = SortSiblings(nodes, RankFrames(nodes, frames));
  CallTree tree;
  tree.view = view;
  tree.frames.push_back(RootFrame());
  tree.nodes.reserve(nodes.size());
  std::vector<uint32_t> new_frame(frames.size(), kNone);
  std::vector<uint32_t> new_node(nodes.size(), 0);
  for (uint32_t i = 0; i != kNone;) {
    CallNode node;
    node.self_ns = nodes[i].self_ns;
    node.self_count = nodes[i].self_count;
    if (i != 0) {
      uint32_t& frame = new_frame[nodes[i].frame];
      if (frame == kNone) {
        frame = static_cast<uint32_t>(tree.frames.size());
        tree.frames.push_back(Cleaned(frames[nodes[i].frame]));
      }
      node.frame = frame;
      node.parent = new_node[nodes[i].parent];
      node.depth = tree.nodes[node.parent].depth + 1;
    }
    new_node[i] = static_cast<uint32_t>(tree.nodes.size());
    tree.nodes.push_back(node);
    i = children.first[i] != kNone ? children.first[i] : NextOutside(nodes, children, i);
  }
  FillTotals(&tree.nodes);
  return tree;
}

}  // namespace

CallTree BuildCallTree(const Profile& profile, std::optional<size_t> slice, FlamegraphView view) {
  AllFrames frames(profile);
  const StackTree merged = MergeSlices(profile, slice, view, &frames);
  return InPreOrder(merged.nodes(), frames, view);
}

CallTree BuildSliceTree(const Profile& profile, size_t slice, FlamegraphView view) {
  return InPreOrder(TreeOf(profile.slices[slice], view).nodes(), AllFrames(profile), view);
}

CallTree LimitNodes(CallTree tree, size_t max_nodes) {
  if (tree.nodes.size() <= max_nodes) return tree;
  // A subtree is kept when it weighs more than the heaviest that must go. Parents weigh at least as
  // much as their children, so what is kept is connected. Notes are added: leave them half the
  // room.
  std::vector<uint64_t> weights;
  weights.reserve(tree.nodes.size());
  for (const CallNode& node : tree.nodes) weights.push_back(node.total_ns);
  const size_t kept = max_nodes / 2;
  std::nth_element(weights.begin(), weights.begin() + static_cast<ptrdiff_t>(kept), weights.end(), std::greater<>());
  const uint64_t too_light = weights[kept];

  CallTree limited;
  limited.view = tree.view;
  limited.frames = std::move(tree.frames);
  const uint32_t note = static_cast<uint32_t>(limited.frames.size());
  limited.frames.push_back({.name = "[smaller frames]",
                            .full_name = "[smaller frames, left out of this file]",
                            .module = "",
                            .kind = analyze::FrameKind::kNote});
  std::vector<uint32_t> new_node(tree.nodes.size(), 0);
  std::vector<uint32_t> note_of(tree.nodes.size(), kNone);
  for (uint32_t i = 0; i < tree.nodes.size();) {
    CallNode node = tree.nodes[i];
    const bool keep = i == 0 || node.total_ns > too_light;
    const uint32_t old_parent = node.parent;
    node.parent = new_node[old_parent];
    if (keep) {
      new_node[i++] = static_cast<uint32_t>(limited.nodes.size());
      limited.nodes.push_back(node);
      continue;
    }
    uint32_t& sum = note_of[old_parent];
    if (sum == kNone) {
      sum = static_cast<uint32_t>(limited.nodes.size());
      limited.nodes.push_back({.frame = note, .parent = node.parent, .depth = node.depth});
    }
    limited.nodes[sum].self_ns += node.total_ns;
    limited.nodes[sum].self_count += node.total_count;
    i = node.end;
  }
  FillTotals(&limited.nodes);
  return limited;
}

}  // namespace migprof::render
