// SPDX-License-Identifier: Apache-2.0
// A QuantileSketch that is being filled, once per kernel.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "libmigprof/analyze/quantile_sketch.h"

namespace migprof::analyze {

// Counts durations in the buckets of a QuantileSketch. Those from 64 ns to 137 s, nearly all there are, cost one
// comparison and the addition to a counter of 16 bits, so that the buckets a program's durations fall into lie in few
// cache lines; the rest, and what such a counter cannot hold, goes where there is room for everything. 4 KiB. Not
// thread-safe.
class DurationCounter {
 public:
  void Add(uint64_t duration_ns) {
    const bool is_common = duration_ns - kLeast < kTooMuch - kLeast;
    if (!is_common || ++counts_[IndexOf(duration_ns)] == 0) [[unlikely]]
      AddRare(duration_ns, is_common);
  }

  // What was counted. What is added afterwards must not be asked for.
  QuantileSketch Take();

 private:
  static constexpr uint64_t kLeast = 64;
  static constexpr uint64_t kTooMuch = uint64_t{1} << 37;
  // A double begins with the position of the highest bit of what it holds, and the bits below it: so do the buckets.
  static uint64_t LeadingBits(uint64_t value) {
    constexpr int kMantissaBits = 52;
    constexpr int kBucketBits = 6;
    const auto exact = static_cast<double>(static_cast<int64_t>(value));
    return std::bit_cast<uint64_t>(exact) >> (kMantissaBits - kBucketBits);
  }
  static uint64_t IndexOf(uint64_t value) {
    constexpr uint64_t kFirst = uint64_t{1023 + 6} << 6;  // LeadingBits(kLeast)
    return LeadingBits(value) - kFirst;
  }

  // What Add leaves over: a duration out of the common, or 2^16 in one bucket.
  void AddRare(uint64_t duration_ns, bool is_common);

  static constexpr size_t kCounts = (37 - 6) * 64;
  std::unique_ptr<uint16_t[]> counts_ = std::make_unique<uint16_t[]>(kCounts);
  QuantileSketch rest_;
};

}  // namespace migprof::analyze
