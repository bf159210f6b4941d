// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/idle_gaps.h"

#include <algorithm>

namespace migprof::analyze {
namespace {

// A thread in endless need of others' work keeps no more calls than this; the oldest are forgotten, and what they took
// then counts as the host's own.
constexpr size_t kMostCalls = 64 * 1024;
// All threads together.
constexpr size_t kMostCallsOfAll = 4 * 1024 * 1024;

IdleCause CauseOf(format::CallClass call_class) {
  switch (call_class) {
    case format::CallClass::kMemcpy:
      return IdleCause::kCopy;
    case format::CallClass::kAllocate:
    case format::CallClass::kRelease:
      return IdleCause::kAllocation;
    case format::CallClass::kSynchronize:
      return IdleCause::kSynchronize;
    case format::CallClass::kLoad:
      return IdleCause::kFirstLaunch;
    default:
      return IdleCause::kHost;
  }
}

}  // namespace

const char* Name(IdleCause cause) {
  switch (cause) {
    case IdleCause::kNothingRunning:
      return "no process running";
    case IdleCause::kHost:
      return "host code";
    case IdleCause::kSynchronize:
      return "synchronization";
    case IdleCause::kCopy:
      return "copies";
    case IdleCause::kAllocation:
      return "memory allocation";
    case IdleCause::kFirstLaunch:
      return "first launch";
    case IdleCause::kLaunchLatency:
      return "launch latency";
    case IdleCause::kUnknown:
      break;
  }
  return "unknown";
}

IdleBySite::Row IdleBySite::RowOf(size_t site) const {
  Row row;
  if (site < rows_.size()) row = rows_[site];
  if (site < launch_bound_.size()) {
    const auto add = [&row](IdleCause cause, uint64_t ns, uint64_t gaps) {
      row.ns[static_cast<size_t>(cause)] += ns;
      row.gaps[static_cast<size_t>(cause)] += gaps;
    };
    add(IdleCause::kHost, launch_bound_[site].host_ns, launch_bound_[site].host_gaps);
    add(IdleCause::kLaunchLatency, launch_bound_[site].latency_ns, launch_bound_[site].latency_gaps);
  }
  return row;
}

IdleTimes IdleBySite::Sum() const {
  IdleTimes sum{};
  for (size_t site = 0; site < std::max(rows_.size(), launch_bound_.size()); ++site) {
    const Row row = RowOf(site);
    for (size_t cause = 0; cause < kIdleCauses; ++cause) sum[cause] += row.ns[cause];
  }
  return sum;
}

SiteWeights::List IdleBySite::InOrder() const {
  SiteWeights::List list;
  for (size_t site = 0; site < std::max(rows_.size(), launch_bound_.size()); ++site) {
    const Row row = RowOf(site);
    for (size_t cause = 0; cause < kIdleCauses; ++cause) {
      if (row.gaps[cause] != 0) list.emplace_back(uint64_t{site} << 32 | cause, Weight{row.ns[cause], row.gaps[cause]});
    }
  }
  return list;
}

uint16_t BlockingCalls::ThreadOf(uint64_t serial) {
  if (serial == last_serial_ && last_thread_ != 0) return last_thread_;
  last_serial_ = serial;
  return last_thread_ = FindOrAddThread(serial);
}

uint16_t BlockingCalls::FindOrAddThread(uint64_t serial) {
  if (calls_.size() > UINT16_MAX) {
    const auto known = threads_.find(serial);
    return known != threads_.end() ? known->second : 0;
  }
  const auto [entry, is_new] = threads_.try_emplace(serial, static_cast<uint16_t>(calls_.size()));
  if (is_new) {
    calls_.emplace_back();
    last_ends_.push_back(0);
  }
  return entry->second;
}

void BlockingCalls::Entered(uint32_t correlation, uint64_t time_ns, uint16_t thread, format::CallClass call_class) {
  open_.Add(correlation, {time_ns, thread, CauseOf(call_class)});
}

void BlockingCalls::Returned(uint32_t correlation, uint64_t took_ns) {
  const OpenCall* const entry = open_.Find(correlation);
  if (entry == nullptr) return;
  const OpenCall call = *entry;
  open_.Forget(correlation);
  std::deque<Call>& calls = calls_[call.thread];
  // A thread's calls come in order and do not overlap; whatever does not keep to that is nothing to build upon.
  if (calls.empty() || call.time_ns >= calls.back().end) {
    if (calls.size() >= kMostCalls || (kept_calls_ >= kMostCallsOfAll && !calls.empty())) {
      calls.pop_front();
      --kept_calls_;
    }
    if (kept_calls_ >= kMostCallsOfAll) return;
    ++kept_calls_;
    calls.push_back({call.time_ns, call.time_ns + std::min(took_ns, UINT64_MAX - call.time_ns), call.cause});
    last_ends_[call.thread] = calls.back().end;
  }
}

IdleTimes BlockingCalls::Divide(uint64_t start, uint64_t end, const GapEnd& gap_end, IdleTimeline* timeline) {
  IdleTimes times{};
  const auto add = [&](IdleCause cause, uint64_t from, uint64_t to) {
    times[static_cast<size_t>(cause)] += to - from;
    if (timeline != nullptr) timeline->Add(cause, from, to);
  };
  const uint64_t asked = std::clamp(gap_end.call_ns, start, end);
  // Before that nothing was queued, and the thread was in one of these calls, or in none.
  std::deque<Call>& calls = calls_[gap_end.thread < calls_.size() ? gap_end.thread : 0];
  while (!calls.empty() && calls.front().end <= start) {
    calls.pop_front();
    --kept_calls_;
  }
  uint64_t done = start;
  for (const Call& call : calls) {
    if (call.start >= asked) break;
    const uint64_t from = std::max(call.start, start);
    const uint64_t to = std::min(call.end, asked);
    if (from >= to) continue;
    add(IdleCause::kHost, done, from);
    add(call.cause, from, to);
    done = to;
  }
  add(IdleCause::kHost, done, asked);
  add(gap_end.cause_of_wait(), asked, end);
  return times;
}

}  // namespace migprof::analyze
