// SPDX-License-Identifier: Apache-2.0
// Where the application's and the driver's C calls enter the library: nothing may throw past here.
#pragma once

#include "libmigprof/base/cancellation.h"
#include "libmigprof/base/raw_log.h"
#include "libmigprof/record/session.h"

namespace migprof::injection {

// Runs `body`; anything it throws ends the recording, and nothing else.
template <typename Body>
void Guarded(Body&& body) noexcept {
  const CancellationOff off;
  try {
    body();
  } catch (...) {
    static LogOnce log;
    log.Print("recording stops: out of memory or an internal error");
    record::DisableSession();
  }
}

}  // namespace migprof::injection
