// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

namespace migprof {

// While it lives, the calling thread cannot be cancelled. A cancellation unwinds the stack, and must not find frames of
// this library on it: they belong to a C++ runtime that is not the application's.
class CancellationOff {
 public:
  CancellationOff() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~CancellationOff() { pthread_setcancelstate(before_, nullptr); }
  CancellationOff(const CancellationOff&) = delete;
  CancellationOff& operator=(const CancellationOff&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace migprof
