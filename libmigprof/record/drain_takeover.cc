// SPDX-License-Identifier: Apache-2.0
// What the drain does about another client that takes CUPTI over.
#include <utility>

#include "libmigprof/base/clock.h"
#include "libmigprof/record/drain.h"

namespace migprof::record {

void Drain::CheckSubscription() {
  if (takeover_ != Takeover::kNone || parts_.tracer->IsSubscribed()) return;
  takeover_ = Takeover::kSubscription;
  taken_over_ns_ = RealtimeNs();
  parts_.tracer->StandDown();
}

// Whether the flush was one while the GPU had nothing to do.
bool Drain::WatchedFlush(bool forced) {
  if (watch_.expects_kernels()) CollectRings();
  const bool was_idle = watch_.is_idle();
  const uint64_t calls = calls_;
  const bool flushed = parts_.tracer->Flush(forced);
  const uint64_t transfers = parts_.buffers->transfers();
  if (std::exchange(buffer_transfers_, transfers) != transfers) watch_.NoteBuffers(parts_.buffers->held_bytes());
  if (!watch_.expects_kernels()) return false;
  CollectRings();
  return flushed && was_idle && calls_ == calls;
}

// Of everything that may keep a kernel from arriving, or what became of its call from being known.
uint64_t Drain::Losses() const {
  uint64_t losses = dropped_activities_ + parts_.buffers->refused();
  for (const uint64_t calls : dropped_calls_) losses += calls;
  parts_.slots->ForEach(
      [&](const ThreadSlot* slot) { losses += slot->dropped_outcomes.load(std::memory_order_relaxed); });
  return losses;
}

void Drain::JudgeTakeover(bool was_idle) {
  const uint64_t losses = Losses();
  if (std::exchange(losses_, losses) != losses || parts_.pauses->is_stopped()) return watch_.Forget();
  if (!watch_.JudgeFlush(was_idle, MonotonicNs())) return;
  takeover_ = Takeover::kActivity;
  uint64_t now_ns = 0;
  parts_.cupti->get_timestamp(&now_ns);
  taken_over_ns_ = RealtimeNs() - (now_ns - watch_.missing_since_ns());
}

Error Drain::EndForTakeover(uint64_t now_ns) {
  Error error;
  Collect(&error);
  parts_.pauses->Start(now_ns);
  NotePauses();
  parts_.pauses->Stop(now_ns);
  return error.ok() ? Write(/*forced=*/false) : error;
}

}  // namespace migprof::record
