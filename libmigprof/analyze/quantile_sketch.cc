// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/quantile_sketch.h"

#include <algorithm>
#include <cmath>

namespace migprof::analyze {

void QuantileSketch::Merge(const QuantileSketch& other) {
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (size_t bucket = 0; bucket < other.counts_.size(); ++bucket) counts_[bucket] += other.counts_[bucket];
}

uint64_t QuantileSketch::SmallestOf(uint32_t bucket) {
  if (bucket < kSteps) return bucket;
  const uint32_t shift = (bucket >> kStepBits) - 1;
  return (kSteps + (bucket & (kSteps - 1))) << shift;
}

uint64_t QuantileSketch::Quantile(double q) const {
  const uint64_t values = count();
  if (values == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(values)));
  uint64_t before = 0;
  for (uint32_t bucket = 0; bucket < counts_.size(); ++bucket) {
    before += counts_[bucket];
    if (before == 0 || before < rank) continue;
    const uint64_t smallest = SmallestOf(bucket);
    // In a bucket 2^n wide, n of 0 included, the middle rounded down.
    const uint64_t width = bucket < kSteps ? 1 : uint64_t{1} << ((bucket >> kStepBits) - 1);
    return smallest + (width - 1) / 2;
  }
  return 0;
}

}  // namespace migprof::analyze
