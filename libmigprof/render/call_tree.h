// SPDX-License-Identifier: Apache-2.0
// The tree that every picture and every list of stacks is drawn from: all slices of a profile, or
// one, below one root, as a flat array in pre-order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/flamegraph_view.h"

namespace migprof::render {

struct CallNode {
  uint32_t frame = 0;   // index into CallTree::frames
  uint32_t parent = 0;  // the root is its own parent
  uint32_t depth = 0;   // of the root: 0
  uint32_t end = 0;     // one past the last descendant; the node itself + 1 for a leaf
  uint64_t self_ns = 0;
  uint64_t total_ns = 0;  // self and all descendants
  uint64_t self_count = 0;
  uint64_t total_count = 0;
};

// Rows from the root: everything; host; GPU; slice; process; host frames; …; kernel or copy.
// Siblings are distinct frames. Hosts, GPUs and slices stand in the order of the profile, other
// siblings in the byte order of their names, so equal profiles give equal trees and a frame stands
// at the same place in two pictures that are compared.
struct CallTree {
  FlamegraphView view = FlamegraphView::kGpuTime;  // what the weights are: `ns` below is bytes in a tree of memory
  // Only frames that occur, in the order of their first occurrence; [0] is the root's. Their
  // strings are clean (clean_text.h) and neither name is empty.
  std::vector<analyze::Frame> frames;
  std::vector<CallNode> nodes;  // never empty
};

// All slices, or the one with this index; an index that does not exist gives a tree of a root.
CallTree BuildCallTree(const analyze::Profile& profile, std::optional<size_t> slice = std::nullopt,
                       FlamegraphView view = FlamegraphView::kGpuTime);

// One slice without the rows above it: everything; process; host frames; …
CallTree BuildSliceTree(const analyze::Profile& profile, size_t slice, FlamegraphView view);

// The tree with at most about `max_nodes` nodes: the smallest subtrees are replaced, below each
// parent, by one note that carries their sum, so every total stays what it was. A tree that is
// small enough is returned as it is.
CallTree LimitNodes(CallTree tree, size_t max_nodes);

}  // namespace migprof::render
