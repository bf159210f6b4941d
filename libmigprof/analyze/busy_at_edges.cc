// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/busy_at_edges.h"

#include <algorithm>
#include <utility>

namespace migprof::analyze {

BusyAtEdges::BusyAtEdges(std::vector<uint64_t> edges) : edges_(std::move(edges)) {
  std::sort(edges_.begin(), edges_.end());
  edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
}

void BusyAtEdges::Add(uint64_t start_ns, uint64_t end_ns) {
  while (before_.size() < edges_.size() && edges_[before_.size()] < end_ns) {
    const uint64_t edge = edges_[before_.size()];
    before_.push_back(total_ns_ + (edge > start_ns ? edge - start_ns : 0));
  }
  total_ns_ += end_ns - start_ns;
}

uint64_t BusyAtEdges::Before(uint64_t edge_ns) const {
  const auto edge = std::lower_bound(edges_.begin(), edges_.end(), edge_ns) - edges_.begin();
  return static_cast<size_t>(edge) < before_.size() ? before_[static_cast<size_t>(edge)] : total_ns_;
}

}  // namespace migprof::analyze
