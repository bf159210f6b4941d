// SPDX-License-Identifier: Apache-2.0
// Which node of a CUDA graph comes from which place in the program.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "libmigprof/analyze/launch_join.h"
#include "libmigprof/analyze/recent_calls.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {

// The sites of calls that make graph nodes explicitly, until the rows of their nodes have come.
class ConstructionCalls : public RecentCalls<CallSiteId> {
 public:
  // kUnknownSite when there is none.
  CallSiteId SiteOf(uint32_t correlation) const {
    const CallSiteId* const site = Find(correlation);
    return site != nullptr ? *site : kUnknownSite;
  }
};

// What executes carries the id of a node of the executable graph. That is a copy of a node of a graph, which may be a
// copy itself, and so on to the node that a call captured or added. Each copy is resolved as it is made, so originals
// may go. Ids come again after their node was removed: what a node stands for depends on the time. For one file; not
// thread-safe.
class GraphNodes {
 public:
  // Follows at most so many changes of single nodes.
  explicit GraphNodes(uint64_t most_changes = UINT64_MAX) : changes_left_(most_changes) {}

  struct Event {
    format::GraphNodeEvent event = format::GraphNodeEvent::kCreated;
    uint64_t node = 0;
    uint64_t count = 1;  // nodes, and origins if any, whose ids follow each other
    uint64_t time_ns = 0;
    uint64_t origin = 0;             // of what is cloned or updated
    CallSiteId site = kUnknownSite;  // of what is created
  };

  // False when the event makes no sense, or there were too many.
  bool Add(const Event& event);
  // More was told than is followed: from then on, nothing is.
  bool is_full() const { return is_full_; }

  // Where the work of `node`, when launched at `time_ns`, was captured or added; kUnknownSite when that is not known.
  CallSiteId SiteOf(uint64_t node, uint64_t time_ns) const;

  size_t size() const { return nodes_.size(); }

 private:
  // More nodes are not kept: what they execute then counts as unattributed.
  static constexpr size_t kMostNodes = 4 * 1024 * 1024;
  // Nodes that were removed are kept for a while: activity comes later than calls.
  static constexpr size_t kKeptRemoved = 512 * 1024;
  // Changes of one node are kept for a minute: activity comes seconds after its launch. And never more than so many.
  static constexpr uint64_t kKeptNs = 60'000'000'000;
  static constexpr size_t kFewChanges = 16;
  static constexpr size_t kMostChanges = 64 * 1024;

  struct Change {
    uint64_t time_ns;
    CallSiteId site;
  };
  using Changes = absl::InlinedVector<Change, 1>;  // by time

  void Note(uint64_t node, uint64_t time_ns, CallSiteId site);
  static void DropOld(Changes* changes);
  void Forget(uint64_t node, uint64_t removed_ns);

  uint64_t changes_left_;
  bool is_full_ = false;
  absl::flat_hash_map<uint64_t, Changes> nodes_;
  // Copies whose original was not known yet, because another thread's rows came first: original and time.
  absl::flat_hash_map<uint64_t, std::pair<uint64_t, uint64_t>> unresolved_;
  std::deque<std::pair<uint64_t, uint64_t>> removed_;  // node and time
};

}  // namespace migprof::analyze
