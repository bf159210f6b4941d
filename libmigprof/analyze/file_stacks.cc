// SPDX-License-Identifier: Apache-2.0
// What a file's events add to the trees of its slice, once all of them are there.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "libmigprof/analyze/file_analysis.h"

namespace migprof::analyze {

NodeId FileAnalysis::PlaceOf(CallSiteId id, FrameNames* names, StackTree* tree, NodeId under, bool* unspliced) const {
  if (id == kUnknownSite) return tree->Child(under, names->Note("[unknown launch]"));
  const CallSite& site = sites_[id];
  NodeId node = under;
  if (site.after_work) return tree->Child(node, names->Note(kAfterLastWork, FrameKind::kProcess));
  if (site.cut_off) return tree->Child(node, names->Note("[launched before what was kept]"));
  if (site.sampled_out) {
    node = tree->Child(node, names->Note("[stack left out to save time]"));
    return tree->Child(node, names->Note(definitions_.String(site.api), FrameKind::kCudaApi));
  }
  for (const FrameId range : names->RangePath(site.range_node)) node = tree->Child(node, range);
  const ShownPath path =
      names->CallPath({site.stack_node, site.python_node, site.truncated}, definitions_.String(site.api));
  for (const FrameId frame : path.frames) node = tree->Child(node, frame);
  if (site.is_graph_launch) node = tree->Child(node, names->Note("[CUDA graph]", FrameKind::kGraph));
  *unspliced = path.unspliced;
  return node;
}

// A stack taken at one call in N, at random, stands for N - 1 others. What those gave the GPU is known, kernel by
// kernel; only the stacks are not. So the time of a kernel that was launched without a stack by some API is divided
// among the sampled launches of that kernel by that API, in proportion to N - 1 times their time: sums stay what they
// are, and the division is right on average (the Horvitz-Thompson estimate, scaled to the known sum).
void FileAnalysis::SpreadSampledOut(SiteWeights::List* weights) const {
  struct Group {
    std::vector<size_t> without;                        // entries of calls without a stack
    std::vector<std::pair<size_t, uint64_t>> standing;  // entries and for how much they stand
    unsigned __int128 standing_sum = 0;
  };
  std::map<std::tuple<LeafId, uint64_t, CallSiteId>, Group> groups;  // leaf, API, place in a graph
  for (size_t i = 0; i < weights->size(); ++i) {
    const auto& [key, weight] = (*weights)[i];
    const CallSite& place = sites_[key >> 32];
    const CallSite& call = place.captured_at != kUnknownSite ? sites_[place.launched_at] : place;
    if (!call.sampled_out && call.stands_for == 1) continue;
    Group& group = groups[{static_cast<LeafId>(key), call.api, place.captured_at}];
    if (call.sampled_out) {
      group.without.push_back(i);
    } else {
      constexpr uint32_t kMost = 1024;  // the recorder never lets one stand for more
      const uint64_t standing = (std::min(call.stands_for, kMost) - 1) * std::max<uint64_t>(weight.ns, 1);
      group.standing.emplace_back(i, standing);
      group.standing_sum += standing;
    }
  }
  for (auto& [key, group] : groups) {
    if (group.standing_sum == 0) continue;  // nobody knows; they are shown as what they are
    for (const size_t without : group.without) {
      const Weight whole = std::exchange((*weights)[without].second, {});
      unsigned __int128 before = 0;
      for (const auto& [entry, standing] : group.standing) {
        const auto up_to = [sum = group.standing_sum](uint64_t amount, unsigned __int128 part) {
          return static_cast<uint64_t>(amount * part / sum);
        };
        const unsigned __int128 after = before + standing;
        (*weights)[entry].second.ns += up_to(whole.ns, after) - up_to(whole.ns, before);
        (*weights)[entry].second.count += up_to(whole.count, after) - up_to(whole.count, before);
        before = after;
      }
    }
  }
  std::erase_if(*weights, [](const auto& entry) { return entry.second.count == 0 && entry.second.ns == 0; });
}

void FileAnalysis::AddStacks(const StackView& view, FrameTable* frames, StackTree* tree, NodeId under, StackTree* idle,
                             NodeId idle_under) {
  FrameNames& names = names_.emplace(&definitions_, view, frames);
  std::vector<FrameId> leaf_frames(leaves_.size());
  for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
    switch (leaves_[leaf].kind) {
      case LeafKind::kKernel:
        leaf_frames[leaf] = names.Kernel(leaves_[leaf].id);
        break;
      case LeafKind::kTransfer:
        leaf_frames[leaf] = names.Transfer(leaves_[leaf].id);
        break;
      case LeafKind::kGraphRun:
        leaf_frames[leaf] = names.Note("graph launch", FrameKind::kGraph);
        break;
    }
  }
  std::vector<bool> counted(sites_.size());  // a site may be a launch path and a capture path, of several others
  const auto place_part = [&](CallSiteId site, StackTree* to, NodeId below) {
    bool unspliced = false;
    const NodeId node = PlaceOf(site, &names, to, below, &unspliced);
    if (unspliced && !counted[site]) {
      counted[site] = true;
      totals_.unspliced += site_calls_[site];
    }
    return node;
  };
  const auto place = [&](CallSiteId id, StackTree* to, NodeId below) {
    const CallSite& site = sites_[id];
    if (site.captured_at == kUnknownSite) return place_part(id, to, below);
    NodeId launch = place_part(site.launched_at, to, below);
    if (!sites_[site.launched_at].is_graph_launch) {  // or it is not known: the border is drawn all the same
      launch = to->Child(launch, names.Note("[CUDA graph]", FrameKind::kGraph));
    }
    return place_part(site.captured_at, to, launch);
  };
  // Adds weights, which are in order of their sites, with `leaf_frame(n)` on top of the site's place.
  const auto add = [&](SiteWeights::List weights, StackTree* to, auto&& place_of, auto&& leaf_frame) {
    SpreadSampledOut(&weights);
    CallSiteId site = 0;
    NodeId node = 0;  // no place of a site is the root
    for (const auto& [key, weight] : weights) {
      const auto id = static_cast<CallSiteId>(key >> 32);
      if (node == 0 || id != std::exchange(site, id)) node = place_of(id);
      to->Add(to->Child(node, leaf_frame(static_cast<uint32_t>(key))), weight.ns, weight.count);
    }
  };
  std::vector<NodeId> placed(sites_.size());  // in `tree`; 0: not there
  add(
      weights_.InOrder(), tree, [&](CallSiteId id) { return placed[id] = place(id, tree, under); },
      [&](LeafId leaf) { return leaf_frames[leaf]; });
  // Most of them are there already, and names are what takes time.
  std::vector<FrameId> path;
  const auto copy_place = [&](CallSiteId id) {
    if (placed[id] == 0) return place(id, idle, idle_under);
    path.clear();
    for (NodeId node = placed[id]; node != under; node = tree->nodes()[node].parent) {
      path.push_back(tree->nodes()[node].frame);
    }
    NodeId node = idle_under;
    for (auto frame = path.rbegin(); frame != path.rend(); ++frame) node = idle->Child(node, *frame);
    return node;
  };
  add(idle_.InOrder(), idle, copy_place,
      [&](uint32_t cause) { return names.Note(Name(static_cast<IdleCause>(cause)), FrameKind::kIdle); });
}

}  // namespace migprof::analyze
