// SPDX-License-Identifier: Apache-2.0
// Which call caused which activity: the join of the two event streams of a process by correlation id.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {

using CallSiteId = uint32_t;
inline constexpr CallSiteId kUnknownSite = 0;

// Calls wait here for their activity. One kernel launch has one activity, but a graph launch has many, a copy may have
// several, and CUPTI delivers out of order, so a call is kept for a while after it was matched, and for long when it
// was not. What is kept is bounded by these two windows, counted in calls, and not by the length of the trace. For one
// file; not thread-safe.
class LaunchJoin {
 public:
  struct Counts {
    uint64_t launches = 0;
    uint64_t matched = 0;
    uint64_t unmatched = 0;
    uint64_t captured = 0;
    uint64_t failed = 0;
    uint64_t orphaned = 0;  // activities
  };

  // A call that gives the GPU work. Correlation ids are 32 bits and wrap: a call whose id comes again is settled first.
  // `time_ns`: of its entry; `thread`: any number of the caller's.
  void AddCall(uint32_t correlation, CallSiteId site, uint64_t time_ns = 0, uint16_t thread = 0);

  // What became of a call, when it will have no activity. Unknown correlations are ignored.
  void AddOutcome(uint32_t correlation, format::CallOutcome outcome);

  // The site of the call that caused an activity; kUnknownSite when its call is not, or no longer, there. `time_ns` and
  // `thread`, if not null, are set to what AddCall was told of it and left as they are when there is none.
  CallSiteId Match(uint32_t correlation, uint64_t* time_ns = nullptr, uint16_t* thread = nullptr) {
    const auto call = calls_.find(correlation);
    if (call == calls_.end()) [[unlikely]] {
      ++counts_.orphaned;
      return kUnknownSite;
    }
    call->second.matched = true;
    if (time_ns != nullptr) *time_ns = call->second.time_ns;
    if (thread != nullptr) *thread = call->second.thread;
    return call->second.site;
  }

  // The site of a call that waits here; kUnknownSite when there is none. Does not count as a match.
  CallSiteId SiteOf(uint32_t correlation) const {
    const auto call = calls_.find(correlation);
    return call != calls_.end() ? call->second.site : kUnknownSite;
  }

  // Settles what still waits, and returns the final counts: launches = matched + unmatched + captured + failed.
  const Counts& Finish();

  size_t waiting() const { return calls_.size(); }

 private:
  // A matched call is dropped this many calls later; activities of one launch come together.
  static constexpr uint64_t kMatchedWindow = 128 * 1024;
  // An unmatched one this many: far more than any driver queues, and than CUPTI holds back between two flushes.
  static constexpr uint64_t kUnmatchedWindow = 2 * 1024 * 1024;
  static constexpr uint64_t kSweepEvery = 64 * 1024;

  struct Call {
    uint64_t serial;
    uint64_t time_ns;
    CallSiteId site;
    uint16_t thread;
    format::CallOutcome outcome;  // 0: none
    bool matched;
  };

  void Settle(const Call& call);
  void Sweep();

  absl::flat_hash_map<uint32_t, Call> calls_;
  Counts counts_;
  uint64_t next_sweep_ = kSweepEvery;
};

}  // namespace migprof::analyze
