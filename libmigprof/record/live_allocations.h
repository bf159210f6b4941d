// SPDX-License-Identifier: Apache-2.0
// Which device memory is allocated now, and by which call: what a segment of a recording must say for itself when the
// ones before it may be deleted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>

#include "libmigprof/record/activity.h"
#include "libmigprof/record/slice_file.h"

namespace migprof::record {

// Of all devices. Drain thread only.
class LiveAllocations {
 public:
  // At most so many are followed, of some 200 bytes each.
  static constexpr size_t kMost = 32 * 1024;
  static constexpr size_t kBytesEach = 200;
  // Calls that wait for the record of what they allocated.
  static constexpr size_t kMostCalls = 4 * 1024;

  // A call that allocates, before what it allocated.
  void NoteCall(const CallEvent& call);
  void Note(uint32_t device, const AllocationActivity& allocation);

  // Tells `file` of what is allocated on `device`, and of the calls.
  void CarryTo(uint32_t device, SliceFile* file) const;

  // Every call that CarryTo tells of, or may tell of later.
  template <typename Visitor>
  void ForEachCall(Visitor&& visit) {
    for (auto& [device, live] : live_) {
      for (auto& [address, entry] : live) {
        if (entry.call) visit(&*entry.call);
      }
    }
    for (auto& [correlation, call] : calls_) visit(&call);
  }

  // At most so much memory is taken. Before the first allocation.
  void LimitMemory(size_t most_bytes) {
    most_ = std::min(kMost, most_bytes / 2 / kBytesEach);
    most_calls_ = std::min(kMostCalls, most_bytes / 2 / kBytesEach);
  }

  // Allocations that were not followed because there were too many.
  uint64_t forgotten() const { return forgotten_; }
  size_t size() const { return size_; }

 private:
  struct Live {
    AllocationActivity allocation;
    std::optional<CallEvent> call;
  };

  std::map<uint32_t, std::map<uint64_t, Live>> live_;  // by device and address
  size_t size_ = 0;
  size_t most_ = kMost;
  size_t most_calls_ = kMostCalls;
  std::unordered_map<uint32_t, CallEvent> calls_;  // by correlation id
  std::deque<uint32_t> call_order_;                // oldest first; some are no longer in calls_
  uint64_t forgotten_ = 0;
};

}  // namespace migprof::record
