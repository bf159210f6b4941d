// SPDX-License-Identifier: Apache-2.0
// CUPTI context id -> CUDA device ordinal, written by whichever thread creates a context, read by the drain thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace migprof::record {

// Lock-free. A context id is never reused within a process, but programs may make contexts for ever: those that were
// destroyed are forgotten when others need their place, the oldest first, so that late activity still finds them as
// long as possible. Any thread.
class ContextTable {
 public:
  static constexpr size_t kCapacity = 4096;
  // Places in which a context may be, from its home on: what a question costs at most.
  static constexpr size_t kProbes = 64;

  // False when there is no place left: the context's events cannot be attributed, and must be counted.
  bool Add(uint32_t context, uint32_t device_ordinal) {
    const uint64_t entry = Pack(context, device_ordinal);
    for (;;) {
      std::atomic<uint64_t>* place = nullptr;
      uint64_t forgotten = 0;
      for (size_t probe = 0; probe < kProbes; ++probe) {
        std::atomic<uint64_t>& slot = entries_[(context + probe) % kCapacity];
        const uint64_t seen = slot.load(std::memory_order_relaxed);
        if (seen != 0 && ContextOf(seen) == context) return true;
        if (seen == 0) {
          place = &slot;
          forgotten = 0;
          break;
        }
        if ((seen & kDestroyed) != 0 && (place == nullptr || IsOlder(ContextOf(seen), ContextOf(forgotten)))) {
          place = &slot;
          forgotten = seen;
        }
      }
      if (place == nullptr) return false;
      if (place->compare_exchange_strong(forgotten, entry, std::memory_order_relaxed)) return true;
    }
  }

  // The program destroys the context.
  void Destroy(uint32_t context) {
    for (size_t probe = 0; probe < kProbes; ++probe) {
      std::atomic<uint64_t>& slot = entries_[(context + probe) % kCapacity];
      uint64_t seen = slot.load(std::memory_order_relaxed);
      if (seen == 0) return;
      if (ContextOf(seen) != context) continue;
      slot.compare_exchange_strong(seen, seen | kDestroyed, std::memory_order_relaxed);
      return;
    }
  }

  std::optional<uint32_t> DeviceOf(uint32_t context) const {
    for (size_t probe = 0; probe < kProbes; ++probe) {
      const uint64_t entry = entries_[(context + probe) % kCapacity].load(std::memory_order_relaxed);
      if (entry == 0) return std::nullopt;  // places are filled in order, and never empty again
      if (ContextOf(entry) == context) return static_cast<uint32_t>(entry & kOrdinal) - 1;
    }
    return std::nullopt;
  }

 private:
  static constexpr uint64_t kDestroyed = uint64_t{1} << 31;
  static constexpr uint64_t kOrdinal = kDestroyed - 1;

  static uint64_t Pack(uint32_t context, uint32_t ordinal) {
    return uint64_t{context} << 32 | ((ordinal + 1) & kOrdinal);
  }
  static uint32_t ContextOf(uint64_t entry) { return static_cast<uint32_t>(entry >> 32); }
  static bool IsOlder(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

  std::array<std::atomic<uint64_t>, kCapacity> entries_{};  // 0: free
};

}  // namespace migprof::record
