// SPDX-License-Identifier: Apache-2.0
// All trees of a profile for a report: over one list of frames, and no larger than what the report may weigh.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/flamegraph_view.h"

namespace migprof::render {

struct ReportTree {
  size_t slice = 0;
  FlamegraphView view = FlamegraphView::kGpuTime;
  size_t all_nodes = 0;
  size_t nodes = 0;            // in the report; less when the tree had to be thinned out
  uint64_t amount = 0;         // in the view's unit
  uint64_t hidden_amount = 0;  // of it, in subtrees that were left out, shown as "[smaller frames]"
};

struct ReportTrees {
  // {"frames": EncodeFrames, "trees": {"0.gpu": EncodeNodes, "0.idle": …, "1.gpu": …}}: by index of slice and ViewName.
  // Trees without weight are absent.
  std::string json;
  std::vector<ReportTree> trees;  // those that are present
};

// At most about `max_bytes` of text, but not less than a few hundred nodes per tree. Large trees are thinned out first
// (LimitNodes), so that small ones stay whole.
ReportTrees EncodeReportTrees(const analyze::Profile& profile, const std::vector<size_t>& slices, size_t max_bytes);

}  // namespace migprof::render
