// SPDX-License-Identifier: Apache-2.0
#include "driver/graph.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "base/faults.h"
#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/memory.h"
#include "driver/process.h"

namespace simgpu::driver {
namespace {

struct GraphIds {
  std::mutex mutex;
  uint32_t next = 1;
  std::vector<uint32_t> recycled;
};

GraphIds& Ids() {
  static GraphIds& ids = *new GraphIds;  // for the life of the process
  return ids;
}

CUpti_GraphData Describe(Graph* graph) {
  CUpti_GraphData data = {};
  data.graph = HandleOf(graph);
  return data;
}

CUpti_GraphData Describe(GraphNode* node) {
  CUpti_GraphData data = Describe(node->graph);
  data.node = HandleOf(node);
  data.nodeType = TypeOf(node->payload);
  return data;
}

void Report(CUpti_CallbackIdResource id, CUpti_GraphData data) {
  if (Tool* const tool = AttachedTool()) tool->Resource(id, HandleOf(CurrentContext()), nullptr, &data);
}

void Link(GraphNode* from, GraphNode* to) {
  from->dependents.push_back(to);
  to->dependencies.push_back(from);
}

void ReportDependency(CUpti_CallbackIdResource id, GraphNode* from, GraphNode* to) {
  CUpti_GraphData data = Describe(to);
  data.dependency = HandleOf(from);
  Report(id, data);
}

// A payload for a node of another graph: what a node owns is copied.
NodePayload ClonePayload(const NodePayload& payload) {
  if (const auto* const child = std::get_if<ChildNode>(&payload)) {
    ChildNode copy;
    copy.graph = CloneGraph(child->graph);
    copy.graph->owned = true;
    return copy;
  }
  return payload;
}

}  // namespace

GraphMemory::GraphMemory(CUdeviceptr address) : address_(address) {
  if (const std::optional<Allocation> allocation = AllocationAt(address)) allocation_id_ = allocation->id;
}

GraphMemory::~GraphMemory() {
  const std::optional<Allocation> allocation = AllocationAt(address_);
  if (allocation && allocation->id == allocation_id_) FreeDevice(address_);
}

Graph* FindGraph(CUgraph handle) { return HandlePool<Graph>::Find(handle); }
GraphNode* FindNode(CUgraphNode handle) { return HandlePool<GraphNode>::Find(handle); }

CUgraphNodeType TypeOf(const NodePayload& payload) {
  constexpr CUgraphNodeType kTypes[] = {
      CU_GRAPH_NODE_TYPE_EMPTY,        CU_GRAPH_NODE_TYPE_KERNEL,     CU_GRAPH_NODE_TYPE_MEMCPY,
      CU_GRAPH_NODE_TYPE_MEMSET,       CU_GRAPH_NODE_TYPE_HOST,       CU_GRAPH_NODE_TYPE_GRAPH,
      CU_GRAPH_NODE_TYPE_EVENT_RECORD, CU_GRAPH_NODE_TYPE_WAIT_EVENT, CU_GRAPH_NODE_TYPE_MEM_ALLOC,
      CU_GRAPH_NODE_TYPE_MEM_FREE,
  };
  static_assert(std::size(kTypes) == std::variant_size_v<NodePayload>);
  return kTypes[payload.index()];
}

uint32_t NewGraphId() {
  const std::lock_guard lock(Ids().mutex);
  if (Ids().recycled.empty()) return Ids().next++;
  const uint32_t id = Ids().recycled.back();
  Ids().recycled.pop_back();
  return id;
}

void RecycleGraphId(uint32_t id) {
  static const bool reuse = FaultSwitch("graph-id-reuse").has_value();
  if (!reuse) return;
  const std::lock_guard lock(Ids().mutex);
  Ids().recycled.push_back(id);
}

Graph* CreateGraph() {
  Graph* const graph = HandlePool<Graph>::New();
  graph->id = NewGraphId();
  Report(CUPTI_CBID_RESOURCE_GRAPH_CREATED, Describe(graph));
  return graph;
}

void DestroyGraph(Graph* graph) {
  Report(CUPTI_CBID_RESOURCE_GRAPH_DESTROY_STARTING, Describe(graph));
  while (!graph->nodes.empty()) DestroyNode(graph->nodes.back());
  RecycleGraphId(graph->id);
  HandlePool<Graph>::Delete(graph);
}

void ReportNodeStarting(Graph* graph, const NodePayload& payload) {
  CUpti_GraphData data = Describe(graph);
  data.nodeType = TypeOf(payload);
  Report(CUPTI_CBID_RESOURCE_GRAPHNODE_CREATE_STARTING, data);
}

GraphNode* InsertNode(Graph* graph, const std::vector<GraphNode*>& dependencies, NodePayload payload) {
  GraphNode* const node = HandlePool<GraphNode>::New();
  node->graph = graph;
  node->id = uint64_t{graph->id} << 32 | graph->next_position++;
  node->payload = std::move(payload);
  for (GraphNode* const dependency : dependencies) Link(dependency, node);
  graph->nodes.push_back(node);
  return node;
}

void ReportNodeCreated(GraphNode* node) {
  Report(CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED, Describe(node));
  for (GraphNode* const dependency : node->dependencies) {
    ReportDependency(CUPTI_CBID_RESOURCE_GRAPHNODE_DEPENDENCY_CREATED, dependency, node);
  }
}

GraphNode* AddNode(Graph* graph, const std::vector<GraphNode*>& dependencies, NodePayload payload) {
  ReportNodeStarting(graph, payload);
  GraphNode* const node = InsertNode(graph, dependencies, std::move(payload));
  ReportNodeCreated(node);
  return node;
}

void DestroyNode(GraphNode* node) {
  Report(CUPTI_CBID_RESOURCE_GRAPHNODE_DESTROY_STARTING, Describe(node));
  for (GraphNode* const dependency : node->dependencies) std::erase(dependency->dependents, node);
  for (GraphNode* const dependent : node->dependents) std::erase(dependent->dependencies, node);
  std::erase(node->graph->nodes, node);
  if (auto* const child = std::get_if<ChildNode>(&node->payload)) DestroyGraph(child->graph);
  HandlePool<GraphNode>::Delete(node);
}

CUresult AddDependency(GraphNode* from, GraphNode* to) {
  if (from->graph != to->graph || from == to) return CUDA_ERROR_INVALID_VALUE;
  if (std::find(to->dependencies.begin(), to->dependencies.end(), from) != to->dependencies.end())
    return CUDA_ERROR_INVALID_VALUE;
  Link(from, to);
  ReportDependency(CUPTI_CBID_RESOURCE_GRAPHNODE_DEPENDENCY_CREATED, from, to);
  return CUDA_SUCCESS;
}

CUresult RemoveDependency(GraphNode* from, GraphNode* to) {
  if (std::find(to->dependencies.begin(), to->dependencies.end(), from) == to->dependencies.end())
    return CUDA_ERROR_INVALID_VALUE;
  ReportDependency(CUPTI_CBID_RESOURCE_GRAPHNODE_DEPENDENCY_DESTROY_STARTING, from, to);
  std::erase(to->dependencies, from);
  std::erase(from->dependents, to);
  return CUDA_SUCCESS;
}

Graph* CloneGraph(Graph* graph) {
  Graph* const clone = HandlePool<Graph>::New();
  clone->id = NewGraphId();
  CUpti_GraphData data = Describe(clone);
  data.originalGraph = HandleOf(graph);
  Report(CUPTI_CBID_RESOURCE_GRAPH_CLONED, data);
  std::unordered_map<const GraphNode*, GraphNode*> clones;
  for (GraphNode* const node : graph->nodes) {
    GraphNode* const copy = InsertNode(clone, {}, ClonePayload(node->payload));
    copy->original = node;
    copy->enabled = node->enabled;
    clones[node] = copy;
    // NVIDIA's driver tells of a copy twice, as a node that is made and as one that is cloned.
    data = Describe(copy);
    Report(CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED, data);
    data.originalGraph = HandleOf(graph);
    data.originalNode = HandleOf(node);
    Report(CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED, data);
  }
  for (GraphNode* const node : graph->nodes) {
    for (const GraphNode* const dependency : node->dependencies) Link(clones[dependency], clones[node]);
  }
  return clone;
}

std::vector<GraphNode*> TopologicalOrder(const Graph& graph) {
  std::unordered_map<const GraphNode*, size_t> missing;
  for (const GraphNode* const node : graph.nodes) missing[node] = node->dependencies.size();
  std::vector<GraphNode*> order;
  std::vector<GraphNode*> waiting = graph.nodes;
  // Graphs are nearly always built in an order that works, so this rarely takes a second round.
  while (!waiting.empty()) {
    std::vector<GraphNode*> later;
    for (GraphNode* const node : waiting) {
      if (missing[node] != 0) {
        later.push_back(node);
        continue;
      }
      order.push_back(node);
      for (const GraphNode* const dependent : node->dependents) --missing[dependent];
    }
    if (later.size() == waiting.size()) return {};
    waiting = std::move(later);
  }
  return order;
}

GraphNode* NodeInClone(const GraphNode* node, const Graph& clone) {
  const auto found =
      std::find_if(clone.nodes.begin(), clone.nodes.end(), [&](const GraphNode* n) { return n->original == node; });
  return found != clone.nodes.end() ? *found : nullptr;
}

std::shared_ptr<ArgumentCopy> CopyArguments(const Function& function, void** arguments) {
  const std::vector<image::KernelParameter>& parameters = function.code.parameters;
  if (arguments == nullptr || parameters.empty()) return nullptr;
  auto copy = std::make_shared<ArgumentCopy>();
  copy->bytes.resize(parameters.back().offset + parameters.back().size);
  for (size_t i = 0; i < parameters.size(); ++i) {
    std::byte* const place = copy->bytes.data() + parameters[i].offset;
    std::memcpy(place, arguments[i], parameters[i].size);
    copy->pointers.push_back(place);
  }
  return copy;
}

}  // namespace simgpu::driver
