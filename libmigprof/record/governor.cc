// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/governor.h"

#include <algorithm>

namespace migprof::record {
namespace {

constexpr uint64_t kPeriodNs = 250'000'000;
// Going back up is tried after so many periods that would have had room for it: going up and down all the time would
// make parts of a run incomparable.
constexpr uint32_t kCalmChecks = 8;

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

bool Governor::Update(ThreadSlots* slots, uint64_t now_ns) {
  if (last_check_ns_ == 0) last_check_ns_ = now_ns;
  const uint64_t elapsed = now_ns - last_check_ns_;
  if (elapsed < kPeriodNs) return false;
  last_check_ns_ = now_ns;
  level_ns_[level_] += elapsed;
  if (!DetailOf(highest_level_).single_graph_nodes) whole_graphs_ns_ += elapsed;
  own_ns_ = 0;
  uint32_t busiest_ppm = 0;
  slots->ForEach([&](ThreadSlot* slot) {
    const uint64_t own = slot->own_ns.load(std::memory_order_relaxed);
    own_ns_ += own;
    Thread& thread = threads_[slot];
    if (thread.serial != slot->serial) {
      thread = {slot->serial, now_ns, own, own};
      return;
    }
    busiest_ppm = std::max(busiest_ppm, Share(own - thread.own_at_check_ns, elapsed));
    largest_share_ppm_ = std::max(largest_share_ppm_, Share(own - thread.own_at_first_ns, now_ns - thread.first_ns));
    thread.own_at_check_ns = own;
  });
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
