// SPDX-License-Identifier: Apache-2.0
// The unwind rules of the addresses that stacks of this process have shown so far.
#pragma once

#include <atomic>
#include <cstdint>

#include "libmigprof/record/unwind_rule.h"

namespace migprof::record {

// Any thread; wait-free. Rules of older generations are read again, so that code which took the place of unloaded code
// gets rules of its own.
class RuleCache {
 public:
  // The cache of this process. Its memory (1 MiB, as far as it is touched) is never given back.
  static RuleCache& OfProcess();

  UnwindRule Find(uint64_t pc, bool exact) noexcept;

  // Code went from the process: everything known so far is void. One thread at a time.
  void StartGeneration();
  uint32_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    std::atomic<uint64_t> key{0};
    std::atomic<uint64_t> rule{0};
  };
  static constexpr size_t kEntries = 1 << 16;
  static constexpr size_t kMostProbes = 16;  // then the rule is read every time

  static uint64_t Key(uint64_t pc, bool exact) { return exact ? pc | uint64_t{1} << 63 : pc; }
  UnwindRule Learn(uint64_t pc, bool exact, uint32_t generation, Entry* entry) noexcept;

  std::atomic<uint32_t> generation_{0};
  Entry entries_[kEntries];
};

__attribute__((always_inline)) inline UnwindRule RuleCache::Find(uint64_t pc, bool exact) noexcept {
  const uint64_t key = Key(pc, exact);
  const uint32_t generation = generation_.load(std::memory_order_relaxed);
  size_t place = (key * 0x9e3779b97f4a7c15) >> 48;
  static_assert(kEntries == size_t{1} << 16);
  for (size_t probes = 0; probes < kMostProbes; ++probes, place = (place + 1) % kEntries) {
    Entry& entry = entries_[place];
    uint64_t found = entry.key.load(std::memory_order_relaxed);
    if (found == key) [[likely]] {
      const uint64_t rule = entry.rule.load(std::memory_order_relaxed);
      if (rule != 0 && UnwindRule::GenerationOf(rule) == generation % UnwindRule::kGenerations) [[likely]] {
        return UnwindRule::Unpack(rule);
      }
      return Learn(pc, exact, generation, &entry);
    }
    if (found == 0 && entry.key.compare_exchange_strong(found, key, std::memory_order_relaxed)) {
      return Learn(pc, exact, generation, &entry);
    }
    if (found == key) return Learn(pc, exact, generation, &entry);
  }
  return Learn(pc, exact, generation, nullptr);
}

}  // namespace migprof::record
