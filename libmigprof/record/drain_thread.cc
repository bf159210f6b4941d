// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/drain_thread.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "libmigprof/base/clock.h"

namespace migprof::record {
namespace {

// Between two rounds. While calls come, the rings must be emptied before they are full: 5 ms at a million calls a
// second and 48 bytes each is 240 KB. Idle, rarer rounds cost less and a burst still finds an empty ring.
constexpr uint32_t kBusyMs = 5;
constexpr uint32_t kIdleMs = 20;
constexpr uint32_t kStoppedMs = 100;
constexpr uint32_t kFirstWriteMs = 50;
constexpr size_t kStackBytes = 1 << 20;

timespec DeadlineAfter(uint32_t milliseconds) {
  const uint64_t deadline = MonotonicNs() + uint64_t{milliseconds} * 1'000'000;
  return {static_cast<time_t>(deadline / 1'000'000'000), static_cast<long>(deadline % 1'000'000'000)};
}

}  // namespace

Error DrainThread::Start(DrainWork* work, uint32_t flush_ms) {
  work_ = work;
  flush_ms_ = flush_ms;
  static constexpr char kNoThread[] = "no thread can be created";
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  int error = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  if (error == 0) error = pthread_cond_init(&changed_, &monotonic);
  if (error == 0) error = pthread_mutex_init(&mutex_, nullptr);
  pthread_condattr_destroy(&monotonic);
  pthread_attr_t attributes;
  if (error == 0) error = pthread_attr_init(&attributes);
  if (error != 0) return {kNoThread, error};
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // The application's signal handlers must never run on this thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  error = pthread_create(&thread, &attributes, &DrainThread::Run, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return {kNoThread, error};
  pthread_setname_np(thread, "migprof");
  return Error::None();
}

bool DrainThread::Stop(uint32_t timeout_ms) {
  const timespec deadline = DeadlineAfter(timeout_ms);
  pthread_mutex_lock(&mutex_);
  stop_ = true;
  pthread_cond_broadcast(&changed_);
  while (!finished_ && pthread_cond_timedwait(&changed_, &mutex_, &deadline) != ETIMEDOUT) {
  }
  const bool finished = finished_;
  pthread_mutex_unlock(&mutex_);
  return finished;
}

bool DrainThread::Ask(ControlVerb verb, uint32_t timeout_ms) {
  const timespec deadline = DeadlineAfter(timeout_ms);
  pthread_mutex_lock(&mutex_);
  bool done = false;
  if (!stop_ && asked_ - obeyed_ < kMostWaiting / 2) {  // the other half: answers that are not read yet
    const uint64_t mine = asked_++;
    requests_[mine % kMostWaiting] = {verb, false};
    pthread_cond_broadcast(&changed_);
    while (obeyed_ <= mine && !finished_ && pthread_cond_timedwait(&changed_, &mutex_, &deadline) != ETIMEDOUT) {
    }
    done = obeyed_ > mine && requests_[mine % kMostWaiting].done;
  }
  pthread_mutex_unlock(&mutex_);
  return done;
}

void DrainThread::ObeyAll() {
  pthread_mutex_lock(&mutex_);
  while (obeyed_ != asked_) {
    const ControlVerb verb = requests_[obeyed_ % kMostWaiting].verb;
    pthread_mutex_unlock(&mutex_);
    const bool done = work_->Obey(verb);
    pthread_mutex_lock(&mutex_);
    requests_[obeyed_++ % kMostWaiting].done = done;
    pthread_cond_broadcast(&changed_);
  }
  pthread_mutex_unlock(&mutex_);
}

void* DrainThread::Run(void* self) {
  static_cast<DrainThread*>(self)->Loop();
  return nullptr;
}

void DrainThread::Loop() {
  uint32_t period_ms = kBusyMs;
  uint64_t last_write = MonotonicNs();
  // The first writes come early, so that a process that lives for a moment and ends without exit leaves something.
  uint32_t write_ms = std::min(kFirstWriteMs, flush_ms_);
  while (!WaitForStop(std::min(period_ms, flush_ms_))) {
    ObeyAll();
    const bool is_rare = work_->Attend();
    period_ms = work_->Collect() ? kBusyMs : is_rare ? kStoppedMs : kIdleMs;
    if (work_->is_full() || MonotonicNs() - last_write >= uint64_t{write_ms} * 1'000'000) {
      work_->Write();
      write_ms = std::min(2 * write_ms, flush_ms_);
      last_write = MonotonicNs();
    }
  }
  ObeyAll();
  work_->Finish();
  pthread_mutex_lock(&mutex_);
  finished_ = true;
  pthread_cond_broadcast(&changed_);
  pthread_mutex_unlock(&mutex_);
}

bool DrainThread::WaitForStop(uint32_t milliseconds) {
  const timespec deadline = DeadlineAfter(milliseconds);
  pthread_mutex_lock(&mutex_);
  while (!stop_ && obeyed_ == asked_ && pthread_cond_timedwait(&changed_, &mutex_, &deadline) != ETIMEDOUT) {
  }
  const bool stop = stop_;
  pthread_mutex_unlock(&mutex_);
  return stop;
}

}  // namespace migprof::record
