// SPDX-License-Identifier: Apache-2.0
// Why nothing ran on a slice: what the thread that ended a gap was doing in it. docs/metrics.md has the definitions.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/idle_timeline.h"
#include "libmigprof/analyze/launch_join.h"
#include "libmigprof/analyze/recent_calls.h"
#include "libmigprof/analyze/site_weights.h"
#include "libmigprof/analyze/slice_metrics.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {

// The name of a cause as shown: "host code", "copies", ….
const char* Name(IdleCause cause);

// The frame of time that no work ended, because a process had its last behind it.
inline constexpr char kAfterLastWork[] = "[after its last GPU work]";

// Nanoseconds by IdleCause.
using IdleTimes = std::array<uint64_t, kIdleCauses>;

// The idle time that ended at each call site, by cause. Not thread-safe.
class IdleBySite {
 public:
  // A part of a gap, or nothing.
  void Add(CallSiteId site, IdleCause cause, uint64_t ns) {
    if (site >= rows_.size()) [[unlikely]]
      rows_.resize(site + site / 2 + 16);
    rows_[site].ns[static_cast<size_t>(cause)] += ns;
    rows_[site].gaps[static_cast<size_t>(cause)] += ns != 0 ? 1 : 0;
  }
  // A gap that was divided between host code and launch latency.
  void Add(CallSiteId site, uint64_t host_ns, uint64_t latency_ns) {
    if (site >= launch_bound_.size()) [[unlikely]]
      launch_bound_.resize(site + site / 2 + 16);
    LaunchBound& row = launch_bound_[site];
    row.host_ns += host_ns;
    row.latency_ns += latency_ns;
    row.host_gaps += host_ns != 0 ? 1 : 0;
    row.latency_gaps += latency_ns != 0 ? 1 : 0;
  }
  // A gap, divided by cause.
  void Add(CallSiteId site, const IdleTimes& times) {
    for (size_t cause = 0; cause < kIdleCauses; ++cause) Add(site, static_cast<IdleCause>(cause), times[cause]);
  }
  // Over all sites.
  IdleTimes Sum() const;
  // By site << 32 | cause, in ascending order.
  SiteWeights::List InOrder() const;

 private:
  struct Row {
    IdleTimes ns{};
    std::array<uint64_t, kIdleCauses> gaps{};  // that had some of it
  };
  // Programs that keep the GPU waiting have a gap like this before nearly every kernel: half a cache line each, beside
  // what is in `rows_`.
  struct LaunchBound {
    uint64_t host_ns = 0;
    uint64_t latency_ns = 0;
    uint64_t host_gaps = 0;
    uint64_t latency_gaps = 0;
  };

  Row RowOf(size_t site) const;

  std::vector<Row> rows_;
  std::vector<LaunchBound> launch_bound_;
};

// What is known of the work that ended a gap.
struct GapEnd {
  uint64_t call_ns = 0;  // entry of the call that asked for it
  uint16_t thread = 0;   // that made the call, as ThreadOf says
  bool is_transfer = false;
  bool is_first_launch = false;  // of its kernel in the process

  // Why it was not yet running, once it had been asked for.
  IdleCause cause_of_wait() const {
    if (is_transfer) return IdleCause::kCopy;
    return is_first_launch ? IdleCause::kFirstLaunch : IdleCause::kLaunchLatency;
  }
};

// The calls of a process that may have kept their threads, while they may still lie in a gap. For one file; not
// thread-safe.
class BlockingCalls {
 public:
  // The small number that stands for a thread; 0 when there are more than can be told apart.
  uint16_t ThreadOf(uint64_t serial);

  // A call that format::MayBlock, and what became of it.
  void Entered(uint32_t correlation, uint64_t time_ns, uint16_t thread, format::CallClass call_class);
  void Returned(uint32_t correlation, uint64_t took_ns);
  void Forget(uint32_t correlation) { open_.Forget(correlation); }

  // Whether the thread was in none of these calls in a gap that begins at `start`: as nearly always, where gaps are
  // many. `thread`: from ThreadOf, or 0. The same promises as for Divide.
  bool HasNone(uint16_t thread, uint64_t start) const { return last_ends_[thread] <= start; }
  // Divides the gap [start, end) into causes. They add up to its length. Gaps come in order; calls that ended before
  // one are forgotten with it.
  // `timeline`, if not null, is told each part.
  IdleTimes Divide(uint64_t start, uint64_t end, const GapEnd& gap_end, IdleTimeline* timeline = nullptr);

 private:
  struct OpenCall {
    uint64_t time_ns;
    uint16_t thread;
    IdleCause cause;
  };
  struct Call {
    uint64_t start;
    uint64_t end;
    IdleCause cause;
  };

  uint16_t FindOrAddThread(uint64_t serial);

  absl::flat_hash_map<uint64_t, uint16_t> threads_;
  uint64_t last_serial_ = 0;  // the last one asked for
  uint16_t last_thread_ = 0;
  RecentCalls<OpenCall> open_;
  std::vector<std::deque<Call>> calls_{1};  // [thread], by start; none overlap
  std::vector<uint64_t> last_ends_{0};      // [thread], of the last of these; stays when they are forgotten
  size_t kept_calls_ = 0;                   // of all threads
};

}  // namespace migprof::analyze
