// SPDX-License-Identifier: Apache-2.0
// Keeps fork and exit out of the middle of a call into NVML.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace migprof::record {

// NVML has locks and static objects of its own. A child forked while the drain thread is inside would inherit the locks
// taken, and could never use NVML itself; a process that exits meanwhile would destroy the objects under the call. So
// fork and exit wait for the call in progress, for as long as `wait_ms` at most, and the drain thread waits for
// nothing.
class NvmlGate {
 public:
  // Registers with fork and exit, once per process. Call after NVML is loaded: exit handlers run in reverse order, and
  // this one has to come before NVML's own. Drain thread.
  static void Install(uint32_t wait_ms);

  // Enters if nobody forks or exits right now. After exit has begun: never again.
  class Entry {
   public:
    Entry() : inside_(pthread_mutex_trylock(&mutex_) == 0) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() {
      if (inside_) pthread_mutex_unlock(&mutex_);
    }
    bool inside() const { return inside_; }

   private:
    bool inside_;
  };

 private:
  static bool Shut();
  static void OnExit();
  static void BeforeFork();
  static void AfterForkInParent();

  static pthread_mutex_t mutex_;
  static uint32_t wait_ms_;
  static pid_t process_;
  static std::atomic<pid_t> forking_;  // the thread that has shut it
};

}  // namespace migprof::record
