// SPDX-License-Identifier: Apache-2.0
// Everything a recording consists of, and what its one thread does.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "libmigprof/base/control_file.h"
#include "libmigprof/base/error.h"
#include "libmigprof/base/options.h"
#include "libmigprof/record/activity_buffers.h"
#include "libmigprof/record/call_recorder.h"
#include "libmigprof/record/context_table.h"
#include "libmigprof/record/counter_sampler.h"
#include "libmigprof/record/cupti_api.h"
#include "libmigprof/record/definitions.h"
#include "libmigprof/record/drain.h"
#include "libmigprof/record/drain_thread.h"
#include "libmigprof/record/gpu_tracer.h"
#include "libmigprof/record/graph_recorder.h"
#include "libmigprof/record/pause_log.h"
#include "libmigprof/record/python_runtime.h"
#include "libmigprof/record/record_sizes.h"
#include "libmigprof/record/slice_files.h"
#include "libmigprof/record/thread_slot.h"
#include "libmigprof/record/yield_door.h"

namespace migprof::record {

// One per process: CUPTI's buffer callbacks carry no user data, and know the last that was made. Never destroyed:
// callbacks may come until the very end of the process.
class Recording final : private DrainWork {
 public:
  // `door`: see StartSession.
  Recording(const Options& options, const YieldDoor* door);

  // Puts the parts together, subscribes to CUPTI and starts the thread. After an error, CUPTI is as it was. `at_exit`
  // is to be called when the process ends.
  Error Start(void (*at_exit)()) noexcept;
  // Who has CUPTI, if that is why it did not start; else empty.
  const char* holder() const { return tracer_.holder(); }
  const CuptiApi& cupti() const { return cupti_; }

  // Callbacks record. When Start has returned, and as far as MIGPROF_START says so.
  void Begin();
  // Callbacks only count from now on, and nothing makes them record again.
  void End();
  // Writes what is left. Returns whether it was done in time; then nothing of the recording runs any more.
  bool FinishWithin(uint32_t timeout_ms) { return has_finished_ = thread_.Stop(timeout_ms); }
  bool has_finished() const { return has_finished_; }
  // After that; see Drain.
  Error AddLateCalls() { return drain_->AddLateCalls(); }
  // Has callbacks return at once, without touching anything else.
  void Disable() noexcept;

  // Any thread but the recording's own. Returns whether it was done.
  bool Ask(ControlVerb verb, uint32_t timeout_ms) { return thread_.Ask(verb, timeout_ms); }

  // That records; a child made behind pthread_atfork's back is another.
  pid_t process() const { return process_; }

  // As YieldRecorder has them.
  bool Owns(const uint8_t* buffer) const { return buffers_.Owns(buffer); }
  size_t CopyNewerThanOwn(const uint8_t* records, size_t bytes, uint8_t* to, size_t room) const;

 private:
  // DrainWork.
  bool Collect() override;
  bool is_full() override { return !failed_ && drain_->is_full(); }
  void Write() override;
  bool Attend() override;
  bool Obey(ControlVerb verb) override;
  void Finish() override;

  Error Build(void (*at_exit)());
  // What was not to begin at once.
  void BeginStopped();
  void BeQuiet();
  // Says that the process can be controlled from outside. Without it all else works.
  void Announce();

  bool ObeyStart();
  bool ObeyStop();
  bool StartRecording();
  bool StopRecording();
  bool LookForCommand();
  // Another client wants CUPTI.
  bool GiveWay();
  Error TakeAgain();
  bool TakeBack();
  // Another client has CUPTI. What is called from now on is counted, where the callbacks still come.
  bool EndForTakeover();
  void SayTakenOver() const;

  // The drain thread's edge: what throws below, std::bad_alloc above all, ends the recording and not the process.
  template <typename Body>
  bool Attempt(Body&& body) noexcept;
  bool Check(const Error& error);
  void GiveUpWaiting(const Error& error);

  const Options options_;
  const YieldDoor* const door_;  // null: nobody tells that somebody else wants CUPTI
  const pid_t process_;

  std::atomic<bool> is_recording_{false};  // what the callbacks look at
  std::atomic<bool> is_paused_{false};     // stopped, and to be started again
  std::atomic<bool> is_ending_{false};
  // The last correlation id that was recorded before CUPTI was given up.
  std::atomic<uint32_t> last_own_{0};

  CuptiApi cupti_;
  RecordSizes record_sizes_;
  ThreadSlots slots_;
  ContextTable contexts_;
  ActivityBuffers buffers_;
  LentMemory lent_;  // by slots to buffers
  GpuTracer tracer_;
  Definitions definitions_;
  PythonRuntime python_;
  CallRecorder* calls_ = nullptr;
  GraphRecorder* graphs_ = nullptr;
  SliceFiles* files_ = nullptr;
  Drain* drain_ = nullptr;
  CounterSampler* counters_ = nullptr;
  DrainThread thread_;
  PauseLog pauses_;
  std::optional<ControlFiles> control_;
  ControlState control_state_;
  uint64_t control_looked_ns_ = 0;
  uint64_t stopped_ns_ = 0;    // CLOCK_MONOTONIC
  bool is_quiet_ = false;      // CUPTI was told that nothing is to be recorded
  bool has_yielded_ = false;   // CUPTI was given up
  bool to_resume_ = false;     // … and recording begins again when it is to be had
  bool has_finished_ = false;  // the drain thread has ended
  bool is_taken_over_ = false;
  // Of the drain thread: a file could not be written, or there was no memory. Calls are counted from then on, nothing
  // else is done, and in the end it is tried once more to say in the files how much is missing.
  bool failed_ = false;
  int failed_by_ = 0;         // errno
  bool has_retired_ = false;  // after a failure: CUPTI was told that nothing is to be recorded
  bool was_waiting_ = false;  // something could not be written when it should have been
};

}  // namespace migprof::record
