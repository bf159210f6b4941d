// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/idle_culprit.h"

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/entry_point.h"
#include "libmigprof/analyze/idle_gaps.h"
#include "libmigprof/render/clean_text.h"

namespace migprof::render {
namespace {

using analyze::Frame;
using analyze::FrameId;
using analyze::FrameKind;
using analyze::NodeId;
using analyze::TreeNode;

constexpr double kMost = 0.60;
constexpr double kMuch = 0.35;

// 0: cannot be blamed; the higher, the more it tells.
int Preference(const Frame& frame) {
  const bool entry = analyze::IsEntryPoint(frame);
  switch (frame.kind) {
    case FrameKind::kPython:
      return entry ? 2 : 5;
    case FrameKind::kNative:
      return entry ? 1 : 4;
    case FrameKind::kRange:
      return 3;
    default:
      return 0;
  }
}

struct Inclusive {
  uint64_t ns = 0;
  uint32_t depth = 0;  // of its heaviest place
  uint64_t heaviest_ns = 0;
};

}  // namespace

std::optional<IdleCulprit> FindIdleCulprit(const analyze::StackTree& idle, const analyze::FrameTable& frames) {
  const std::vector<TreeNode>& nodes = idle.nodes();
  std::vector<uint64_t> total(nodes.size());
  std::vector<uint32_t> depth(nodes.size(), 0);
  for (size_t i = nodes.size(); i-- > 0;) {
    total[i] += nodes[i].self_ns;
    if (i != 0) total[nodes[i].parent] += total[i];
  }
  absl::flat_hash_map<FrameId, Inclusive> inclusive;
  for (NodeId i = 1; i < nodes.size(); ++i) {
    depth[i] = depth[nodes[i].parent] + 1;
    // Inside itself, a recursive function adds nothing.
    bool inside = false;
    for (NodeId above = nodes[i].parent; above != 0 && !inside; above = nodes[above].parent) {
      inside = nodes[above].frame == nodes[i].frame;
    }
    if (inside) continue;
    Inclusive& sum = inclusive[nodes[i].frame];
    sum.ns += total[i];
    if (total[i] > sum.heaviest_ns) {
      sum.heaviest_ns = total[i];
      sum.depth = depth[i];
    }
  }
  const auto deepest = [&](double share, int least_preference) -> std::optional<FrameId> {
    std::optional<FrameId> best;
    int best_preference = 0;
    for (const auto& [frame, sum] : inclusive) {
      const int preference = Preference(frames[frame]);
      if (preference < least_preference || preference == 0) continue;
      if (static_cast<double>(sum.ns) < share * static_cast<double>(total[0])) continue;
      const bool better = !best || preference > best_preference ||
                          (preference == best_preference && (sum.depth > inclusive[*best].depth ||
                                                             (sum.depth == inclusive[*best].depth && frame < *best)));
      if (!better) continue;
      best = frame;
      best_preference = preference;
    }
    return best;
  };
  if (total[0] == 0) return std::nullopt;
  std::optional<FrameId> culprit = deepest(kMost, 3);
  if (!culprit) culprit = deepest(kMuch, 3);
  if (!culprit) culprit = deepest(kMost, 1);
  if (!culprit) return std::nullopt;
  return IdleCulprit{CleanText(frames[*culprit].name), inclusive[*culprit].ns, total[0]};
}

std::optional<IdleTail> FindIdleTail(const analyze::StackTree& idle, const analyze::FrameTable& frames) {
  const std::vector<TreeNode>& nodes = idle.nodes();
  std::vector<uint64_t> total(nodes.size());
  IdleTail tail;
  uint64_t most = 0;
  for (size_t i = nodes.size(); i-- > 1;) {
    total[i] += nodes[i].self_ns;
    total[nodes[i].parent] += total[i];
    const Frame& frame = frames[nodes[i].frame];
    if (frame.kind != FrameKind::kProcess || frame.full_name != analyze::kAfterLastWork) continue;
    tail.idle_ns += total[i];
    if (total[i] <= most || nodes[i].parent == 0) continue;
    most = total[i];
    tail.process = CleanText(frames[nodes[nodes[i].parent].frame].name);
  }
  if (tail.idle_ns == 0) return std::nullopt;
  return tail;
}

}  // namespace migprof::render
