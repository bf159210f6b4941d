// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ctime>

namespace migprof {

inline uint64_t ClockNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Nanoseconds since an arbitrary start; never steps back. About 20 ns, no system call.
inline uint64_t MonotonicNs() { return ClockNs(CLOCK_MONOTONIC); }

// Nanoseconds since 1970; may be stepped by whoever sets the clock. The default time base of CUPTI.
inline uint64_t RealtimeNs() { return ClockNs(CLOCK_REALTIME); }

}  // namespace migprof
