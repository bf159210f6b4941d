// SPDX-License-Identifier: Apache-2.0
#include "driver/clock.h"

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "base/complain.h"

namespace simgpu::driver {

Clock& Clock::Get() {
  static Clock& clock = *new Clock;  // for the life of the process
  return clock;
}

Clock::Clock() {
  const char* mode = std::getenv("SIMGPU_CLOCK");
  if (mode == nullptr || std::strcmp(mode, "virtual") == 0) return;
  if (std::strcmp(mode, "real") == 0) {
    is_virtual_ = false;
  } else {
    Complain("SIMGPU_CLOCK=%s is ignored: expected virtual or real", mode);
  }
}

uint64_t Clock::RealNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void Clock::WaitUntil(uint64_t time_ns) {
  if (is_virtual_) {
    uint64_t now = now_ns_.load(std::memory_order_relaxed);
    while (now < time_ns && !now_ns_.compare_exchange_weak(now, time_ns, std::memory_order_relaxed)) {
    }
    return;
  }
  const timespec until = {static_cast<time_t>(time_ns / 1'000'000'000), static_cast<long>(time_ns % 1'000'000'000)};
  while (RealNs() < time_ns) clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace simgpu::driver
