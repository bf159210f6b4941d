// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/graph_log.h"

namespace migprof::record {

void GraphLog::Add(const GraphNodesEvent& nodes, const CallEvent* call, SliceFile* home) {
  if (home != nullptr) home->AddGraphNodes(nodes);
  Entry entry{.nodes = nodes, .has_call = call != nullptr, .call = {}, .home = home};
  if (call != nullptr) {
    entry.call = *call;
    // In a file that is not its own the call is only told of because of the node: it is counted where it was made.
    entry.call.call_class = format::CallClass::kGraphConstruction;
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
    if (entry.home == file) continue;
    if (entry.has_call) file->AddCall(entry.call);
    file->AddGraphNodes(entry.nodes);
  }
  file->SetGraphEventsSeen(end());
}

}  // namespace migprof::record
