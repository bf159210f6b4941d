// SPDX-License-Identifier: Apache-2.0
// The one background thread of a recording.
#pragma once

#include <pthread.h>

#include <cstdint>

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
  // The last call.
  virtual void Finish() = 0;
};

class DrainThread {
 public:
  // Starts the thread. `work` must outlive it. The thread takes no signals of the application.
  Error Start(DrainWork* work, uint32_t flush_ms);

  // Asks the thread to finish and waits for that, at most `timeout_ms`. Returns whether it did. Any thread but itself.
  bool Stop(uint32_t timeout_ms);

 private:
  static void* Run(void* self);
  void Loop();
  bool WaitForStop(uint32_t milliseconds);

  DrainWork* work_ = nullptr;
  uint32_t flush_ms_ = 0;
  pthread_mutex_t mutex_;
  pthread_cond_t changed_;
  bool stop_ = false;      // guarded by mutex_
  bool finished_ = false;  // guarded by mutex_
};

}  // namespace migprof::record
