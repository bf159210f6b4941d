// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/graph_log.h"

namespace migprof::record {

void GraphLog::Add(const GraphNodesEvent& nodes, const CallEvent* call, SliceFile* home) {
  if (home != nullptr) home->AddGraphNodes(nodes);
  Entry entry{.nodes = nodes,
              .has_call = call != nullptr,
              .call_forgotten = false,
              .call = {},
              .home = home != nullptr ? home->serial() : 0};
  if (call != nullptr) {
    entry.call = *call;
  }
  entries_.push_back(entry);
  if (entries_.size() <= most_entries_) return;
  entries_.pop_front();
  ++first_;
}

void GraphLog::ForgetCalls(uint32_t last_forgotten) {
  const auto is_forgotten = [&](uint32_t id) { return id != 0 && id <= last_forgotten; };
  for (Entry& entry : entries_) {
    const CallEvent& call = entry.call;
    if (!entry.has_call || (!is_forgotten(call.stack_node) && !is_forgotten(call.python_node) &&
                            !is_forgotten(call.range_node) && !is_forgotten(call.api))) {
      continue;
    }
    entry.has_call = false;
    entry.call_forgotten = true;
  }
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
    forgotten_ += entry.call_forgotten;
    file->AddGraphNodesOfOthers(entry.nodes, entry.has_call ? &entry.call : nullptr);
  }
  file->SetGraphEventsSeen(end());
}

}  // namespace migprof::record
