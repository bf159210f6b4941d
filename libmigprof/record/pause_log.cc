// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/pause_log.h"

namespace migprof::record {

void PauseLog::Stop(uint64_t now_ns) {
  if (is_stopped()) return;
  pauses_.push_back({.stopped_ns = now_ns, .last_before = last_});
  if (pauses_.size() > kMostPauses) pauses_.pop_front();
  ++stops_;
  changed_ = true;
}

void PauseLog::Start(uint64_t now_ns) {
  if (!is_stopped()) return;
  pauses_.back().started_ns = now_ns;
  changed_ = true;
}

void PauseLog::NoteCallAfterPause(uint32_t correlation) {
  Pause& pause = pauses_.back();
  if (pause.started_ns == 0) {
    // It was entered before the stop and came late.
    if (pause.last_before != 0 && !IsBefore(pause.last_before, correlation)) return;
    pause.last_before = correlation;
  } else {
    // Threads are emptied one after the other.
    const bool is_first = pause.first_after == 0 || IsBefore(correlation, pause.first_after);
    if (!is_first || (pause.last_before != 0 && !IsBefore(pause.last_before, correlation))) return;
    pause.first_after = correlation;
  }
  changed_ = true;
}

bool PauseLog::IsInLast(uint32_t correlation) const {
  const Pause& pause = pauses_.back();
  if (pause.last_before != 0 && !IsBefore(pause.last_before, correlation)) return false;
  // After it was taken up again an activity comes later than the record of its call.
  return pause.first_after == 0 || IsBefore(correlation, pause.first_after);
}

}  // namespace migprof::record
