// SPDX-License-Identifier: Apache-2.0
// How much of given spans of time was busy, from intervals that come once and in order.
#pragma once

#include <cstdint>
#include <vector>

namespace migprof::analyze {

class BusyAtEdges {
 public:
  // `edges`: where the spans to be asked for begin and end, in any order.
  explicit BusyAtEdges(std::vector<uint64_t> edges);

  // The next interval: disjoint from those before, and after them.
  void Add(uint64_t start_ns, uint64_t end_ns);

  // After the last Add. Both must be edges.
  uint64_t Between(uint64_t start_ns, uint64_t end_ns) const { return Before(end_ns) - Before(start_ns); }

 private:
  uint64_t Before(uint64_t edge_ns) const;

  std::vector<uint64_t> edges_;   // ascending
  std::vector<uint64_t> before_;  // [i]: busy time before edges_[i]; as far as it is known
  uint64_t total_ns_ = 0;
};

}  // namespace migprof::analyze
