// SPDX-License-Identifier: Apache-2.0
// The one background thread of a recording.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "libmigprof/base/control_file.h"
#include "libmigprof/base/error.h"

namespace migprof::record {

// What the thread does. Called on it alone; must not throw.
class DrainWork {
 public:
  virtual ~DrainWork() = default;
  // Takes what is there; returns whether there was anything.
  virtual bool Collect() = 0;
  virtual bool is_full() = 0;
  virtual void Write() = 0;
  // Once a round. Returns whether little is to be expected, so that rounds may be rare.
  virtual bool Attend() = 0;
  // What somebody asked for. Returns whether it was done.
  virtual bool Obey(ControlVerb verb) = 0;
  // The last call.
  virtual void Finish() = 0;
};

class DrainThread {
 public:
  // Starts the thread. `work` must outlive it. The thread takes no signals of the application.
  Error Start(DrainWork* work, uint32_t flush_ms);

  // Asks the thread to finish and waits for that, at most `timeout_ms`. Returns whether it did. Any thread but itself.
  bool Stop(uint32_t timeout_ms);

  // Has the thread obey, and waits for that, at most `timeout_ms`. Returns whether it was done. Any thread but itself.
  bool Ask(ControlVerb verb, uint32_t timeout_ms);

 private:
  static constexpr size_t kMostWaiting = 64;
  struct Request {
    ControlVerb verb;
    bool done;
  };

  static void* Run(void* self);
  void Loop();
  bool WaitForStop(uint32_t milliseconds);
  void ObeyAll();

  DrainWork* work_ = nullptr;
  uint32_t flush_ms_ = 0;
  pthread_mutex_t mutex_;
  pthread_cond_t changed_;
  bool stop_ = false;  // guarded by mutex_
  // Requests by number modulo kMostWaiting; from `obeyed_` to `asked_` they wait. Guarded by mutex_.
  Request requests_[kMostWaiting] = {};
  uint64_t asked_ = 0;
  uint64_t obeyed_ = 0;
  bool finished_ = false;  // guarded by mutex_
};

}  // namespace migprof::record
