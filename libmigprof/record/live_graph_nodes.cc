// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/live_graph_nodes.h"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

namespace migprof::record {

using format::GraphNodeEvent;

void LiveGraphNodes::Note(const GraphNodesEvent& event, const CallEvent* call) {
  ++events_;
  switch (event.event) {
    case GraphNodeEvent::kCreated:
      Erase(event.node, event.count);
      if (call != nullptr) {
        Insert(event.node, {event.count, event.time_ns, std::make_shared<CallEvent>(*call), 0});
      }
      return;
    case GraphNodeEvent::kCloned:
    case GraphNodeEvent::kUpdated:
      return Copy(event);
    case GraphNodeEvent::kRemoved:
      return Erase(event.node, event.count);
  }
}

LiveGraphNodes::Runs::const_iterator LiveGraphNodes::Find(uint64_t node) const {
  auto run = runs_.upper_bound(node);
  if (run == runs_.begin()) return runs_.end();
  --run;
  return node < EndOf(*run) ? run : runs_.end();
}

void LiveGraphNodes::SplitAt(uint64_t node) {
  const auto found = Find(node);
  if (found == runs_.end() || found->first == node) return;
  Run& before = runs_[found->first];
  const uint64_t offset = node - found->first;
  Run after = before;
  after.count -= offset;
  if (after.origin != 0) after.origin += offset;
  before.count = offset;
  runs_.emplace(node, std::move(after));
}

void LiveGraphNodes::Erase(uint64_t node, uint64_t count) {
  SplitAt(node);
  SplitAt(node + count);
  runs_.erase(runs_.lower_bound(node), runs_.lower_bound(node + count));
}

void LiveGraphNodes::Insert(uint64_t node, Run run) {
  if (runs_.size() >= most_runs_) {
    ++forgotten_;
    return;
  }
  runs_.insert_or_assign(node, std::move(run));
}

void LiveGraphNodes::Copy(const GraphNodesEvent& event) {
  // Found before the copies are put in: a node may be updated from one that is copied in the same breath.
  std::vector<std::pair<uint64_t, Run>> copies;
  const uint64_t origin_end = event.origin + event.count;
  uint64_t origin = event.origin;
  while (origin < origin_end) {
    const auto next = runs_.upper_bound(origin);
    const auto found = Find(origin);
    const uint64_t end = std::min(found != runs_.end()  ? EndOf(*found)
                                  : next != runs_.end() ? next->first
                                                        : origin_end,
                                  origin_end);
    Run copy{.count = end - origin, .time_ns = event.time_ns, .call = nullptr, .origin = origin};
    if (found != runs_.end()) {
      copy.call = found->second.call;
      copy.origin = copy.call != nullptr ? 0 : found->second.origin + (origin - found->first);
    }
    copies.emplace_back(event.node + (origin - event.origin), std::move(copy));
    origin = end;
  }
  Erase(event.node, event.count);
  for (auto& [node, run] : copies) Insert(node, std::move(run));
}

void LiveGraphNodes::ForEach(const Visitor& visit) const {
  const auto tell = [&visit](uint64_t node, uint64_t time_ns, uint64_t count, const CallEvent& call) {
    visit({.node = node,
           .time_ns = time_ns,
           .event = GraphNodeEvent::kCreated,
           .origin = 0,
           .correlation = call.correlation,
           .count = static_cast<uint32_t>(count)},
          call);
  };
  for (const auto& [node, run] : runs_) {
    if (run.call != nullptr) {
      tell(node, run.time_ns, run.count, *run.call);
      continue;
    }
    // The rows of another thread, which tell of the origin, may have come since.
    for (uint64_t offset = 0; offset < run.count;) {
      const uint64_t origin = run.origin + offset;
      const auto found = Find(origin);
      const auto next = runs_.upper_bound(origin);
      const uint64_t end = found != runs_.end() ? EndOf(*found) : next != runs_.end() ? next->first : UINT64_MAX;
      const uint64_t count = std::min(run.count - offset, end - origin);
      if (found != runs_.end() && found->second.call != nullptr) {
        tell(node + offset, run.time_ns, count, *found->second.call);
      }
      offset += count;
    }
  }
}

void LiveGraphNodes::CarryTo(SliceFile* file) const {
  std::unordered_set<const CallEvent*> told;
  ForEach([&](const GraphNodesEvent& nodes, const CallEvent& call) {
    if (told.insert(&call).second) file->AddCarriedCall(call);
    file->AddCarriedGraphNodes(nodes);
  });
}

}  // namespace migprof::record
