// SPDX-License-Identifier: Apache-2.0
// Executable graphs: what a graph becomes when it is instantiated, and what happens when it is launched.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "driver/graph.h"
#include "driver/stream.h"
#include "driver/work.h"

namespace simgpu::driver {

// Work of one node, ready to be timed.
struct WorkStep {
  const Device* device = nullptr;
  Work work;
  uint64_t duration_ns = 0;
  std::variant<std::monostate, CopyPlan, MemsetPlan> bytes;
};

struct HostStep {
  CUhostFn function = nullptr;
  void* argument = nullptr;
};

struct RecordStep {
  Event* event = nullptr;
};

struct WaitStep {
  Event* event = nullptr;
};

struct Step {
  std::variant<std::monostate, WorkStep, HostStep, RecordStep, WaitStep> action;
  std::vector<size_t> after;  // positions of the steps it waits for, all smaller than its own
};

// Everything a launch needs; never changed once it is made, so that launches in progress keep theirs.
struct GraphProgram {
  std::vector<Step> steps;
  bool runs_host_code = false;
};

struct GraphExec {
  uint32_t id = 0;
  Graph* graph = nullptr;  // its own copy
  uint64_t flags = 0;
  std::mutex mutex;  // guards what follows
  std::shared_ptr<const GraphProgram> program;
};

inline CUgraphExec HandleOf(GraphExec* exec) { return reinterpret_cast<CUgraphExec>(exec); }
GraphExec* FindGraphExec(CUgraphExec handle);

CUresult Instantiate(Graph* graph, uint64_t flags, GraphExec** exec);
void DestroyGraphExec(GraphExec* exec);

// Makes the program anew after nodes of `exec->graph` were changed. On failure the old one stays.
CUresult Recompile(GraphExec* exec);

CUresult LaunchGraph(GraphExec* exec, Stream* stream);

// Takes over the parameters of `graph`, which must have the same shape.
CUgraphExecUpdateResult Update(GraphExec* exec, Graph* graph, GraphNode** error_node);

}  // namespace simgpu::driver
