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

__attribute__((noinline)) UnwindRule RuleCache::Learn(uint64_t pc, bool exact, uint32_t generation,
                                                      Entry* entry) noexcept {
  const UnwindRule rule = FindUnwindRule(pc, exact);
  if (entry != nullptr) entry->rule.store(rule.Pack(generation), std::memory_order_relaxed);
  return rule;
}

}  // namespace migprof::record
