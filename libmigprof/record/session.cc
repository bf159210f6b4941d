// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/session.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "libmigprof/base/cancellation.h"
#include "libmigprof/base/clock.h"
#include "libmigprof/base/options.h"
#include "libmigprof/base/raw_log.h"
#include "libmigprof/base/write_signals.h"
#include "libmigprof/record/counter_sampler.h"
#include "libmigprof/record/drain.h"
#include "libmigprof/record/drain_thread.h"
#include "libmigprof/record/memory_shares.h"
#include "libmigprof/record/range_stack.h"
#include "libmigprof/record/session_facts.h"
#include "libmigprof/record/shared_records.h"

extern char** environ;

namespace migprof::record {
namespace {

std::atomic<SessionState> g_state{SessionState::kOff};
std::atomic<bool> g_recording{false};  // what the callbacks look at
std::atomic<bool> g_paused{false};     // stopped, and to be started again

// What was asked for before the process initialised CUDA.
enum class Wish : uint8_t { kNone, kStart, kStop };
std::atomic<Wish> g_wish{Wish::kNone};

// Activity buffers at once.
constexpr size_t kMostBuffers = 4096;

// Between two looks for a control file.
constexpr uint64_t kControlNs = 20'000'000;
// After a stop, work that was given to the GPU before may still run, and calls that were entered before may return.
constexpr uint64_t kAfterStopNs = 1'000'000'000;
constexpr uint32_t kAskTimeoutMs = 1000;

constexpr Error kOutOfMemory = {"out of memory", 0};

uint64_t CuptiNow();

// The last correlation id that was recorded before CUPTI was given up.
std::atomic<uint32_t> g_last_own{0};

// Everything a recording consists of. Made once, never destroyed: callbacks may come until the very end of the process.
struct Session final : DrainWork {
  Options options;
  CuptiApi cupti;
  RecordSizes record_sizes;
  ThreadSlots slots;
  ContextTable contexts;
  ActivityBuffers buffers;
  LentMemory lent;  // by slots to buffers
  GpuTracer tracer;
  Definitions definitions;
  PythonRuntime python;
  CallRecorder* calls = nullptr;
  GraphRecorder* graphs = nullptr;
  SliceFiles* files = nullptr;
  Drain* drain = nullptr;
  CounterSampler* counters = nullptr;
  DrainThread thread;
  PauseLog pauses;
  std::optional<ControlFiles> control;
  ControlState control_state;
  uint64_t control_looked_ns = 0;
  uint64_t stopped_ns = 0;          // CLOCK_MONOTONIC
  bool quiet = false;               // CUPTI was told that nothing is to be recorded
  const YieldDoor* door = nullptr;  // null: nobody tells that somebody else wants CUPTI
  bool yielded = false;             // CUPTI was given up
  bool to_resume = false;           // … and recording begins again when it is to be had
  pid_t process = 0;                // that records; a child made behind pthread_atfork's back is another
  bool finished = false;            // the drain thread has ended
  bool taken_over = false;          // another client has CUPTI; nothing more is recorded
  // Of the drain thread: a file could not be written, or there was no memory. Calls are counted from then on, nothing
  // else is done, and in the end it is tried once more to say in the files how much is missing.
  bool failed = false;
  int failed_by = 0;         // errno
  bool ended = false;        // after a failure: CUPTI was told that nothing is to be recorded
  bool was_waiting = false;  // something could not be written when it should have been

