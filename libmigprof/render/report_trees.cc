// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_trees.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/headline.h"
#include "libmigprof/render/tree_encoding.h"

namespace migprof::render {
namespace {

constexpr size_t kLeastNodes = 400;
constexpr size_t kMostNodes = 1'000'000;  // of all trees, to begin with: what a browser decodes in time
constexpr size_t kLongestName = 1500;     // a template's whole name may have 100,000 letters
constexpr int kTries = 8;
constexpr double kWellFilled = 0.9;
constexpr double kTarget = 0.97;

// One list of frames for several trees.
class SharedFrames {
 public:
  SharedFrames() { frames_.push_back({.name = "all", .full_name = "all", .module = "", .kind = {}}); }

  // Makes the nodes of `tree` refer to this list.
  void Adopt(CallTree* tree) {
    std::vector<uint32_t> id(tree->frames.size(), 0);
    for (size_t i = 1; i < id.size(); ++i) id[i] = Intern(std::move(tree->frames[i]));
    for (CallNode& node : tree->nodes) node.frame = id[node.frame];
    tree->frames.clear();
  }
  const std::vector<analyze::Frame>& frames() const { return frames_; }

 private:
  uint32_t Intern(analyze::Frame frame) {
    frame.name = CutToCells(frame.name, kLongestName);
    frame.full_name = CutToCells(frame.full_name, kLongestName);
    std::string key = frame.full_name;
    for (const std::string_view part :
         {std::string_view(frame.name), std::string_view(frame.module), std::string_view(frame.source)}) {
      key.append(1, '\0').append(part);
    }
    key += static_cast<char>(frame.kind);
    key += frame.inlined ? '\1' : '\2';
    const auto [entry, is_new] = ids_.try_emplace(std::move(key), static_cast<uint32_t>(frames_.size()));
    if (is_new) frames_.push_back(std::move(frame));
    return entry->second;
  }

  std::vector<analyze::Frame> frames_;
  absl::flat_hash_map<std::string, uint32_t> ids_;
};

// The number of nodes that each tree may have so that together they have `all`: the same for all, but what small trees
// leave is for the large ones.
size_t NodesPerTree(std::vector<size_t> sizes, size_t all) {
  std::sort(sizes.begin(), sizes.end());
  for (size_t i = 0; i < sizes.size(); ++i) {
    const size_t share = all / (sizes.size() - i);
    if (sizes[i] >= share) return std::max(share, kLeastNodes);
    all -= sizes[i];
  }
  return kMostNodes;
}

uint64_t HiddenAmount(const CallTree& tree, size_t all_nodes) {
  if (tree.nodes.size() >= all_nodes) return 0;
  uint64_t hidden = 0;
  // LimitNodes adds its note as the last frame.
  const auto note = static_cast<uint32_t>(tree.frames.size() - 1);
  for (const CallNode& node : tree.nodes) hidden += node.frame == note ? node.self_ns : 0;
  return hidden;
}

ReportTrees Encode(const analyze::Profile& profile, std::vector<ReportTree> wanted, size_t all_nodes) {
  std::vector<size_t> sizes;
  for (const ReportTree& tree : wanted) sizes.push_back(tree.all_nodes);
  const size_t limit = NodesPerTree(sizes, all_nodes);
  SharedFrames frames;
  std::vector<CallTree> trees;
  for (ReportTree& of : wanted) {
    CallTree tree = LimitNodes(BuildSliceTree(profile, of.slice, of.view), limit);
    of.nodes = tree.nodes.size();
    of.amount = tree.nodes[0].total_ns;
    of.hidden_amount = HiddenAmount(tree, of.all_nodes);
    frames.Adopt(&tree);
    trees.push_back(std::move(tree));
  }
  std::string json = "{\"frames\":" + EncodeFrames(frames.frames()) + ",\n\"trees\":{";
  for (size_t i = 0; i < trees.size(); ++i) {
    if (i != 0) json += ',';
    json.append("\n\"").append(std::to_string(wanted[i].slice)).append(".").append(ViewName(wanted[i].view));
    const Headline headline = MakeHeadline(profile, wanted[i].slice, wanted[i].view);
    json.append("\":").append(EncodeNodes(trees[i], frames.frames().size(), headline));
  }
  return {json + "}}", std::move(wanted)};
}

bool HasWeight(const analyze::StackTree& tree) {
  return std::any_of(tree.nodes().begin(), tree.nodes().end(), [](const auto& node) { return node.self_ns != 0; });
}

}  // namespace

ReportTrees EncodeReportTrees(const analyze::Profile& profile, const std::vector<size_t>& slices, size_t max_bytes) {
  std::vector<ReportTree> wanted;
  size_t all_nodes = 0;
  for (const size_t slice : slices) {
    for (const FlamegraphView view : kFlamegraphViews) {
      const analyze::StackTree& tree = TreeOf(profile.slices[slice], view);
      if (!HasWeight(tree)) continue;
      wanted.push_back({.slice = slice, .view = view, .all_nodes = tree.nodes().size()});
      all_nodes += tree.nodes().size();
    }
  }
  size_t nodes = std::min(all_nodes, kMostNodes);
  ReportTrees best = Encode(profile, wanted, nodes);
  // LimitNodes keeps between half and all of what it may: up again when there is room left.
  ReportTrees tried = best;
  for (int i = 0; i < kTries; ++i) {
    const double filled = static_cast<double>(tried.json.size()) / static_cast<double>(max_bytes);
    const bool fits = filled <= 1;
    if (fits && (nodes == all_nodes || filled > kWellFilled)) break;
    // Fewer nodes need not mean fewer frames, so that text shrinks more slowly than trees.
    const double next = static_cast<double>(nodes) * std::pow(kTarget / filled, fits ? 1 : 1.3);
    nodes = std::clamp(static_cast<size_t>(next), kLeastNodes, std::min(all_nodes, 2 * kMostNodes));
    tried = Encode(profile, wanted, nodes);
    const bool best_fits = best.json.size() <= max_bytes;
    const bool better = tried.json.size() <= max_bytes ? !best_fits || tried.json.size() > best.json.size()
                                                       : !best_fits && tried.json.size() < best.json.size();
    if (better) best = tried;
  }
  return best;
}

}  // namespace migprof::render
