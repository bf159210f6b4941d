// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

#include <ctime>

namespace migprof {

// While it lives, a write of the calling thread raises no signal: not SIGPIPE when nobody reads, and not SIGXFSZ when
// the file has reached the limit on its size. Both would end a program that wrote nothing itself. What was pending
// before stays pending. A few system calls; not for the hot path.
class WriteSignalsOff {
 public:
  WriteSignalsOff() {
    sigset_t pending;
    sigemptyset(&signals_);
    sigpending(&pending);
    for (const int signal : {SIGPIPE, SIGXFSZ}) {
      if (sigismember(&pending, signal) == 0) sigaddset(&signals_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~WriteSignalsOff() {
    constexpr timespec kNoTime = {0, 0};
    while (sigtimedwait(&signals_, nullptr, &kNoTime) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WriteSignalsOff(const WriteSignalsOff&) = delete;
  WriteSignalsOff& operator=(const WriteSignalsOff&) = delete;

 private:
  sigset_t signals_;
  sigset_t before_;
};

}  // namespace migprof
