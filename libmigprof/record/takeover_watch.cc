// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/takeover_watch.h"

#include <algorithm>

namespace migprof::record {

TakeoverWatch::Thread& TakeoverWatch::Of(uint32_t thread) {
  if (newest_thread_ == nullptr || newest_ != thread) {
    newest_ = thread;
    newest_thread_ = &threads_[thread];
  }
  return *newest_thread_;
}

void TakeoverWatch::NoteWork(uint32_t thread, uint32_t context, uint32_t correlation, bool is_kernel,
                             uint64_t time_ns) {
  if (context_ == 0) context_ = context;
  several_contexts_ |= context != context_;
  Thread& mine = Of(thread);
  mine.last_work_ns = time_ns;
  mine.last_correlation = correlation;
  mine.last_is_kernel = is_kernel;
  if (!is_kernel) return;
  if (kernels_++ == 0) {
    first_missing_ns_ = time_ns;
    idle_flushes_ = 0;
  }
  ++unhoused_;
}

void TakeoverWatch::NoteNoWork(uint32_t thread, uint32_t correlation) {
  Thread& mine = Of(thread);
  if (mine.last_correlation != correlation) return;
  mine.last_correlation = 0;
  if (!mine.last_is_kernel) return;
  kernels_ -= std::min<uint64_t>(kernels_, 1);
  unhoused_ -= std::min<uint64_t>(unhoused_, 1);
}

void TakeoverWatch::NoteSynchronizing(uint32_t thread, uint32_t correlation, uint64_t time_ns) {
  Thread& mine = Of(thread);
  mine.synchronizing = correlation;
  mine.synchronizing_ns = time_ns;
}

void TakeoverWatch::NoteReturned(uint32_t thread, uint32_t correlation) {
  Thread& mine = Of(thread);
  if (mine.synchronizing != correlation) return;
  mine.synchronized_ns = std::max(mine.synchronized_ns, mine.synchronizing_ns);
  synchronized_ns_ = std::max(synchronized_ns_, mine.synchronizing_ns);
}

void TakeoverWatch::NoteEnd(uint32_t thread) {
  const auto found = threads_.find(thread);
  if (found == threads_.end()) return;
  const Thread& ended = found->second;
  if (ended.last_work_ns > ended.synchronized_ns) ended_work_ns_ = std::max(ended_work_ns_, ended.last_work_ns);
  threads_.erase(found);
  newest_thread_ = nullptr;
}

void TakeoverWatch::NoteBuffers(uint64_t held_bytes) {
  held_bytes_ = held_bytes;
  unhoused_ = 0;
}

bool TakeoverWatch::is_idle() const {
  if (several_contexts_) return false;
  if (ended_work_ns_ != 0 && ended_work_ns_ + kReturnedNs > synchronized_ns_) return false;
  return std::all_of(threads_.begin(), threads_.end(), [this](const auto& entry) {
    const Thread& thread = entry.second;
    return thread.last_work_ns <= thread.synchronized_ns || thread.last_work_ns + kReturnedNs <= synchronized_ns_;
  });
}

bool TakeoverWatch::JudgeFlush(bool was_idle, uint64_t now_ns) {
  if (!expects_kernels()) return false;
  if (unhoused_ > kQueued + held_bytes_ / kKernelBytes) return true;
  if (!was_idle) return false;
  if (idle_flushes_++ == 0) first_idle_flush_ns_ = now_ns;
  return idle_flushes_ >= kFlushes && now_ns - first_idle_flush_ns_ >= kSpanNs;
}

void TakeoverWatch::Forget() {
  kernels_ = 0;
  unhoused_ = 0;
  idle_flushes_ = 0;
}

}  // namespace migprof::record
