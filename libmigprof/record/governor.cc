// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/governor.h"

#include <algorithm>

namespace migprof::record {
namespace {

constexpr uint64_t kPeriodNs = 250'000'000;
// Going back up is tried after so many periods that would have had room for it: going up and down all the time would
// make parts of a run incomparable.
constexpr uint32_t kCalmChecks = 8;

// What happens in less says nothing: it may be a cold start.
constexpr uint64_t kShortestLifeNs = 50'000'000;

uint32_t Share(uint64_t part, uint64_t whole) {
  return whole != 0 ? static_cast<uint32_t>(std::min<uint64_t>(part * 1'000'000 / whole, 1'000'000)) : 0;
}

}  // namespace

StackDetail Governor::DetailOf(uint32_t level) {
  StackDetail detail;
  detail.python_lines = level < 1;
  detail.sample_shift = level < 2 ? 0 : std::min<uint32_t>(level - 1, 6);
  detail.single_graph_nodes = level < kLevels - 1;
  return detail;
}

void Governor::Measure(ThreadSlots* slots, uint64_t now_ns) {
  if (measured_until_ns_ == 0) measured_until_ns_ = now_ns;
  const uint64_t elapsed = now_ns - measured_until_ns_;
  measured_until_ns_ = now_ns;
  level_ns_[level_] += elapsed;
  if (!DetailOf(highest_level_).single_graph_nodes) whole_graphs_ns_ += elapsed;
  own_ns_ = 0;
  largest_share_ppm_ = share_at_last_level_ppm_ = 0;
  slots->ForEach([&](ThreadSlot* slot) {
    Thread& thread = threads_[slot];
    // A thread that began a moment ago may have begun after `now_ns`.
    const Times times = {slot->own_ns.load(std::memory_order_relaxed),
                         std::max(slot->life.NsUntil(now_ns), thread.measured.life_ns)};
    own_ns_ += times.own_ns;
    if (times.life_ns >= kShortestLifeNs) {
      largest_share_ppm_ = std::max(largest_share_ppm_, Share(times.own_ns, times.life_ns));
    }
    Times& sum = thread.at_last_level;
    if (level_ == kLevels - 1) {
      sum.own_ns += times.own_ns - thread.measured.own_ns;
      sum.life_ns += times.life_ns - thread.measured.life_ns;
    }
    if (sum.life_ns >= kShortestLifeNs) {
      share_at_last_level_ppm_ = std::max(share_at_last_level_ppm_, Share(sum.own_ns, sum.life_ns));
    }
    thread.measured = times;
  });
}

bool Governor::Update(ThreadSlots* slots, uint64_t now_ns) {
  if (last_check_ns_ == 0) last_check_ns_ = measured_until_ns_ = now_ns;
  if (now_ns - last_check_ns_ < kPeriodNs) return false;
  last_check_ns_ = now_ns;
  Measure(slots, now_ns);
  // A thread's share of the time that it lived since the last check, be it shorter than the period; several threads
  // that were too short to tell are looked at together with who comes after them.
  uint32_t busiest_ppm = 0;
  for (auto& [slot, thread] : threads_) {
    const uint64_t life_ns = thread.measured.life_ns - thread.judged.life_ns;
    if (life_ns < kShortestLifeNs) continue;
    busiest_ppm = std::max(busiest_ppm, Share(thread.measured.own_ns - thread.judged.own_ns, life_ns));
    thread.judged = thread.measured;
  }
  if (budget_ppm_ == 0) return false;
  const uint32_t before = level_;
  if (busiest_ppm > budget_ppm_) {
    calm_checks_ = 0;
    // A step of sampling halves the cost: as many as are needed.
    uint32_t steps = 1;
    while (busiest_ppm >> steps > budget_ppm_) ++steps;
    level_ = std::min(level_ + steps, kLevels - 1);
  } else if (busiest_ppm < budget_ppm_ / 3 && level_ > 0) {
    if (++calm_checks_ >= kCalmChecks) {
      calm_checks_ = 0;
      --level_;
    }
  } else {
    calm_checks_ = 0;
  }
  highest_level_ = std::max(highest_level_, level_);
  return level_ != before;
}

}  // namespace migprof::record
