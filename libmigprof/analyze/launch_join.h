// SPDX-License-Identifier: Apache-2.0
// Which call caused which activity: the join of the two event streams of a process by correlation id.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {

using CallSiteId = uint32_t;
inline constexpr CallSiteId kUnknownSite = 0;

// Calls wait here for their activity. One kernel launch has one activity, but a graph launch has many, a copy may have
// several, and CUPTI delivers out of order, so a call is kept for a while after it was matched, and for long when it
// was not. What is kept is bounded by these two windows, counted in calls, and not by the length of the trace. CUPTI
// numbers calls in order, so that calls which follow each other lie side by side here, in pages. For one file; not
// thread-safe.
class LaunchJoin {
 public:
  struct Counts {
    uint64_t launches = 0;
    uint64_t matched = 0;
    uint64_t unmatched = 0;
    uint64_t captured = 0;
    uint64_t failed = 0;
    uint64_t cut_off = 0;   // unmatched, because what came after them is not there
    uint64_t orphaned = 0;  // activities
  };

  // More pages than these are not kept, so that ids without any order do not take a page each without end.
  static constexpr size_t kMostPages = 256 * 1024;

  // A call that gives the GPU work. Correlation ids are 32 bits and wrap: a call whose id comes again is settled first.
  // `time_ns`: of its entry; `thread`: any number of the caller's.
  void AddCall(uint32_t correlation, CallSiteId site, uint64_t time_ns = 0, uint16_t thread = 0);

  // What became of a call, when it will have no activity. Unknown correlations are ignored.
  void AddOutcome(uint32_t correlation, format::CallOutcome outcome);

  // The site of the call that caused an activity; kUnknownSite when its call is not, or no longer, there. `time_ns` and
  // `thread`, if not null, are set to what AddCall was told of it and left as they are when there is none.
  CallSiteId Match(uint32_t correlation, uint64_t* time_ns = nullptr, uint16_t* thread = nullptr) {
    Call* const call = Find(correlation, &last_matched_);
    if (call == nullptr) [[unlikely]] {
      ++counts_.orphaned;
      return kUnknownSite;
    }
    if (!call->matched) CountMatched(call);
    if (time_ns != nullptr) *time_ns = call->time_ns;
    if (thread != nullptr) *thread = call->thread;
    return call->site;
  }

  // The site of a call that waits here; kUnknownSite when there is none. Does not count as a match.
  CallSiteId SiteOf(uint32_t correlation) {
    const Call* const call = Find(correlation, &last_matched_);
    return call != nullptr ? call->site : kUnknownSite;
  }

  // What follows now is not what followed in the process: for calls that wait here there may have been activity.
  void CutOff();

  // Settles what still waits, and returns the final counts: launches = matched + unmatched + captured + failed
  // + cut_off.
  const Counts& Finish();

  size_t waiting() const { return waiting_; }

 private:
  // A matched call is dropped this many calls later; activities of one launch come together.
  static constexpr uint64_t kMatchedWindow = 128 * 1024;
  // An unmatched one this many: far more than any driver queues, and than CUPTI holds back between two flushes.
  static constexpr uint64_t kUnmatchedWindow = 2 * 1024 * 1024;
  static constexpr uint64_t kSweepEvery = 64 * 1024;

  struct Call {
    uint64_t time_ns;
    CallSiteId site;
    uint16_t thread;
    format::CallOutcome outcome;  // 0: none
    bool waits : 1;               // false: there is no call of this id
    bool matched : 1;
    bool cut_off : 1;
  };
  static_assert(sizeof(Call) == 16);
  static constexpr uint32_t kPageCalls = 32;
  // The calls of kPageCalls ids that follow each other.
  using Page = std::array<Call, kPageCalls>;
  // What is known of a page without looking at it.
  struct PageInfo {
    uint32_t number;     // id / kPageCalls
    uint16_t waiting;    // calls in it
    uint16_t unmatched;  // of these
    uint64_t newest;     // launches when its last call came
  };
  // Where the last one was: the next one is seldom elsewhere.
  struct Cursor {
    uint32_t number = 0;
    uint32_t index = 0;
    Page* page = nullptr;
  };

  Call* Find(uint32_t correlation, Cursor* cursor) {
    const uint32_t number = correlation / kPageCalls;
    if (cursor->page == nullptr || cursor->number != number) {
      const auto page = pages_.find(number);
      if (page == pages_.end()) return nullptr;
      *cursor = {number, page->second, &storage_[page->second]};
    }
    Call* const call = &(*cursor->page)[correlation % kPageCalls];
    return call->waits ? call : nullptr;
  }

  // What was matched is counted at once, so that most pages are dropped without a look at their calls.
  void CountMatched(Call* call) {
    call->matched = true;
    ++counts_.matched;
    --infos_[last_matched_.index].unmatched;
  }
  uint32_t NewPage(uint32_t number);
  // Counts what became of an unmatched call, which then no longer waits.
  void Settle(PageInfo* info, Call* call);
  // Settles what waits in a page, and gives it back.
  void DropPage(uint32_t index);
  void Sweep();
  // Settles the older half of all pages.
  void MakeRoom();

  absl::flat_hash_map<uint32_t, uint32_t> pages_;  // number -> index of …
  std::deque<Page> storage_;
  std::vector<PageInfo> infos_;  // … both of these
  std::vector<uint32_t> free_;   // indices in which nothing waits
  Cursor last_added_;
  Cursor last_matched_;
  size_t waiting_ = 0;
  Counts counts_;
  uint64_t next_sweep_ = kSweepEvery;
};

}  // namespace migprof::analyze
