// SPDX-License-Identifier: Apache-2.0
// What the nodes of CUDA graphs that exist now stand for: what a segment of a recording must say for itself when the
// ones before it may be deleted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "libmigprof/record/slice_file.h"

namespace migprof::record {

// Follows copies and updates back to the call that captured or added the node, as a reader does. Drain thread only.
class LiveGraphNodes {
 public:
  // At most so many runs of nodes with one origin are followed, of some 150 bytes each.
  static constexpr size_t kMostRuns = 64 * 1024;
  static constexpr size_t kBytesEach = 150;

  // `call`: the one the nodes were made by; null when it is not known or they were not made.
  void Note(const GraphNodesEvent& event, const CallEvent* call);

  // Every run of nodes whose origin is known, as if they had just been made by that call.
  using Visitor = std::function<void(const GraphNodesEvent& nodes, const CallEvent& call)>;
  void ForEach(const Visitor& visit) const;
  // Tells `file` of every node whose origin is known, and of the calls that made them.
  void CarryTo(SliceFile* file) const;

  // Every call that CarryTo tells of, or may tell of later; each perhaps more than once.
  template <typename Visitor>
  void ForEachCall(Visitor&& visit) {
    for (auto& [node, run] : runs_) {
      if (run.call != nullptr) visit(run.call.get());
    }
  }

  // At most so much memory is taken. Before the first node.
  void LimitMemory(size_t most_bytes) { most_runs_ = std::min(kMostRuns, most_bytes / kBytesEach); }

  // How often Note was called.
  uint64_t events() const { return events_; }
  // Runs that were not followed because there were too many.
  uint64_t forgotten() const { return forgotten_; }
  size_t size() const { return runs_.size(); }

 private:
  // Nodes whose ids follow each other.
  struct Run {
    uint64_t count = 0;
    uint64_t time_ns = 0;
    std::shared_ptr<CallEvent> call;  // null: the origin was not known when they were copied
    uint64_t origin = 0;              // then
  };
  using Runs = std::map<uint64_t, Run>;  // by the first node

  static uint64_t EndOf(const Runs::value_type& run) { return run.first + run.second.count; }
  void Erase(uint64_t node, uint64_t count);
  void Insert(uint64_t node, Run run);
  // Makes a border between two runs at `node`, if it lies in one.
  void SplitAt(uint64_t node);
  void Copy(const GraphNodesEvent& event);
  // The run that `node` is in, or end().
  Runs::const_iterator Find(uint64_t node) const;

  Runs runs_;
  size_t most_runs_ = kMostRuns;
  uint64_t events_ = 0;
  uint64_t forgotten_ = 0;
};

}  // namespace migprof::record
