// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/static_layout.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace migprof::render {
namespace {

constexpr size_t kMaxRows = 1000;
constexpr double kMinPixels = 0.5;

// A crumb still growing: in ns, so that neighbours meet exactly.
struct OpenCrumb {
  uint32_t parent = 0;
  uint32_t depth = 0;
  uint64_t left = 0;
  uint64_t right = 0;
};

class Layouter {
 public:
  Layouter(const CallTree& tree, double width)
      : tree_(tree),
        width_(width),
        scale_(width / static_cast<double>(std::max<uint64_t>(tree.nodes[0].total_ns, 1))) {}

  // Frames wider than `min_pixels`. Children stand side by side from the left edge of their parent.
  StaticLayout Collect(double min_pixels) {
    layout_ = {};
    crumb_ = {};
    std::vector<uint64_t> left_edge(2, 0);  // by depth, in ns: where the next frame there begins
    for (uint32_t i = 0; i < tree_.nodes.size();) {
      const CallNode& node = tree_.nodes[i];
      const uint64_t left = left_edge[node.depth];
      left_edge[node.depth] += node.total_ns;
      if (i != 0 && (Pixels(node.total_ns) <= min_pixels || node.depth >= kMaxRows)) {
        layout_.hidden += node.end - i;
        if (node.depth < kMaxRows) AddCrumb(node, left);
        i = node.end;
        continue;
      }
      left_edge.resize(std::max<size_t>(left_edge.size(), node.depth + 2));
      left_edge[node.depth + 1] = left;
      layout_.frames.push_back({i, Pixels(left), Pixels(node.total_ns)});
      layout_.rows = std::max<size_t>(layout_.rows, node.depth + 1);
      ++i;
    }
    CloseCrumb();
    layout_.frames[0].width = width_;  // also where there is no time at all
    return std::move(layout_);
  }

 private:
  double Pixels(uint64_t ns) const { return static_cast<double>(ns) * scale_; }

  void AddCrumb(const CallNode& node, uint64_t left) {
    if (crumb_.parent != node.parent || crumb_.depth != node.depth || crumb_.right != left) {
      CloseCrumb();
      crumb_ = {node.parent, node.depth, left, left};
    }
    crumb_.right += node.total_ns;
  }

  void CloseCrumb() {
    const double width = Pixels(crumb_.right - crumb_.left);
    if (width < kMinPixels) return;
    layout_.crumbs.push_back({crumb_.depth, Pixels(crumb_.left), width});
    layout_.rows = std::max<size_t>(layout_.rows, crumb_.depth + 1);
  }

  const CallTree& tree_;
  const double width_;
  const double scale_;
  StaticLayout layout_;
  OpenCrumb crumb_;
};

}  // namespace

StaticLayout LayOutStatic(const CallTree& tree, double width, size_t max_frames) {
  Layouter layouter(tree, width);
  StaticLayout layout = layouter.Collect(kMinPixels);
  if (layout.frames.size() <= max_frames || max_frames == 0) return layout;
  std::vector<double> widths;
  for (const DrawnFrame& frame : layout.frames) widths.push_back(frame.width);
  std::nth_element(widths.begin(), widths.begin() + static_cast<ptrdiff_t>(max_frames), widths.end(), std::greater<>());
  return layouter.Collect(widths[max_frames]);
}

}  // namespace migprof::render
