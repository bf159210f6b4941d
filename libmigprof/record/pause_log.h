// SPDX-License-Identifier: Apache-2.0
// When recording was stopped, and which work was given to the GPU meanwhile.
#pragma once

#include <cstdint>
#include <deque>

#include "libmigprof/record/slice_file.h"

namespace migprof::record {

// Correlation ids ascend and wrap. Threads overtake each other, so that close to both ends of a pause a few ids may be
// on the wrong side: readers allow for them. Drain thread only.
class PauseLog {
 public:
  // At most so many are kept, for files that may come later.
  static constexpr size_t kMostPauses = 1024;

  // Times on CUPTI's clock, in order.
  void Stop(uint64_t now_ns);
  // Recording goes on, or has come to its end.
  void Start(uint64_t now_ns);
  bool is_stopped() const { return !pauses_.empty() && pauses_.back().started_ns == 0; }

  // A call that was recorded.
  void NoteCall(uint32_t correlation) {
    if (!pauses_.empty()) [[unlikely]]
      NoteCallAfterPause(correlation);
    if (!IsBefore(correlation, last_) || last_ == 0) last_ = correlation;
  }
  // Whether this is work of a call that was not recorded because recording was stopped, as far as can be told.
  bool IsUnrecorded(uint32_t correlation) const { return !pauses_.empty() && IsInLast(correlation); }

  // Oldest first.
  const std::deque<Pause>& pauses() const { return pauses_; }
  // Whether the newest has changed since the last time this was asked.
  bool TakeChange() {
    const bool changed = changed_;
    changed_ = false;
    return changed;
  }
  uint64_t stops() const { return stops_; }

 private:
  static bool IsBefore(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }
  void NoteCallAfterPause(uint32_t correlation);
  bool IsInLast(uint32_t correlation) const;

  std::deque<Pause> pauses_;
  uint32_t last_ = 0;  // correlation of the newest recorded call; 0: none
  uint64_t stops_ = 0;
  bool changed_ = false;
};

}  // namespace migprof::record
