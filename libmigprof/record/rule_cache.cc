// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/rule_cache.h"

#include "libmigprof/record/unwind_info.h"

namespace migprof::record {

RuleCache& RuleCache::OfProcess() {
  static constinit RuleCache cache;  // in .bss: costs what is touched
  return cache;
}

void RuleCache::StartGeneration() {
  const uint32_t next = generation_.load(std::memory_order_relaxed) + 1;
  if (next % UnwindRule::kGenerations == 0) {  // the tags begin anew: no old rule may be left
    for (Entry& entry : entries_) entry.rule.store(0, std::memory_order_relaxed);
  }
  generation_.store(next, std::memory_order_release);
}

__attribute__((noinline)) UnwindRule RuleCache::FindFarther(uint64_t key) noexcept {
  size_t place = Home(key);
  for (size_t probes = 0; probes < kMostProbes; ++probes, place = (place + 1) % kEntries) {
    Entry& entry = entries_[place];
    uint64_t found = entry.key.load(std::memory_order_relaxed);
    if (found == 0 && entry.key.compare_exchange_strong(found, key, std::memory_order_relaxed)) found = key;
    if (found != key) continue;
    const uint64_t rule = entry.rule.load(std::memory_order_relaxed);
    return IsOfGeneration(rule) ? UnwindRule::Unpack(rule) : Learn(key, &entry);
  }
  return Learn(key, nullptr);
}

__attribute__((noinline, cold)) UnwindRule RuleCache::Learn(uint64_t key, Entry* entry) noexcept {
  const uint32_t generation = generation_.load(std::memory_order_acquire);  // before anything is read of the code
  const UnwindRule rule = FindUnwindRule(key & ~kExact, (key & kExact) != 0);
  if (entry != nullptr) entry->rule.store(rule.Pack(generation), std::memory_order_relaxed);
  return rule;
}

}  // namespace migprof::record
