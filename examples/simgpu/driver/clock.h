// SPDX-License-Identifier: Apache-2.0
// The clock of the simulated machine: of its host calls, its GPU work and its CUPTI timestamps.
//
// Virtual (the default): one number per process that starts at a fixed moment and moves only when something takes time,
// so a single-threaded program sees the same times in every run. All threads of a process move the same number; with
// several of them the times depend on how they interleave, as on a real machine. Real (SIMGPU_CLOCK=real):
// CLOCK_REALTIME, and waiting really waits.
#pragma once

#include <atomic>
#include <cstdint>

namespace simgpu::driver {

class Clock {
 public:
  // Start of virtual time: 14 November 2023, 22:13:20 UTC.
  static constexpr uint64_t kEpochNs = 1'700'000'000'000'000'000;

  static Clock& Get();

  bool is_virtual() const { return is_virtual_; }

  // Nanoseconds since 1970.
  uint64_t NowNs() const { return is_virtual_ ? now_ns_.load(std::memory_order_relaxed) : RealNs(); }

  // The calling host thread took `ns`. Real time passes by itself.
  void Spend(uint64_t ns) {
    if (is_virtual_) now_ns_.fetch_add(ns, std::memory_order_relaxed);
  }

  // Returns when it is `time_ns` or later: moves the virtual clock there, or sleeps.
  void WaitUntil(uint64_t time_ns);

  // The same for a thread that is not the application's: never moves the virtual clock.
  void SleepUntil(uint64_t time_ns) {
    if (!is_virtual_) WaitUntil(time_ns);
  }

 private:
  Clock();
  static uint64_t RealNs();

  bool is_virtual_ = true;
  std::atomic<uint64_t> now_ns_{kEpochNs};
};

}  // namespace simgpu::driver
