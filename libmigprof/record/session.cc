// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/session.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <iterator>

#include "libmigprof/base/cancellation.h"
#include "libmigprof/base/options.h"
#include "libmigprof/base/raw_log.h"
#include "libmigprof/base/write_signals.h"
#include "libmigprof/record/recording.h"

extern char** environ;

namespace migprof::record {
namespace {

std::atomic<SessionState> g_state{SessionState::kOff};

// What was asked for before the process initialised CUDA.
enum class Wish : uint8_t { kNone, kStart, kStop };
std::atomic<Wish> g_wish{Wish::kNone};

constexpr uint32_t kAskTimeoutMs = 1000;

// Made once, never destroyed.
Recording* g_recording = nullptr;
uint32_t g_exit_timeout_ms = 0;

bool IsOfThisProcess() { return g_recording != nullptr && getpid() == g_recording->process(); }

// Whether nothing is even to be tried; there is nothing to say then.
bool IsUnwanted(const Options& options) {
  // A setuid program must not be made to write where its caller likes.
  return options.disabled || getauxval(AT_SECURE) != 0;
}

Options ReadOptionsAndSayWhatIsWrong() {
  return ReadOptions(environ, [](const char* sentence) {
    // One line each, as far as there is a reasonable number of them.
    static LogOnce logs[8];
    static size_t said = 0;
    if (said < std::size(logs)) return logs[said++].Print("%s", sentence);
    static LogOnce more;
    more.Print("more options are ignored");
  });
}

// From now on the other library tells when somebody wants CUPTI.
void AttachTo(const YieldDoor& door) {
  static constexpr YieldRecorder kRecorder = {
      .give_way = [] { return AskSession(ControlVerb::kGiveWay); },
      .owns = [](const uint8_t* buffer) { return g_recording->Owns(buffer); },
      .complete = &GpuTracer::OnBufferCompleted,
      .copy_newer = [](const uint8_t* records, size_t bytes, uint8_t* to,
                       size_t room) { return g_recording->CopyNewerThanOwn(records, bytes, to, room); },
  };
  door.attach(&kRecorder);
}

void Report(const Recording& recording, const Error& error) {
  static LogOnce log;
  const CuptiApi& cupti = recording.cupti();
  const char* const result =
      error.code != 0 && cupti.get_result_string != nullptr && std::strstr(error.what, "CUPTI") != nullptr
          ? ResultName(cupti, static_cast<CUptiResult>(error.code))
          : nullptr;
  if (*recording.holder() != '\0') {
    log.Print("not recording: %s (%s)", error.what, recording.holder());
  } else if (result != nullptr) {
    log.Print("not recording: %s (%s, %d)", error.what, result, error.code);
  } else if (error.code != 0) {
    log.Print("not recording: %s: %s", error.what, std::strerror(error.code));
  } else {
    log.Print("not recording: %s", error.what);
  }
}

// Also run at the end of the process.
void StopWithoutCancellation() {
  const CancellationOff off;
  StopSession();
}

}  // namespace

void StartSession(const YieldDoor* door) {
  SessionState expected = SessionState::kOff;
  if (!g_state.compare_exchange_strong(expected, SessionState::kStarting, std::memory_order_acq_rel)) return;
  Options options = ReadOptionsAndSayWhatIsWrong();
  if (const Wish wish = g_wish.load(std::memory_order_relaxed); wish != Wish::kNone) {
    options.start = wish == Wish::kStart;
  }
  SetLogLevel(options.log);
  if (IsUnwanted(options)) return g_state.store(SessionState::kDisabled, std::memory_order_release);
  g_exit_timeout_ms = options.exit_timeout_ms;
  g_recording = new Recording(options, door);
  if (const Error error = g_recording->Start(&StopWithoutCancellation); !error.ok()) {
    Report(*g_recording, error);
    return g_state.store(SessionState::kDisabled, std::memory_order_release);
  }
  if (door != nullptr) AttachTo(*door);
  pthread_atfork(nullptr, nullptr, [] { DisableSession(); });
  g_state.store(SessionState::kOn, std::memory_order_release);
  g_recording->Begin();
}

void StopSession() {
  if (!IsOfThisProcess()) return;
  SessionState expected = SessionState::kOn;
  if (!g_state.compare_exchange_strong(expected, SessionState::kStopping)) return;
  g_recording->End();
  if (!g_recording->FinishWithin(g_exit_timeout_ms)) {
    static LogOnce log;
    log.Print("the last events could not be written within MIGPROF_EXIT_TIMEOUT_MS=%u; the trace ends earlier",
              g_exit_timeout_ms);
  }
  g_state.store(SessionState::kDisabled, std::memory_order_release);
}

bool AskSession(ControlVerb verb) {
  if (g_state.load(std::memory_order_acquire) == SessionState::kOff && verb != ControlVerb::kFlush &&
      verb != ControlVerb::kGiveWay) {
    g_wish.store(verb == ControlVerb::kStart ? Wish::kStart : Wish::kStop, std::memory_order_relaxed);
    return true;  // for when there is something to record
  }
  if (!IsOfThisProcess() || g_state.load(std::memory_order_acquire) != SessionState::kOn) return false;
  return g_recording->Ask(verb, kAskTimeoutMs);
}

void EndSession() {
  if (!IsOfThisProcess() || !g_recording->has_finished()) return;
  const WriteSignalsOff off;
  try {
    static_cast<void>(g_recording->AddLateCalls());
  } catch (...) {  // there is nobody left to tell
  }
}

void DisableSession() noexcept {
  if (g_recording != nullptr) g_recording->Disable();
  g_state.store(SessionState::kDisabled, std::memory_order_release);
}

SessionState GetSessionState() noexcept { return g_state.load(std::memory_order_acquire); }

}  // namespace migprof::record
