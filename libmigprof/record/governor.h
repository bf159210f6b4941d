// SPDX-License-Identifier: Apache-2.0
// Keeps what recording costs the application's threads below a budget, by recording less of each stack, step by step.
// Times and counts of calls and GPU work stay complete, up to the last step, at which graphs are recorded as a whole.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "libmigprof/record/thread_slot.h"

namespace migprof::record {

// What is recorded of a call's stack.
struct StackDetail {
  bool python_lines = true;        // else Python frames say their function only
  uint32_t sample_shift = 0;       // one stack in 2^n calls
  bool single_graph_nodes = true;  // else one duration per graph launch

  uint32_t Pack() const { return sample_shift << 1 | (python_lines ? 0 : 1); }
  static StackDetail Unpack(uint32_t word) { return {(word & 1) == 0, word >> 1, true}; }
};

// Drain thread only.
class Governor {
 public:
  // 0: everything; then without Python lines, one stack in 2, 4, … 64, and at last graphs as a whole.
  static constexpr uint32_t kLevels = 9;
  static StackDetail DetailOf(uint32_t level);

  // `budget_ppm`: the largest share of a thread's time that recording may take, in millionths; 0: no limit.
  explicit Governor(uint32_t budget_ppm) : budget_ppm_(budget_ppm) {}

  // Looks at what the threads measured, some times a second. Returns whether the level has changed. `now_ns`:
  // CLOCK_MONOTONIC.
  bool Update(ThreadSlots* slots, uint64_t now_ns);
  // Brings the numbers below up to `now_ns`, and changes no level.
  void Measure(ThreadSlots* slots, uint64_t now_ns);

  uint32_t level() const { return level_; }
  uint32_t highest_level() const { return highest_level_; }
  // Recording's own time on all application threads, as estimated from the calls that were timed.
  uint64_t own_ns() const { return own_ns_; }
  // The largest share that a thread, or those that followed each other in one slot, have seen so far over their lives,
  // in millionths; 0 while all are too short to tell.
  uint32_t largest_share_ppm() const { return largest_share_ppm_; }
  // The same over the time at the last level, at which nothing more can be left out.
  uint32_t share_at_last_level_ppm() const { return share_at_last_level_ppm_; }
  uint32_t budget_ppm() const { return budget_ppm_; }
  uint64_t milliseconds_at(uint32_t level) const { return level_ns_[level] / 1'000'000; }
  // CUPTI is not asked for single nodes again once graphs are recorded as a whole, whatever the level is after.
  uint64_t milliseconds_of_whole_graphs() const { return whole_graphs_ns_ / 1'000'000; }

 private:
  // Recording's own time and the time lived, of all owners of a slot.
  struct Times {
    uint64_t own_ns = 0;
    uint64_t life_ns = 0;
  };
  struct Thread {
    Times judged;         // as of the last check that could tell a share
    Times at_last_level;  // gathered there
    Times measured;       // as of the last Measure
  };

  uint32_t budget_ppm_;
  std::unordered_map<const ThreadSlot*, Thread> threads_;
  uint64_t last_check_ns_ = 0;
  uint64_t measured_until_ns_ = 0;
  uint64_t own_ns_ = 0;
  uint32_t largest_share_ppm_ = 0;
  uint32_t share_at_last_level_ppm_ = 0;
  uint32_t level_ = 0;
  uint32_t highest_level_ = 0;
  uint32_t calm_checks_ = 0;
  std::array<uint64_t, kLevels> level_ns_{};
  uint64_t whole_graphs_ns_ = 0;
};

}  // namespace migprof::record
