// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/graph_log.h"

namespace migprof::record {

void GraphLog::Add(const GraphNodesEvent& nodes, const CallEvent* call, SliceFile* home) {
  if (home != nullptr) home->AddGraphNodes(nodes);
  Entry entry{.nodes = nodes, .has_call = call != nullptr, .call = {}, .home = home != nullptr ? home->serial() : 0};
  if (call != nullptr) {
    entry.call = *call;
  }
  entries_.push_back(entry);
  if (entries_.size() <= kMostEntries) return;
  entries_.pop_front();
  ++first_;
}

void GraphLog::WriteRest(SliceFile* file) {
  uint64_t seen = file->graph_events_seen();
  if (seen < first_) {
    // Those whose home the file is it had at once; which they were is not known any more.
    if (!file->has_graph_nodes()) forgotten_ += first_ - seen;
    seen = first_;
  }
  for (; seen != end(); ++seen) {
    const Entry& entry = entries_[seen - first_];
    if (entry.home == file->serial()) continue;
    file->AddGraphNodesOfOthers(entry.nodes, entry.has_call ? &entry.call : nullptr);
  }
  file->SetGraphEventsSeen(end());
}

}  // namespace migprof::record
