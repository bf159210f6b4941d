// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/launch_join.h"

#include <algorithm>

namespace migprof::analyze {

void LaunchJoin::AddCall(uint32_t correlation, CallSiteId site, uint64_t time_ns, uint16_t thread) {
  const uint32_t number = correlation / kPageCalls;
  if (last_added_.page == nullptr || last_added_.number != number) {
    if (pages_.size() >= kMostPages) MakeRoom();
    const auto [entry, is_new] = pages_.try_emplace(number, 0);
    if (is_new) entry->second = NewPage(number);
    last_added_ = {number, entry->second, &storage_[entry->second]};
  }
  PageInfo* const info = &infos_[last_added_.index];
  Call* const call = &(*last_added_.page)[correlation % kPageCalls];
  if (call->waits) Settle(info, call);
  *call = {time_ns, site, thread, format::CallOutcome{}, true, false, false};
  ++info->waiting;
  ++info->unmatched;
  ++waiting_;
  info->newest = ++counts_.launches;
  if (counts_.launches >= next_sweep_) Sweep();
}

void LaunchJoin::AddOutcome(uint32_t correlation, format::CallOutcome outcome) {
  if (Call* const call = Find(correlation, &last_matched_)) call->outcome = outcome;
}

uint32_t LaunchJoin::NewPage(uint32_t number) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(storage_.size()));
    storage_.emplace_back();
    infos_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  storage_[index] = {};
  infos_[index] = {.number = number, .waiting = 0, .unmatched = 0, .newest = counts_.launches};
  return index;
}

void LaunchJoin::Settle(PageInfo* info, Call* call) {
  // A failed call that ran something after all counts as matched: what was seen wins over what was said.
  if (!call->matched) {
    --info->unmatched;
    if (call->outcome == format::CallOutcome::kFailed) {
      ++counts_.failed;
    } else if (call->outcome == format::CallOutcome::kCaptured) {
      ++counts_.captured;
    } else if (call->cut_off) {
      ++counts_.cut_off;
    } else {
      ++counts_.unmatched;
    }
  }
  call->waits = false;
  --info->waiting;
  --waiting_;
}

void LaunchJoin::DropPage(uint32_t index) {
  PageInfo& info = infos_[index];
  if (info.unmatched != 0) {
    for (Call& call : storage_[index]) {
      if (call.waits) Settle(&info, &call);
    }
  }
  waiting_ -= info.waiting;
  info.waiting = 0;
  pages_.erase(info.number);
  free_.push_back(index);
  last_added_ = last_matched_ = {};
}

void LaunchJoin::Sweep() {
  for (uint32_t index = 0; index < infos_.size(); ++index) {
    PageInfo& info = infos_[index];
    const uint64_t age = counts_.launches - info.newest;
    if (info.waiting == 0 || age < kMatchedWindow) continue;
    if (info.unmatched == 0 || age >= kUnmatchedWindow) {
      DropPage(index);
      continue;
    }
    for (Call& call : storage_[index]) {
      if (call.waits && (call.matched || call.outcome != format::CallOutcome{})) Settle(&info, &call);
    }
    if (info.waiting == 0) DropPage(index);
  }
  // The more waits, the rarer: a sweep then costs a fixed part of the calls between two of them.
  next_sweep_ = counts_.launches + std::max<uint64_t>(kSweepEvery, waiting_ / 2);
}

void LaunchJoin::MakeRoom() {
  std::vector<uint64_t> ages;
  for (const PageInfo& info : infos_) {
    if (info.waiting != 0) ages.push_back(info.newest);
  }
  const auto middle = ages.begin() + static_cast<ptrdiff_t>(ages.size() / 2);
  std::nth_element(ages.begin(), middle, ages.end());
  for (uint32_t index = 0; index < infos_.size(); ++index) {
    if (infos_[index].waiting != 0 && infos_[index].newest <= *middle) DropPage(index);
  }
}

void LaunchJoin::CutOff() {
  for (uint32_t index = 0; index < infos_.size(); ++index) {
    if (infos_[index].waiting == 0) continue;
    for (Call& call : storage_[index]) call.cut_off = true;
  }
}

const LaunchJoin::Counts& LaunchJoin::Finish() {
  for (uint32_t index = 0; index < infos_.size(); ++index) {
    if (infos_[index].waiting != 0) DropPage(index);
  }
  return counts_;
}

}  // namespace migprof::analyze
