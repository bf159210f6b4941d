// SPDX-License-Identifier: Apache-2.0
// The distribution of many durations in little memory.
#pragma once

#include <bit>
#include <cstdint>
#include <numeric>
#include <vector>

namespace migprof::analyze {

// Counts values in buckets whose width is at most 1/64 of what they hold, so that a quantile is off by at most 1/128
// (0.8 %) of the true value; below 64 every value has a bucket of its own. Merging adds counts, so that parts may be
// merged in any order and grouping with the same result. At most 30 KiB. Not thread-safe.
class QuantileSketch {
 public:
  void Add(uint64_t value, uint64_t count = 1) {
    const uint32_t bucket = BucketOf(value);
    if (bucket >= counts_.size()) [[unlikely]]
      counts_.resize(bucket + 1);
    counts_[bucket] += count;
  }
  void Merge(const QuantileSketch& other);

  // Of values. Adds them up: asked for seldom, while Add happens once per kernel.
  uint64_t count() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}); }
  // The value that a share `q` (0 to 1) of all values does not exceed: the value of rank ceil(q × count), the smallest
  // for 0. The middle of its bucket. 0 when there are no values.
  uint64_t Quantile(double q) const;

  // counts()[b]: values in bucket b; and what bucket b holds, for those who draw or export it.
  const std::vector<uint64_t>& counts() const { return counts_; }
  static uint64_t SmallestOf(uint32_t bucket);
  static uint32_t BucketOf(uint64_t value) {
    if (value < kSteps) return static_cast<uint32_t>(value);
    // The position of the highest bit, and the kStepBits bits below it.
    const auto shift = static_cast<uint32_t>(std::bit_width(value)) - 1 - kStepBits;
    return ((shift + 1) << kStepBits) + static_cast<uint32_t>((value >> shift) - kSteps);
  }

 private:
  static constexpr uint32_t kStepBits = 6;
  static constexpr uint64_t kSteps = 1 << kStepBits;

  std::vector<uint64_t> counts_;
};

}  // namespace migprof::analyze
