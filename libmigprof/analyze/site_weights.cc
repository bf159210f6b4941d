// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/site_weights.h"

#include <algorithm>

namespace migprof::analyze {

SiteWeights::List SiteWeights::InOrder() const {
  List list(others_.begin(), others_.end());
  for (size_t site = 0; site < sites_.size(); ++site) {
    for (const Slot& slot : sites_[site]) {
      if (slot.weight.count != 0) list.emplace_back(uint64_t{site} << 32 | slot.what, slot.weight);
    }
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return list;
}

}  // namespace migprof::analyze