  bool Collect() override {
    return Attempt([this] {
      Error error;
      const bool any = drain->Collect(&error);
      // Not in Finish: while the process ends NVML is left alone. Nor while recording is stopped.
      if (Check(error) && !g_paused.load(std::memory_order_relaxed)) files->SampleCounters(counters);
      return any;
    });
  }
  bool is_full() override { return !failed && drain->is_full(); }
  void Write() override {
    Attempt([this] {
      if (!Check(drain->Write(/*forced=*/false))) return false;
      if (drain->takeover() != Drain::Takeover::kNone && !taken_over) return EndForTakeover();
      const Error left = files->WriteWaiting();
      if (!left.ok() && was_waiting)
        Say("nothing can be written for now, and waits in memory as far as there is room", left);
      was_waiting = !left.ok();
      return true;
    });
  }
  bool Attend() override {
    if (failed) {
      if (!std::exchange(ended, true)) {
        tracer.EndActivities();
        if (control) control->Retire();  // nobody obeys any more
      }
      drain->Discard();
      return true;
    }
    if (taken_over) return true;
    if (yielded && to_resume && door != nullptr) {
      door->take_back([](void* self) { return static_cast<Session*>(self)->TakeAgain().ok(); }, this);
    }
    const uint64_t now_ns = MonotonicNs();
    if (g_paused.load(std::memory_order_relaxed) && !quiet && now_ns - stopped_ns >= kAfterStopNs) BeQuiet();
    if (control && now_ns - control_looked_ns >= kControlNs) {
      control_looked_ns = now_ns;
      Attempt([this] { return LookForCommand(); });
    }
    return quiet;
  }
  bool Obey(ControlVerb verb) override {
    return Attempt([&] {
      switch (verb) {
        case ControlVerb::kStart:
          return Start();
        case ControlVerb::kStop:
          return Stop();
        case ControlVerb::kFlush:
          return Check(drain->Dump());
        case ControlVerb::kGiveWay:
          return GiveWay();
      }
      return false;
    });
  }
  void Finish() override {
    if (!failed) Attempt([this] { return Check(drain->Finish()); });
    try {
      Error error;
      if (failed) error = drain->FinishFailed(failed_by);
      if (const Error waiting = files->WriteWaiting(); !waiting.ok()) error = waiting;
      if (!error.ok()) GiveUpWaiting(error);
      if (control) control->Retire();
    } catch (...) {
      Say("the trace ends early", kOutOfMemory);
    }
  }

  void BeQuiet() {
    tracer.Quiet();
    calls->StartEpoch();
    counters->Rest();
    quiet = true;
  }
  // Says that the process can be controlled from outside. Without it all else works.
  void Announce() {
    if (!options.controlled) return;
    control.emplace(ControlFolder(options.control.data(), geteuid()), getpid());
    control_state.recording = options.start;
    if (const Error error = control->Announce(control_state); !error.ok()) {
      LogDebug("no start, stop or flush from outside: %s (%d)", error.what, error.code);
      control.reset();
    }
  }

 private:
  // Another client has CUPTI. What is called from now on is counted, where the callbacks still come.
  bool EndForTakeover() {
    taken_over = true;
    tracer.StandDown();
    g_recording.store(false, std::memory_order_release);
    g_paused.store(false, std::memory_order_release);
    counters->Stop();
    static LogOnce log;
    log.Print("recording stops: another CUPTI client %s; what comes from now on is not recorded",
              drain->takeover() == Drain::Takeover::kActivity ? "gets the GPU's activity" : "has finalized CUPTI");
    control_state.recording = false;
    if (control) static_cast<void>(control->WriteState(control_state));
    return Check(drain->EndForTakeover(CuptiNow()));
  }
  // Nobody is to wait for long: what the GPU still does will be in the buffers that CUPTI has.
  bool GiveWay() {
    if (yielded || taken_over) return yielded;
    const bool was_recording = !g_paused.load(std::memory_order_relaxed);
    if (was_recording && !StopRecording()) return false;
    g_last_own.store(pauses.pauses().back().last_before, std::memory_order_release);
    tracer.LetGo();
    calls->StartEpoch();
    counters->Rest();
    quiet = yielded = true;
    to_resume = was_recording;
    return true;
  }
  Error TakeAgain() {
    if (Error error = tracer.TakeAgain(); !error.ok()) return error;
    yielded = quiet = false;
    StartRecording();
    return Error::None();
  }
  bool Start() {
    if (taken_over) return false;
    if (!g_paused.load(std::memory_order_relaxed)) return true;
    if (!yielded) return StartRecording();
    to_resume = true;
    if (door != nullptr) {
      door->take_back([](void* self) { return static_cast<Session*>(self)->TakeAgain().ok(); }, this);
      return !yielded;  // else when the other client has ended
    }
    const Error error = TakeAgain();
    if (!error.ok()) LogDebug("recording does not start: %s (%d)", error.what, error.code);
    return error.ok();
  }
  bool StartRecording() {
    if (quiet) tracer.Rouse();
    quiet = false;
    drain->Start(CuptiNow());
    // First this one: a process that is about to end has cleared both. In one order with StopSession: one of the two
    // sees what the other did.
    g_recording.store(true);
    g_paused.store(false, std::memory_order_release);
    if (g_state.load() != SessionState::kOn) g_recording.store(false);
    return true;
  }
  bool Stop() {
    if (taken_over) return true;
    to_resume = false;
    if (g_paused.load(std::memory_order_relaxed)) return true;
    // What is not recorded is left to others.
    if (options.yield) return GiveWay() && !(to_resume = false);
    return StopRecording();
  }
  bool StopRecording() {
    g_paused.store(true, std::memory_order_release);
    g_recording.store(false, std::memory_order_release);
    stopped_ns = MonotonicNs();
    return Check(drain->Stop(CuptiNow()));
  }
  bool LookForCommand() {
    const std::optional<ControlCommand> command = control->Take();
    if (!command) return true;
    control_state.succeeded = Obey(command->verb);
    control_state.ticket = command->ticket;
    control_state.recording = g_recording.load(std::memory_order_relaxed);
    return control->WriteState(control_state).ok();
  }

