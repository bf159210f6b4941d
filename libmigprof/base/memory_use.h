// SPDX-License-Identifier: Apache-2.0
// How much memory this library holds in the process, counted where it is taken and given back.
#pragma once

#include <atomic>
#include <cstddef>

namespace migprof {

// Any thread; wait-free but for a new peak, which is retried while others set theirs.
class MemoryUse {
 public:
  static void Add(size_t bytes) noexcept {
    const size_t now = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    size_t peak = peak_bytes_.load(std::memory_order_relaxed);
    while (now > peak && !peak_bytes_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }
  static void Remove(size_t bytes) noexcept { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  static size_t bytes() noexcept { return bytes_.load(std::memory_order_relaxed); }
  static size_t peak_bytes() noexcept { return peak_bytes_.load(std::memory_order_relaxed); }

 private:
  static inline std::atomic<size_t> bytes_{0};
  static inline std::atomic<size_t> peak_bytes_{0};
};

}  // namespace migprof
