// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/duration_counter.h"

#include <utility>

namespace migprof::analyze {

void DurationCounter::AddRare(uint64_t duration_ns, bool is_common) {
  rest_.Add(duration_ns, is_common ? uint64_t{1} << 16 : 1);
}

QuantileSketch DurationCounter::Take() {
  for (size_t index = 0; index < kCounts; ++index) {
    const uint16_t count = counts_[index];
    if (count != 0) rest_.Add(QuantileSketch::SmallestOf(static_cast<uint32_t>(kLeast + index)), count);
  }
  counts_.reset();
  return std::move(rest_);
}

}  // namespace migprof::analyze