  // The drain thread's edge: what throws below, std::bad_alloc above all, ends the recording and not the process.
  template <typename Body>
  bool Attempt(Body&& body) noexcept {
    if (failed) return false;
    try {
      return body();
    } catch (...) {
      return Check(kOutOfMemory);
    }
  }

  bool Check(const Error& error) {
    if (error.ok()) return true;
    failed = true;
    failed_by = error.code != 0 ? error.code : ENOMEM;
    // In this order no call is missed, nor counted that was made while recording was stopped.
    if (!g_paused.exchange(false, std::memory_order_acq_rel)) tracer.CountOnly();
    g_recording.store(false, std::memory_order_release);
    counters->Stop();
    Say("recording stops", error);
    return false;
  }

  void GiveUpWaiting(const Error& error) {
    const Drain::GivenUp lost = drain->GiveUpWaiting(error.code);
    if (failed && lost.launches + lost.activities == 0) return;  // why was said
    static LogOnce log;
    log.Print("the trace ends early: %s%s%s; %llu launches and %llu activities are missing%s", error.what,
              error.code != 0 ? ": " : "", error.code != 0 ? std::strerror(error.code) : "",
              static_cast<unsigned long long>(lost.launches), static_cast<unsigned long long>(lost.activities),
              lost.is_stated ? "" : ", which it does not say itself");
  }

