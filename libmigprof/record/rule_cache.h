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

  static constexpr uint64_t kExact = uint64_t{1} << 63;
  static uint64_t Key(uint64_t pc, bool exact) { return exact ? pc | kExact : pc; }
  // Rules of neighbouring code are neighbours, so that what runs together shares pages and cache lines of this table.
  static size_t Home(uint64_t key) { return (key >> 3 ^ key >> 19) % kEntries; }
  bool IsOfGeneration(uint64_t rule) const {
    return rule != 0 &&
           UnwindRule::GenerationOf(rule) == generation_.load(std::memory_order_relaxed) % UnwindRule::kGenerations;
  }
  // Find, where the rule is not at the home of its key.
  UnwindRule FindFarther(uint64_t key) noexcept;
  UnwindRule Learn(uint64_t key, Entry* entry) noexcept;

  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) Entry entries_[kEntries];  // none lies in two cache lines
};

// Most rules are at home: the way there is all that is worth its place in the instruction cache.
__attribute__((always_inline)) inline UnwindRule RuleCache::Find(uint64_t pc, bool exact) noexcept {
  const uint64_t key = Key(pc, exact);
  const Entry& entry = entries_[Home(key)];
  const uint64_t rule = entry.rule.load(std::memory_order_relaxed);
  const uint64_t found = entry.key.load(std::memory_order_relaxed);
  if (found == key && IsOfGeneration(rule)) [[likely]]
    return UnwindRule::Unpack(rule);
  return FindFarther(key);
}

}  // namespace migprof::record
