// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/recording.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "libmigprof/base/clock.h"
#include "libmigprof/base/raw_log.h"
#include "libmigprof/record/memory_shares.h"
#include "libmigprof/record/range_stack.h"
#include "libmigprof/record/session_facts.h"
#include "libmigprof/record/shared_records.h"

namespace migprof::record {
namespace {

// Activity buffers at once.
constexpr size_t kMostBuffers = 4096;

// Between two looks for a control file.
constexpr uint64_t kControlNs = 20'000'000;
// After a stop, work that was given to the GPU before may still run, and calls that were entered before may return.
constexpr uint64_t kAfterStopNs = 1'000'000'000;

constexpr Error kOutOfMemory = {"out of memory", 0};

const CuptiApi* g_cupti = nullptr;

uint64_t CuptiNow() { return g_cupti->Now(); }

// Between two writes; of a short window more often, so that it is not kept much longer than asked for.
uint32_t FlushMs(const Options& options) {
  constexpr uint32_t kLeastMs = 50;
  if (options.window_ms == 0) return options.flush_ms;
  return std::min(options.flush_ms, std::max(options.window_ms / 8, kLeastMs));
}

// Of all that can go wrong with files and memory, the first: the others usually follow from it.
void Say(const char* consequence, const Error& error) {
  static LogOnce log;
  log.Print("%s: %s%s%s", consequence, error.what, error.code != 0 ? ": " : "",
            error.code != 0 ? std::strerror(error.code) : "");
}

}  // namespace

Recording::Recording(const Options& options, const YieldDoor* door)
    : options_(options), door_(door), process_(getpid()) {
  g_cupti = &cupti_;
}

Error Recording::Start(void (*at_exit)()) noexcept {
  Error error = kOutOfMemory;
  try {
    error = Build(at_exit);
  } catch (...) {
  }
  if (error.ok()) return error;
  tracer_.Abandon();
  if (control_) control_->Retire();
  return error;
}

Error Recording::Build(void (*at_exit)()) {
  mig::DriverApi driver;
  int driver_version = 0;
  // Before cuInit has finished the driver answers this question only.
  if (mig::FindLoadedDriver(&driver).ok() && driver.driver_get_version != nullptr) {
    driver.driver_get_version(&driver_version);
  }
  const std::string folder = AbsolutePath(options_.output.data());
  if (Error error = LoadCupti(options_.cupti.data(), driver_version, &cupti_); !error.ok()) return error;
  record_sizes_.Probe(cupti_);
  const MemoryShares shares =
      MemoryShares::Of(options_.max_memory_bytes, options_.max_bytes != 0 || options_.window_ms != 0);
  const uint64_t ring_bytes = std::bit_ceil(uint64_t{options_.ring_kb} * 1024);
  if (Error error = slots_.Init(ring_bytes, shares.threads, &lent_); !error.ok()) return error;
  RangeStack::LimitMemory(shares.ranges);
  buffers_.Init(size_t{options_.buffer_kb} * 1024, kMostBuffers, shares.activities, &lent_);
  definitions_.LimitMemory(shares.definitions);
  PrepareNativeStacks();
  PythonRuntime* const python = options_.stacks && options_.python ? &python_ : nullptr;
  if (python != nullptr) {
    definitions_.now().frames.RefreshModules();
    python->Find(definitions_.now().frames.modules());
  }
  calls_ = new CallRecorder(&slots_, &contexts_, &CuptiNow, options_.stacks ? options_.max_depth : 0, python,
                            options_.check_stacks);
  graphs_ = new GraphRecorder(&slots_, calls_, &CuptiNow, options_.graphs == GraphDetail::kNode);
  if (Error error = MakeTraceFolder(folder); !error.ok()) return error;
  const ProcessInfo process = ReadProcessInfo(options_.record_args);
  files_ = new SliceFiles(folder, process, ProcessFacts(options_, process, cupti_, driver, driver_version, CuptiNow()),
                          driver, &definitions_, &pauses_);
  files_->SetLimits({options_.max_bytes, options_.window_ms * uint64_t{1'000'000}}, &CuptiNow);
  files_->LimitRows(shares.rows);
  files_->live_graph_nodes()->LimitMemory(shares.carried / 2);
  files_->live_allocations()->LimitMemory(shares.carried / 2);
  counters_ = new CounterSampler(options_.counters_ms, options_.exit_timeout_ms,
                                 {&CuptiNow, &MonotonicNs, [] { return ClockNs(CLOCK_THREAD_CPUTIME_ID); }}, {});
  drain_ = new Drain({&cupti_, &record_sizes_, &slots_, &contexts_, &buffers_, calls_, &tracer_, files_, &definitions_,
                      python, options_.budget_ppm, counters_, &pauses_, shares.graph_log, options_.max_memory_bytes});
  if (door_ != nullptr) {
    if (!door_->is_free()) return {"CUPTI is held by another client in the process", 0};
    tracer_.SetForeign(door_->foreign);
  }
  if (Error error = tracer_.Start(
          {&cupti_, calls_, graphs_, options_.graphs, &contexts_, &buffers_, &is_recording_, &is_paused_});
      !error.ok()) {
    return error;
  }
  if (!options_.start) BeginStopped();
  // After CUPTI was loaded, so that it is still there when this runs.
  if (std::atexit(at_exit) != 0) return {"nothing can be registered for the end of the process", 0};
  std::at_quick_exit(at_exit);
  Announce();
  return thread_.Start(this, FlushMs(options_));
}

void Recording::BeginStopped() {
  is_paused_.store(true, std::memory_order_release);
  pauses_.Stop(CuptiNow());
  if (options_.yield) {
    tracer_.LetGo();
    is_quiet_ = has_yielded_ = true;
  } else {
    BeQuiet();
  }
}

void Recording::BeQuiet() {
  tracer_.Quiet();
  calls_->StartEpoch();
  counters_->Rest();
  is_quiet_ = true;
}

void Recording::Announce() {
  if (!options_.controlled) return;
  control_.emplace(ControlFolder(options_.control.data(), geteuid()), getpid());
  control_state_.recording = options_.start;
  if (const Error error = control_->Announce(control_state_); !error.ok()) {
    LogDebug("no start, stop or flush from outside: %s (%d)", error.what, error.code);
    control_.reset();
  }
}

void Recording::Begin() {
  if (!options_.start) return;
  // In one order with StopRecording: somebody may have asked for that already.
  is_recording_.store(true);
  if (is_paused_.load()) is_recording_.store(false);
}

void Recording::End() {
  is_ending_.store(true);
  if (!is_paused_.exchange(false, std::memory_order_acq_rel)) tracer_.CountOnly();
  is_recording_.store(false);  // in one order with StartRecording
}

void Recording::Disable() noexcept {
  is_paused_.store(false, std::memory_order_release);
  is_recording_.store(false, std::memory_order_release);
}

size_t Recording::CopyNewerThanOwn(const uint8_t* records, size_t bytes, uint8_t* to, size_t room) const {
  return CopyNewer(cupti_, records, bytes, last_own_.load(std::memory_order_acquire), to, room);
}

bool Recording::Collect() {
  return Attempt([this] {
    Error error;
    const bool any = drain_->Collect(&error);
    // Not in Finish: while the process ends NVML is left alone. Nor while recording is stopped.
    if (Check(error) && !is_paused_.load(std::memory_order_relaxed)) files_->SampleCounters(counters_);
    return any;
  });
}

void Recording::Write() {
  Attempt([this] {
    if (!Check(drain_->Write(/*forced=*/false))) return false;
    if (drain_->takeover() != Drain::Takeover::kNone && !is_taken_over_) return EndForTakeover();
    const Error left = files_->WriteWaiting();
    if (!left.ok() && was_waiting_) {
      Say("nothing can be written for now, and waits in memory as far as there is room", left);
    }
    was_waiting_ = !left.ok();
    return true;
  });
}

bool Recording::Attend() {
  if (failed_) {
    if (!std::exchange(has_retired_, true)) {
      tracer_.EndActivities();
      if (control_) control_->Retire();  // nobody obeys any more
    }
    drain_->Discard();
    return true;
  }
  if (is_taken_over_) return true;
  if (has_yielded_ && to_resume_ && door_ != nullptr) TakeBack();
  const uint64_t now_ns = MonotonicNs();
  if (is_paused_.load(std::memory_order_relaxed) && !is_quiet_ && now_ns - stopped_ns_ >= kAfterStopNs) BeQuiet();
  if (control_ && now_ns - control_looked_ns_ >= kControlNs) {
    control_looked_ns_ = now_ns;
    Attempt([this] { return LookForCommand(); });
  }
  return is_quiet_;
}

bool Recording::Obey(ControlVerb verb) {
  return Attempt([&] {
    switch (verb) {
      case ControlVerb::kStart:
        return ObeyStart();
      case ControlVerb::kStop:
        return ObeyStop();
      case ControlVerb::kFlush:
        // What waits for a disk is not flushed.
        return Check(drain_->Dump()) && files_->WriteWaiting().ok();
      case ControlVerb::kGiveWay:
        return GiveWay();
    }
    return false;
  });
}

void Recording::Finish() {
  if (!failed_) Attempt([this] { return Check(drain_->Finish()); });
  if (drain_->takeover() != Drain::Takeover::kNone && !is_taken_over_) SayTakenOver();  // it was found only now
  try {
    Error error;
    if (failed_) error = drain_->FinishFailed(failed_by_);
    if (const Error waiting = files_->WriteWaiting(); !waiting.ok()) error = waiting;
    if (!error.ok()) GiveUpWaiting(error);
    if (control_) control_->Retire();
  } catch (...) {
    Say("the trace ends early", kOutOfMemory);
  }
}

void Recording::GiveUpWaiting(const Error& error) {
  const Drain::GivenUp lost = drain_->GiveUpWaiting(error.code);
  if (failed_ && lost.launches + lost.activities == 0) return;  // why was said
  static LogOnce log;
  log.Print("the trace ends early: %s%s%s; %llu launches and %llu activities are missing%s", error.what,
            error.code != 0 ? ": " : "", error.code != 0 ? std::strerror(error.code) : "",
            static_cast<unsigned long long>(lost.launches), static_cast<unsigned long long>(lost.activities),
            lost.is_stated ? "" : ", which it does not say itself");
}

bool Recording::ObeyStart() {
  if (is_taken_over_) return false;
  if (!is_paused_.load(std::memory_order_relaxed)) return true;
  if (!has_yielded_) return StartRecording();
  to_resume_ = true;
  if (door_ != nullptr) return TakeBack();  // else when the other client has ended
  const Error error = TakeAgain();
  if (!error.ok()) LogDebug("recording does not start: %s (%d)", error.what, error.code);
  return error.ok();
}

bool Recording::StartRecording() {
  if (is_quiet_) tracer_.Rouse();
  is_quiet_ = false;
  drain_->Start(CuptiNow());
  // First this one: a process that is about to end has cleared both. In one order with End: one of the two sees what
  // the other did.
  is_recording_.store(true);
  is_paused_.store(false, std::memory_order_release);
  if (is_ending_.load()) is_recording_.store(false);
  return true;
}

bool Recording::ObeyStop() {
  if (is_taken_over_) return true;
  to_resume_ = false;
  if (is_paused_.load(std::memory_order_relaxed)) return true;
  // What is not recorded is left to others.
  if (options_.yield) return GiveWay() && !(to_resume_ = false);
  return StopRecording();
}

bool Recording::StopRecording() {
  is_paused_.store(true);
  is_recording_.store(false);
  stopped_ns_ = MonotonicNs();
  return Check(drain_->Stop(CuptiNow()));
}

bool Recording::LookForCommand() {
  const std::optional<ControlCommand> command = control_->Take();
  if (!command) return true;
  control_state_.succeeded = Obey(command->verb);
  control_state_.ticket = command->ticket;
  control_state_.recording = is_recording_.load(std::memory_order_relaxed);
  return control_->WriteState(control_state_).ok();
}

// Nobody is to wait for long: what the GPU still does will be in the buffers that CUPTI has.
bool Recording::GiveWay() {
  if (has_yielded_ || is_taken_over_) return has_yielded_;
  const bool was_recording = !is_paused_.load(std::memory_order_relaxed);
  if (was_recording && !StopRecording()) return false;
  last_own_.store(pauses_.pauses().back().last_before, std::memory_order_release);
  tracer_.LetGo();
  calls_->StartEpoch();
  counters_->Rest();
  is_quiet_ = has_yielded_ = true;
  to_resume_ = was_recording;
  return true;
}

Error Recording::TakeAgain() {
  if (Error error = tracer_.TakeAgain(); !error.ok()) return error;
  has_yielded_ = is_quiet_ = false;
  StartRecording();
  return Error::None();
}

bool Recording::TakeBack() {
  door_->take_back([](void* self) { return static_cast<Recording*>(self)->TakeAgain().ok(); }, this);
  return !has_yielded_;
}

void Recording::SayTakenOver() const {
  static LogOnce log;
  log.Print("recording stops: another CUPTI client %s; what comes from now on is not recorded",
            drain_->takeover() == Drain::Takeover::kActivity ? "gets the GPU's activity" : "has finalized CUPTI");
}

bool Recording::EndForTakeover() {
  is_taken_over_ = true;
  tracer_.StandDown();
  is_recording_.store(false, std::memory_order_release);
  is_paused_.store(false, std::memory_order_release);
  counters_->Stop();
  SayTakenOver();
  control_state_.recording = false;
  if (control_) static_cast<void>(control_->WriteState(control_state_));
  return Check(drain_->EndForTakeover(CuptiNow()));
}

template <typename Body>
bool Recording::Attempt(Body&& body) noexcept {
  if (failed_) return false;
  try {
    return body();
  } catch (...) {
    return Check(kOutOfMemory);
  }
}

bool Recording::Check(const Error& error) {
  if (error.ok()) return true;
  failed_ = true;
  failed_by_ = error.code != 0 ? error.code : ENOMEM;
  // In this order no call is missed, nor counted that was made while recording was stopped.
  if (!is_paused_.exchange(false, std::memory_order_acq_rel)) tracer_.CountOnly();
  is_recording_.store(false, std::memory_order_release);
  counters_->Stop();
  Say("recording stops", error);
  return false;
}

}  // namespace migprof::record
