// SPDX-License-Identifier: Apache-2.0
// What became of the nodes of the process's CUDA graphs, for the files of all its slices.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "libmigprof/record/slice_file.h"

namespace migprof::record {

// A graph may be built where no device is current, and launched on a device whose file did not exist then. So what
// happens to nodes is written to the file of the call it happened in, if there is one, and kept: a file in which work
// of graph nodes turns up is given the rest, with the calls that made the nodes. A process with one slice has
// everything in its one file at once. Drain thread only.
class GraphLog {
 public:
  // At most this many entries are kept; older ones are forgotten, which only matters to files that still lack them.
  static constexpr size_t kMostEntries = 64 * 1024;

  // They take at most so much memory; older ones are forgotten.
  void LimitMemory(size_t most_bytes) { most_entries_ = std::min(most_bytes / sizeof(Entry), kMostEntries); }

  // `call`: the call the nodes were made by; null when it is not known or they were not made. `home`: the file that has
  // the call; may be null.
  void Add(const GraphNodesEvent& nodes, const CallEvent* call, SliceFile* home);

  // To be called when `file` is about to get work of graph nodes.
  void Complete(SliceFile* file) {
    if (file->graph_events_seen() != end()) [[unlikely]]
      WriteRest(file);
  }

  // Definitions up to `last_forgotten` are about to be forgotten, and so are the calls that need them.
  void ForgetCalls(uint32_t last_forgotten);

  // Entries that a file needed and that were forgotten, or their calls.
  uint64_t forgotten() const { return forgotten_; }

 private:
  struct Entry {
    GraphNodesEvent nodes;
    bool has_call;
    bool call_forgotten;
    CallEvent call;
    uint64_t home;  // serial of the file; 0: none
  };

  uint64_t end() const { return first_ + entries_.size(); }
  void WriteRest(SliceFile* file);

  std::deque<Entry> entries_;
  size_t most_entries_ = kMostEntries;
  uint64_t first_ = 0;  // number of the oldest entry kept
  uint64_t forgotten_ = 0;
};

}  // namespace migprof::record
