// SPDX-License-Identifier: Apache-2.0
// Graphs: work to be launched as a whole, and again. This is the graph a program builds; graph_exec.h is what it
// launches. Like CUDA's own, a graph is not safe for concurrent use.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "driver/module.h"

namespace simgpu::driver {

struct Context;
struct Event;
struct Graph;

// The arguments of a kernel node, which outlive the call that gave them.
struct ArgumentCopy {
  std::vector<std::byte> bytes;
  std::vector<void*> pointers;  // into `bytes`
};

struct KernelNode {
  CUDA_KERNEL_NODE_PARAMS_v2 params = {};
  uint32_t cluster[3] = {0, 0, 0};
  bool cooperative = false;
  std::shared_ptr<ArgumentCopy> arguments;
  std::map<int, CUkernelNodeAttrValue> attributes;
};

struct CopyNode {
  CUDA_MEMCPY3D params = {};
  Context* context = nullptr;
};

struct MemsetNode {
  CUDA_MEMSET_NODE_PARAMS params = {};
  Context* context = nullptr;
};

struct HostNode {
  CUDA_HOST_NODE_PARAMS params = {};
};

struct ChildNode {
  Graph* graph = nullptr;  // the node's own copy
};

struct EmptyNode {};

struct EventRecordNode {
  Event* event = nullptr;
};

struct EventWaitNode {
  Event* event = nullptr;
};

// Memory at an address that stays the same for all launches of a graph and its clones; freed with the last of them.
class GraphMemory {
 public:
  explicit GraphMemory(CUdeviceptr address);
  ~GraphMemory();
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;

 private:
  const CUdeviceptr address_;
  uint64_t allocation_id_ = 0;  // the program may have freed it, and another may have the address
};

struct AllocNode {
  CUDA_MEM_ALLOC_NODE_PARAMS params = {};
  std::shared_ptr<GraphMemory> memory;
};

struct FreeNode {
  CUdeviceptr address = 0;
};

using NodePayload = std::variant<EmptyNode, KernelNode, CopyNode, MemsetNode, HostNode, ChildNode, EventRecordNode,
                                 EventWaitNode, AllocNode, FreeNode>;

struct GraphNode {
  Graph* graph = nullptr;
  uint64_t id = 0;  // graph id in the upper half, position in the lower
  NodePayload payload;
  GraphNode* original = nullptr;  // what it was cloned from
  std::vector<GraphNode*> dependencies;
  std::vector<GraphNode*> dependents;
  bool enabled = true;
};

struct Graph {
  uint32_t id = 0;
  uint32_t next_position = 0;
  std::vector<GraphNode*> nodes;  // in the order they were added
  bool owned = false;             // by a node or an executable graph: not the program's to destroy
};

inline CUgraph HandleOf(Graph* graph) { return reinterpret_cast<CUgraph>(graph); }
inline CUgraphNode HandleOf(GraphNode* node) { return reinterpret_cast<CUgraphNode>(node); }
Graph* FindGraph(CUgraph handle);
GraphNode* FindNode(CUgraphNode handle);

CUgraphNodeType TypeOf(const NodePayload& payload);

// The id of a new graph or executable graph.
uint32_t NewGraphId();
void RecycleGraphId(uint32_t id);

Graph* CreateGraph();
void DestroyGraph(Graph* graph);
// A copy with nodes of its own, reported as such.
Graph* CloneGraph(Graph* graph);

// Adds a node behind `dependencies`, which must be of this graph, and reports it.
GraphNode* AddNode(Graph* graph, const std::vector<GraphNode*>& dependencies, NodePayload payload);
// The three steps of that, for those who may not be holding a lock while they report.
void ReportNodeStarting(Graph* graph, const NodePayload& payload);
GraphNode* InsertNode(Graph* graph, const std::vector<GraphNode*>& dependencies, NodePayload payload);
void ReportNodeCreated(GraphNode* node);
void DestroyNode(GraphNode* node);
CUresult AddDependency(GraphNode* from, GraphNode* to);
CUresult RemoveDependency(GraphNode* from, GraphNode* to);

// The nodes such that each comes after what it depends on; as close to the order they were added as that allows. Empty
// for a cycle.
std::vector<GraphNode*> TopologicalOrder(const Graph& graph);

// The node of `clone` that was made from `node`; null when there is none.
GraphNode* NodeInClone(const GraphNode* node, const Graph& clone);

// Copies the arguments of a launch of `function`; null where their sizes are not known or none were given.
std::shared_ptr<ArgumentCopy> CopyArguments(const Function& function, void** arguments);

}  // namespace simgpu::driver
