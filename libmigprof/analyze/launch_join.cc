// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/launch_join.h"

#include <algorithm>

namespace migprof::analyze {

void LaunchJoin::AddCall(uint32_t correlation, CallSiteId site, uint64_t time_ns, uint16_t thread) {
  const uint32_t number = correlation / kPageCalls;
  if (last_added_.page == nullptr || last_added_.number != number) {
    if (pages_.size() >= kMostPages) MakeRoom();
    const auto [entry, is_new] = pages_.try_emplace(number, nullptr);
    if (is_new) entry->second = NewPage();
    last_added_ = {number, entry->second};
  }
  Page* const page = last_added_.page;
  Call* const call = &page->calls[correlation % kPageCalls];
  if (call->waits) Settle(page, call);
  *call = {time_ns, site, thread, format::CallOutcome{}, true, false};
  ++page->waiting;
  ++waiting_;
  page->newest = ++counts_.launches;
  if (counts_.launches >= next_sweep_) Sweep();
}

void LaunchJoin::AddOutcome(uint32_t correlation, format::CallOutcome outcome) {
  if (Call* const call = Find(correlation, &last_matched_)) call->outcome = outcome;
}

LaunchJoin::Page* LaunchJoin::NewPage() {
  if (free_.empty()) return &storage_.emplace_back();
  Page* const page = free_.back();
  free_.pop_back();
  return page;
}

void LaunchJoin::Settle(Page* page, Call* call) {
  // A failed call that ran something after all counts as matched: what was seen wins over what was said.
  if (call->matched) {
    ++counts_.matched;
  } else if (call->outcome == format::CallOutcome::kFailed) {
    ++counts_.failed;
  } else if (call->outcome == format::CallOutcome::kCaptured) {
    ++counts_.captured;
  } else {
    ++counts_.unmatched;
  }
  call->waits = false;
  --page->waiting;
  --waiting_;
}

void LaunchJoin::SettleAll(Page* page) {
  for (Call& call : page->calls) {
    if (call.waits) Settle(page, &call);
  }
}

void LaunchJoin::Sweep() {
  for (const auto& [number, page] : pages_) {
    const uint64_t age = counts_.launches - page->newest;
    if (age < kMatchedWindow) continue;
    for (Call& call : page->calls) {
      const bool will_have_none = call.matched || call.outcome != format::CallOutcome{};
      if (call.waits && (will_have_none || age >= kUnmatchedWindow)) Settle(page, &call);
    }
  }
  DropEmptyPages();
  // The more waits, the rarer: a sweep then costs a fixed part of the calls between two of them.
  next_sweep_ = counts_.launches + std::max<uint64_t>(kSweepEvery, waiting_ / 2);
}

void LaunchJoin::MakeRoom() {
  std::vector<uint64_t> ages;
  ages.reserve(pages_.size());
  for (const auto& [number, page] : pages_) ages.push_back(page->newest);
  const auto middle = ages.begin() + static_cast<ptrdiff_t>(ages.size() / 2);
  std::nth_element(ages.begin(), middle, ages.end());
  for (const auto& [number, page] : pages_) {
    if (page->newest <= *middle) SettleAll(page);
  }
  DropEmptyPages();
}

void LaunchJoin::DropEmptyPages() {
  last_added_ = last_matched_ = {};
  absl::erase_if(pages_, [this](const auto& entry) {
    if (entry.second->waiting != 0) return false;
    free_.push_back(entry.second);
    return true;
  });
}

const LaunchJoin::Counts& LaunchJoin::Finish() {
  for (const auto& [number, page] : pages_) SettleAll(page);
  DropEmptyPages();
  return counts_;
}

}  // namespace migprof::analyze
