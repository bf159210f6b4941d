// SPDX-License-Identifier: Apache-2.0
// How much of what belongs to which place in the program.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/launch_join.h"

namespace migprof::analyze {

struct Weight {
  uint64_t ns = 0;
  uint64_t count = 0;
};

// Weights by call site and something small: what ran, or a cause of idle time. Most sites have one or two of them,
// which lie in the order of the sites; more go into a hash table. Not thread-safe.
class SiteWeights {
 public:
  using List = std::vector<std::pair<uint64_t, Weight>>;  // by site << 32 | what

  // True when this was the first of its kind.
  bool Add(CallSiteId site, uint32_t what, uint64_t ns) {
    if (site >= sites_.size()) [[unlikely]]
      sites_.resize(site + site / 2 + 16);
    for (Slot& slot : sites_[site]) {
      if (slot.weight.count == 0) slot.what = what;
      if (slot.what == what) return Add(ns, &slot.weight);
    }
    return Add(ns, &others_[uint64_t{site} << 32 | what]);
  }

  // All of them, in ascending order, so that equal input gives equal results.
  List InOrder() const;

 private:
  static constexpr size_t kSlots = 2;
  struct Slot {
    Weight weight;
    uint32_t what = 0;
  };

  static bool Add(uint64_t ns, Weight* weight) {
    weight->ns += ns;
    return ++weight->count == 1;
  }

  std::vector<std::array<Slot, kSlots>> sites_;
  absl::flat_hash_map<uint64_t, Weight> others_;
};

}  // namespace migprof::analyze
