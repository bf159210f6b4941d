// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/launch_join.h"

#include <algorithm>

namespace migprof::analyze {

void LaunchJoin::AddCall(uint32_t correlation, CallSiteId site, uint64_t time_ns, uint16_t thread) {
  const Call call{counts_.launches++, time_ns, site, thread, format::CallOutcome{}, false};
  const auto [entry, is_new] = calls_.try_emplace(correlation, call);
  if (!is_new) {
    Settle(entry->second);
    entry->second = call;
  }
  if (counts_.launches >= next_sweep_) Sweep();
}

void LaunchJoin::AddOutcome(uint32_t correlation, format::CallOutcome outcome) {
  const auto call = calls_.find(correlation);
  if (call != calls_.end()) call->second.outcome = outcome;
}

void LaunchJoin::Settle(const Call& call) {
  // A failed call that ran something after all counts as matched: what was seen wins over what was said.
  if (call.matched) {
    ++counts_.matched;
  } else if (call.outcome == format::CallOutcome::kFailed) {
    ++counts_.failed;
  } else if (call.outcome == format::CallOutcome::kCaptured) {
    ++counts_.captured;
  } else {
    ++counts_.unmatched;
  }
}

void LaunchJoin::Sweep() {
  absl::erase_if(calls_, [this](const auto& entry) {
    const Call& call = entry.second;
    const uint64_t age = counts_.launches - call.serial;
    const bool will_have_none = call.matched || call.outcome != format::CallOutcome{};
    if (age < (will_have_none ? kMatchedWindow : kUnmatchedWindow)) return false;
    Settle(call);
    return true;
  });
  // The more waits, the rarer: a sweep then costs a fixed part of the calls between two of them.
  next_sweep_ = counts_.launches + std::max<uint64_t>(kSweepEvery, calls_.size() / 2);
}

const LaunchJoin::Counts& LaunchJoin::Finish() {
  for (const auto& [correlation, call] : calls_) Settle(call);
  calls_.clear();
  return counts_;
}

}  // namespace migprof::analyze