  // Of all that can go wrong with files and memory, the first: the others usually follow from it.
  static void Say(const char* consequence, const Error& error) {
    static LogOnce log;
    log.Print("%s: %s%s%s", consequence, error.what, error.code != 0 ? ": " : "",
              error.code != 0 ? std::strerror(error.code) : "");
  }
};

Session* g_session = nullptr;

uint64_t CuptiNow() { return g_session->cupti.Now(); }

// Why not, in words for a user; nothing when recording can start.
Error FindObstacle(const Options& options) {
  if (options.disabled) return {"", 0};  // asked for: nothing to say
  // A setuid program must not be made to write where its caller likes.
  if (getauxval(AT_SECURE) != 0) return {"", 0};
  return Error::None();
}

// From now on the other library tells when somebody wants CUPTI.
void AttachTo(const YieldDoor& door) {
  static constexpr YieldRecorder kRecorder = {
      .give_way = [] { return AskSession(ControlVerb::kGiveWay); },
      .owns = [](const uint8_t* buffer) { return g_session->buffers.Owns(buffer); },
      .complete = &GpuTracer::OnBufferCompleted,
      .copy_newer =
          [](const uint8_t* records, size_t bytes, uint8_t* to, size_t room) {
            return CopyNewer(g_session->cupti, records, bytes, g_last_own.load(std::memory_order_acquire), to, room);
          },
  };
  door.attach(&kRecorder);
}

// Between two writes; of a short window more often, so that it is not kept much longer than asked for.
uint32_t FlushMs(const Options& options) {
  constexpr uint32_t kLeastMs = 50;
  if (options.window_ms == 0) return options.flush_ms;
  return std::min(options.flush_ms, std::max(options.window_ms / 8, kLeastMs));
}

Error Build(Session* session) {
  mig::DriverApi driver;
  int driver_version = 0;
  // Before cuInit has finished the driver answers this question only.
  if (mig::FindLoadedDriver(&driver).ok() && driver.driver_get_version != nullptr) {
    driver.driver_get_version(&driver_version);
  }
  const std::string folder = AbsolutePath(session->options.output.data());
  if (Error error = LoadCupti(session->options.cupti.data(), driver_version, &session->cupti); !error.ok())
    return error;
  session->record_sizes.Probe(session->cupti);
  const MemoryShares shares = MemoryShares::Of(session->options.max_memory_bytes,
                                               session->options.max_bytes != 0 || session->options.window_ms != 0);
  const uint64_t ring_bytes = std::bit_ceil(uint64_t{session->options.ring_kb} * 1024);
  if (Error error = session->slots.Init(ring_bytes, shares.threads, &session->lent); !error.ok()) return error;
  RangeStack::LimitMemory(shares.ranges);
  session->buffers.Init(size_t{session->options.buffer_kb} * 1024, kMostBuffers, shares.activities, &session->lent);
  session->definitions.LimitMemory(shares.definitions);
  PrepareNativeStacks();
  PythonRuntime* const python = session->options.stacks && session->options.python ? &session->python : nullptr;
  if (python != nullptr) {
    session->definitions.now().frames.RefreshModules();
    python->Find(session->definitions.now().frames.modules());
  }
  session->calls =
      new CallRecorder(&session->slots, &session->contexts, &CuptiNow,
                       session->options.stacks ? session->options.max_depth : 0, python, session->options.check_stacks);
  session->graphs =
      new GraphRecorder(&session->slots, session->calls, &CuptiNow, session->options.graphs == GraphDetail::kNode);
  if (Error error = MakeTraceFolder(folder); !error.ok()) return error;
  const ProcessInfo process = ReadProcessInfo(session->options.record_args);
  session->files = new SliceFiles(
      folder, process, ProcessFacts(session->options, process, session->cupti, driver, driver_version, CuptiNow()),
      driver, &session->definitions, &session->pauses);
  session->files->SetLimits({session->options.max_bytes, session->options.window_ms * uint64_t{1'000'000}}, &CuptiNow);
  session->files->LimitRows(shares.rows);
  session->files->live_graph_nodes()->LimitMemory(shares.carried / 2);
  session->files->live_allocations()->LimitMemory(shares.carried / 2);
  session->counters =
      new CounterSampler(session->options.counters_ms, session->options.exit_timeout_ms,
                         {&CuptiNow, &MonotonicNs, [] { return ClockNs(CLOCK_THREAD_CPUTIME_ID); }}, {});
  session->drain = new Drain({&session->cupti, &session->record_sizes, &session->slots, &session->contexts,
                              &session->buffers, session->calls, &session->tracer, session->files,
                              &session->definitions, python, session->options.budget_ppm, session->counters,
                              &session->pauses, shares.graph_log, session->options.max_memory_bytes});
  if (session->door != nullptr) {
    if (!session->door->is_free()) return {"CUPTI is held by another client in the process", 0};
    session->tracer.SetForeign(session->door->foreign);
  }
  if (Error error = session->tracer.Start({&session->cupti, session->calls, session->graphs, session->options.graphs,
                                           &session->contexts, &session->buffers, &g_recording, &g_paused});
      !error.ok()) {
    return error;
  }
  if (!session->options.start) {
    g_paused.store(true, std::memory_order_release);
    session->pauses.Stop(CuptiNow());
    if (session->options.yield) {
      session->tracer.LetGo();
      session->quiet = session->yielded = true;
    } else {
      session->BeQuiet();
    }
  }
  // After CUPTI was loaded, so that it is still there when this runs.
  const auto at_exit = [] {
    const CancellationOff off;
    StopSession();
  };
  if (std::atexit(at_exit) != 0) return {"nothing can be registered for the end of the process", 0};
  std::at_quick_exit(at_exit);
  session->Announce();
  const Error error = session->thread.Start(session, FlushMs(session->options));
  if (error.ok() && session->door != nullptr) AttachTo(*session->door);
  return error;
}

// Builds `session` up, or leaves CUPTI as it was.
Error TryToBuild(Session* session) noexcept {
  Error error = kOutOfMemory;
  try {
    error = Build(session);
  } catch (...) {
  }
  if (error.ok()) return error;
  session->tracer.Abandon();
  if (session->control) session->control->Retire();
  return error;
}

void Report(const Session& session, const Error& error) {
  static LogOnce log;
  const char* const result =
      error.code != 0 && session.cupti.get_result_string != nullptr && std::strstr(error.what, "CUPTI") != nullptr
          ? ResultName(session.cupti, static_cast<CUptiResult>(error.code))
          : nullptr;
  if (*session.tracer.holder() != '\0') {
    log.Print("not recording: %s (%s)", error.what, session.tracer.holder());
  } else if (result != nullptr) {
    log.Print("not recording: %s (%s, %d)", error.what, result, error.code);
  } else if (error.code != 0) {
    log.Print("not recording: %s: %s", error.what, std::strerror(error.code));
  } else {
    log.Print("not recording: %s", error.what);
  }
}

}  // namespace

void StartSession(const YieldDoor* door) {
  SessionState expected = SessionState::kOff;
  if (!g_state.compare_exchange_strong(expected, SessionState::kStarting, std::memory_order_acq_rel)) return;
  auto* const session = new Session;
  g_session = session;
  session->process = getpid();
  session->options = ReadOptions(environ, [](const char* sentence) {
    // One line each, as far as there is a reasonable number of them.
    static LogOnce logs[8];
    static size_t said = 0;
    if (said < std::size(logs)) return logs[said++].Print("%s", sentence);
    static LogOnce more;
    more.Print("more options are ignored");
  });
  if (const Wish wish = g_wish.load(std::memory_order_relaxed); wish != Wish::kNone) {
    session->options.start = wish == Wish::kStart;
  }
  SetLogLevel(session->options.log);
  session->door = door;
  Error error = FindObstacle(session->options);
  if (error.ok()) error = TryToBuild(session);
  if (!error.ok()) {
    if (*error.what != '\0') Report(*session, error);
    g_state.store(SessionState::kDisabled, std::memory_order_release);
    return;
  }
  pthread_atfork(nullptr, nullptr, [] { DisableSession(); });
  g_state.store(SessionState::kOn, std::memory_order_release);
  if (session->options.start) g_recording.store(true, std::memory_order_release);
}

void StopSession() {
  if (g_session == nullptr || getpid() != g_session->process) return;
  SessionState expected = SessionState::kOn;
  if (!g_state.compare_exchange_strong(expected, SessionState::kStopping)) return;
  if (!g_paused.exchange(false, std::memory_order_acq_rel)) g_session->tracer.CountOnly();
  g_recording.store(false);  // in one order with Start
  g_session->finished = g_session->thread.Stop(g_session->options.exit_timeout_ms);
  if (!g_session->finished) {
    static LogOnce log;
    log.Print("the last events could not be written within MIGPROF_EXIT_TIMEOUT_MS=%u; the trace ends earlier",
              g_session->options.exit_timeout_ms);
  }
  g_state.store(SessionState::kDisabled, std::memory_order_release);
}

bool AskSession(ControlVerb verb) {
  if (g_state.load(std::memory_order_acquire) == SessionState::kOff && verb != ControlVerb::kFlush &&
      verb != ControlVerb::kGiveWay) {
    g_wish.store(verb == ControlVerb::kStart ? Wish::kStart : Wish::kStop, std::memory_order_relaxed);
    return true;  // for when there is something to record
  }
  if (g_session == nullptr || getpid() != g_session->process) return false;
  if (g_state.load(std::memory_order_acquire) != SessionState::kOn) return false;
  return g_session->thread.Ask(verb, kAskTimeoutMs);
}

void EndSession() {
  if (g_session == nullptr || !g_session->finished || getpid() != g_session->process) return;
  const WriteSignalsOff off;
  try {
    static_cast<void>(g_session->drain->AddLateCalls());
  } catch (...) {  // there is nobody left to tell
  }
}

void DisableSession() noexcept {
  g_paused.store(false, std::memory_order_release);
  g_recording.store(false, std::memory_order_release);
  g_state.store(SessionState::kDisabled, std::memory_order_release);
}

SessionState GetSessionState() noexcept { return g_state.load(std::memory_order_acquire); }

}  // namespace migprof::record
