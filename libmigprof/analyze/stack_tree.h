// SPDX-License-Identifier: Apache-2.0
// Frames, and the weighted tree of stacks: what every picture is drawn from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace migprof::analyze {

enum class FrameKind : uint8_t {
  kHost,   // a machine
  kGpu,    // a physical GPU
  kSlice,  // a MIG slice, or the whole GPU where MIG is off
  kProcess,
  kNative,  // C, C++ and anything else compiled
  kPython,
  kCudaApi,  // an entry point of libcudart or libcuda
  kGraph,    // the border between the launch of a CUDA graph and what it holds
  kKernel,
  kMemcpy,
  kMemset,
  kNote,   // not a function: "[stack not recorded]", "[unknown launch]", "[truncated]"
  kRange,  // what the program itself says it is doing: NVTX, migprof_push
  kIdle,   // why nothing ran
};

// One distinct frame. Two frames are the same when full_name, module, kind and inlined are.
struct Frame {
  std::string name;       // as shown: demangled, long template arguments shortened
  std::string full_name;  // demangled, whole
  std::string module;     // file name of the binary; empty where that means nothing
  FrameKind kind = FrameKind::kNative;
  bool inlined = false;      // by the compiler into the frame before it
  std::string source = {};   // "file:line", where debug information told; else empty
  bool entry_point = false;  // known to be one (analyze/entry_point.h) where the name no longer tells
};

using FrameId = uint32_t;
using NodeId = uint32_t;

// All distinct frames of a profile.
class FrameTable {
 public:
  FrameId Intern(Frame frame);
  // Puts what `renamed` makes of each frame in its place. Ids stay, also where two frames become the same.
  void Rename(const std::function<Frame(const Frame&)>& renamed);
  const Frame& operator[](FrameId id) const { return frames_[id]; }
  size_t size() const { return frames_.size(); }

 private:
  std::vector<Frame> frames_;
  absl::flat_hash_map<std::string, FrameId> ids_;
};

struct TreeNode {
  NodeId parent = 0;  // the root is its own parent
  FrameId frame = 0;  // of the root: meaningless
  uint64_t self_ns = 0;
  uint64_t self_count = 0;
};

// A trie of stacks with a weight at each node. Node 0 is the root and stands for nothing. A parent always has a smaller
// id than its children.
class StackTree {
 public:
  StackTree() : nodes_(1) {}

  // The child of `parent` for `frame`, made if it is not there.
  NodeId Child(NodeId parent, FrameId frame);
  void Add(NodeId node, uint64_t ns, uint64_t count) {
    nodes_[node].self_ns += ns;
    nodes_[node].self_count += count;
  }
  // Adds `other`, a tree over the same FrameTable, below `under`.
  void Merge(const StackTree& other, NodeId under = 0);
  // The same with frames renumbered: frame f of `other` is frame `frames[f]` here.
  void Merge(const StackTree& other, const std::vector<FrameId>& frames, NodeId under = 0);

  const std::vector<TreeNode>& nodes() const { return nodes_; }

 private:
  std::vector<TreeNode> nodes_;
  absl::flat_hash_map<uint64_t, NodeId> children_;  // parent << 32 | frame
};

}  // namespace migprof::analyze
