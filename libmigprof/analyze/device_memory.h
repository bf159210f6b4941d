// SPDX-License-Identifier: Apache-2.0
// Which device memory was in use when, by all processes of a slice together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/slice_metrics.h"

namespace migprof::analyze {

// Takes allocations and releases in almost any order and follows them in order of time; those of one process at one
// time in the order of their calls. A release belongs to what its process has at that address. What a process still
// has at its end is released then. Memory is bounded by the disorder, by what is live at a time, and by the number of
// places that allocate. Not thread-safe.
class DeviceMemory {
 public:
  // More allocations at a time are counted, but not followed.
  static constexpr size_t kMostLive = 4 * 1024 * 1024;

  struct Event {
    uint64_t time_ns = 0;
    uint64_t address = 0;
    uint64_t bytes = 0;  // of an allocation
    uint64_t order = 0;  // among events of one process at one time: the correlation id
    uint32_t process = 0;
    uint32_t site = 0;  // of an allocation: a number of the process's own
    bool is_release = false;
    bool forgets = false;     // all that the process has
    bool is_carried = false;  // allocated earlier, and there: no allocation of the window
  };

  // The window gets its bins from BinLength.
  DeviceMemory(uint64_t first_ns, uint64_t window_ns);

  // A process whose events end at `end_ns`. Returns its number: 0, 1, 2, …
  uint32_t AddProcess(uint64_t end_ns);
  void Add(const Event& event);
  // From `time_ns` on the process has only what is added as carried for that time.
  void Forget(uint32_t process, uint64_t time_ns);
  // Promises that no event added later lies before `time`.
  void SettleBefore(uint64_t time);

  // After SettleBefore(UINT64_MAX):
  const MemoryUse& Finish();
  // What the sites of a process held at the moment of the peak, by site.
  void ForEachAtPeak(uint32_t process,
                     const std::function<void(uint32_t site, uint64_t bytes, uint64_t count)>& visit) const;

 private:
  static constexpr uint64_t kProcessEnd = UINT64_MAX;  // as an order: after everything else

  struct Held {
    uint64_t bytes = 0;
    uint64_t count = 0;
  };
  struct Site {
    Held now;
    // What was held at the peak number `peak`; of a later one, `now` is what was, as the site has not changed since.
    Held at_peak;
    uint64_t peak = 0;
  };
  using SiteKey = std::pair<uint32_t, uint32_t>;     // process, site
  using AddressKey = std::pair<uint32_t, uint64_t>;  // process, address
  struct Live {
    uint64_t bytes;
    uint32_t site;
  };

  void Apply(const Event& event);
  void EndProcess(uint32_t process);
  // Takes what the process has away; returns how many bytes that is.
  uint64_t Drop(uint32_t process);
  void Change(SiteKey key, int64_t bytes, int64_t count);
  void NoteLevel(uint64_t time_ns);

  const uint64_t first_ns_;
  const uint64_t bin_ns_;
  std::vector<Event> waiting_;
  uint64_t earliest_ = UINT64_MAX;
  uint32_t processes_ = 0;
  absl::flat_hash_map<AddressKey, Live> live_;
  absl::flat_hash_map<SiteKey, Site> sites_;
  uint64_t live_bytes_ = 0;
  uint64_t peak_number_ = 0;
  uint64_t level_ = 0;  // live_bytes_ as last noted
  size_t bin_ = 0;      // of the last event
  MemoryUse use_;
};

}  // namespace migprof::analyze
