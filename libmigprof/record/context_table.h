// SPDX-License-Identifier: Apache-2.0
// CUPTI context id -> CUDA device ordinal, written by whichever thread creates a context, read by the drain thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace migprof::record {

// Lock-free and append-only: a context id is never reused within a process. Any thread.
class ContextTable {
 public:
  static constexpr size_t kCapacity = 4096;

  // False when the table is full: the context's events cannot be attributed, and must be counted.
  bool Add(uint32_t context, uint32_t device_ordinal) {
    const uint64_t entry = Pack(context, device_ordinal);
    for (size_t probe = 0; probe < kCapacity; ++probe) {
      std::atomic<uint64_t>& slot = entries_[(context + probe) % kCapacity];
      uint64_t seen = slot.load(std::memory_order_relaxed);
      if (seen == entry) return true;
      if (seen == 0 && slot.compare_exchange_strong(seen, entry, std::memory_order_relaxed)) return true;
      if (seen == entry) return true;
    }
    return false;
  }

  std::optional<uint32_t> DeviceOf(uint32_t context) const {
    for (size_t probe = 0; probe < kCapacity; ++probe) {
      const uint64_t entry = entries_[(context + probe) % kCapacity].load(std::memory_order_relaxed);
      if (entry == 0) return std::nullopt;
      if (entry >> 32 == context) return static_cast<uint32_t>(entry) - 1;
    }
    return std::nullopt;
  }

 private:
  static uint64_t Pack(uint32_t context, uint32_t ordinal) { return uint64_t{context} << 32 | (ordinal + 1); }

  std::array<std::atomic<uint64_t>, kCapacity> entries_{};  // 0: free
};

}  // namespace migprof::record
