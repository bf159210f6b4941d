// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/graph_nodes.h"

#include <algorithm>

namespace migprof::analyze {

using format::GraphNodeEvent;

bool GraphNodes::Add(const Event& event) {
  if (event.count == 0 || event.count > format::kMaxGraphNodesPerRow) return false;
  is_full_ |= event.count > changes_left_;
  if (is_full_) return false;
  changes_left_ -= event.count;
  for (uint64_t i = 0; i < event.count; ++i) {
    const uint64_t node = event.node + i;
    switch (event.event) {
      case GraphNodeEvent::kCreated:
        Note(node, event.time_ns, event.site);
        break;
      case GraphNodeEvent::kCloned:
      case GraphNodeEvent::kUpdated: {
        const uint64_t origin = event.origin + i;
        const CallSiteId site = SiteOf(origin, event.time_ns);
        // An update to work of unknown origin: what the node was before is not what it is now.
        Note(node, event.time_ns, site);
        if (site == kUnknownSite && node != origin && unresolved_.size() < kMostNodes) {
          unresolved_[node] = {origin, event.time_ns};
        }
        break;
      }
      case GraphNodeEvent::kRemoved:
        Note(node, event.time_ns, kUnknownSite);
        removed_.emplace_back(node, event.time_ns);
        break;
      default:
        return true;  // of a later version
    }
  }
  while (removed_.size() > kKeptRemoved) {
    Forget(removed_.front().first, removed_.front().second);
    removed_.pop_front();
  }
  return true;
}

void GraphNodes::Note(uint64_t node, uint64_t time_ns, CallSiteId site) {
  if (!unresolved_.empty()) unresolved_.erase(node);
  const auto entry = nodes_.find(node);
  if (entry == nodes_.end()) {
    if (nodes_.size() < kMostNodes) nodes_.emplace(node, Changes{{time_ns, site}});
    return;
  }
  Changes& changes = entry->second;
  if (changes.back().time_ns <= time_ns) {
    if (changes.back().site == site) return;  // graphs that are updated again and again from the same code
    changes.push_back({time_ns, site});
  } else {
    const auto later = std::upper_bound(changes.begin(), changes.end(), time_ns,
                                        [](uint64_t time, const Change& change) { return time < change.time_ns; });
    changes.insert(later, {time_ns, site});
  }
  if (changes.size() > kFewChanges) DropOld(&changes);
}

void GraphNodes::DropOld(Changes* changes) {
  // A change can go when the next one is old already. In halves: dropping costs as much as what stays.
  const uint64_t newest_ns = changes->back().time_ns;
  const size_t half = changes->size() / 2;
  const bool half_is_old = newest_ns - std::min(newest_ns, (*changes)[half].time_ns) > kKeptNs;
  if (half_is_old || changes->size() > kMostChanges) changes->erase(changes->begin(), changes->begin() + half);
}

void GraphNodes::Forget(uint64_t node, uint64_t removed_ns) {
  const auto entry = nodes_.find(node);
  if (entry != nodes_.end() && entry->second.back().time_ns <= removed_ns) nodes_.erase(entry);
}

CallSiteId GraphNodes::SiteOf(uint64_t node, uint64_t time_ns) const {
  // Chains are as long as copies of copies whose originals came late: one or two.
  for (int depth = 0; depth < 16; ++depth) {
    const auto entry = nodes_.find(node);
    if (entry == nodes_.end()) return kUnknownSite;
    const Changes& changes = entry->second;
    const auto after = std::upper_bound(changes.begin(), changes.end(), time_ns,
                                        [](uint64_t time, const Change& change) { return time < change.time_ns; });
    if (after == changes.begin()) return kUnknownSite;  // another node had this id then
    const Change& change = *(after - 1);
    if (change.site != kUnknownSite) return change.site;
    const auto original = unresolved_.find(node);
    if (original == unresolved_.end() || time_ns < original->second.second) return kUnknownSite;
    node = original->second.first;
    time_ns = original->second.second;
  }
  return kUnknownSite;
}

}  // namespace migprof::analyze
