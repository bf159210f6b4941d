// SPDX-License-Identifier: Apache-2.0
// Idle time by cause in each part of a slice's window.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "libmigprof/analyze/slice_metrics.h"

namespace migprof::analyze {

// Not thread-safe.
class IdleTimeline {
 public:
  using Bin = std::array<uint64_t, kIdleCauses>;

  // The bins are those of BusyTime.
  IdleTimeline(uint64_t first_ns, uint64_t window_ns);

  // [start_ns, end_ns) within the window: a part of a gap, or nothing. In whatever order, quickest in that of time.
  void Add(IdleCause cause, uint64_t start_ns, uint64_t end_ns) {
    if (start_ns - begin_ns_ < length_ns_ && end_ns - begin_ns_ <= length_ns_) [[likely]] {
      (*bin_)[static_cast<size_t>(cause)] += end_ns - start_ns;
    } else {
      AddToBins(cause, start_ns, end_ns);
    }
  }

  const std::vector<Bin>& bins() const { return bins_; }

 private:
  void AddToBins(IdleCause cause, uint64_t start_ns, uint64_t end_ns);

  const uint64_t first_ns_;
  const uint64_t bin_ns_;
  std::vector<Bin> bins_;
  // The bin of the last addition, and when it is.
  Bin* bin_ = nullptr;
  uint64_t begin_ns_ = 0;
  uint64_t length_ns_ = 0;
};

}  // namespace migprof::analyze
