// SPDX-License-Identifier: Apache-2.0
#include "driver/graph_exec.h"

#include <algorithm>
#include <unordered_map>

#include "driver/context.h"
#include "driver/handle_pool.h"
#include "driver/process.h"

namespace simgpu::driver {
namespace {

void Report(CUpti_CallbackIdResource id, Graph* graph, GraphExec* exec, GraphNode* node = nullptr,
            GraphNode* original = nullptr) {
  Tool* const tool = AttachedTool();
  if (tool == nullptr) return;
  CUpti_GraphData data = {};
  data.graph = HandleOf(graph);
  data.graphExec = HandleOf(exec);
  data.node = HandleOf(node);
  data.originalNode = HandleOf(original);
  if (node != nullptr) data.nodeType = TypeOf(node->payload);
  tool->Resource(id, HandleOf(CurrentContext()), nullptr, &data);
}

// Whether two nodes depend on nodes at the same positions of their graphs.
bool SameDependencies(const GraphNode& a, const GraphNode& b,
                      const std::unordered_map<const GraphNode*, size_t>& positions) {
  if (a.dependencies.size() != b.dependencies.size()) return false;
  std::vector<size_t> of_a, of_b;
  for (const GraphNode* const node : a.dependencies) of_a.push_back(positions.at(node));
  for (const GraphNode* const node : b.dependencies) of_b.push_back(positions.at(node));
  std::sort(of_a.begin(), of_a.end());
  std::sort(of_b.begin(), of_b.end());
  return of_a == of_b;
}

CUgraphExecUpdateResult Compare(const Graph& graph, const Graph& changed, GraphNode** error_node) {
  *error_node = nullptr;
  if (graph.nodes.size() != changed.nodes.size()) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  std::unordered_map<const GraphNode*, size_t> positions;
  for (size_t i = 0; i < graph.nodes.size(); ++i) positions[graph.nodes[i]] = positions[changed.nodes[i]] = i;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    *error_node = changed.nodes[i];
    if (graph.nodes[i]->payload.index() != changed.nodes[i]->payload.index())
      return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
    if (!SameDependencies(*graph.nodes[i], *changed.nodes[i], positions))
      return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    const auto* const child = std::get_if<ChildNode>(&graph.nodes[i]->payload);
    if (child == nullptr) continue;
    const Graph& changed_child = *std::get<ChildNode>(changed.nodes[i]->payload).graph;
    GraphNode* inner = nullptr;
    const CUgraphExecUpdateResult result = Compare(*child->graph, changed_child, &inner);
    if (result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return result;
  }
  *error_node = nullptr;
  return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

void TakePayloads(Graph* graph, const Graph& changed, GraphExec* exec) {
  for (size_t i = 0; i < graph->nodes.size(); ++i) {
    GraphNode* const node = graph->nodes[i];
    if (auto* const child = std::get_if<ChildNode>(&node->payload)) {
      TakePayloads(child->graph, *std::get<ChildNode>(changed.nodes[i]->payload).graph, exec);
      continue;
    }
    node->payload = changed.nodes[i]->payload;
    Report(CUPTI_CBID_RESOURCE_GRAPH_NODE_UPDATED, graph, exec, node, changed.nodes[i]);
  }
}

}  // namespace

GraphExec* FindGraphExec(CUgraphExec handle) { return HandlePool<GraphExec>::Find(handle); }

CUresult Instantiate(Graph* graph, uint64_t flags, GraphExec** out) {
  if (!graph->nodes.empty() && TopologicalOrder(*graph).empty()) return CUDA_ERROR_INVALID_VALUE;  // a cycle
  GraphExec* const exec = HandlePool<GraphExec>::New();
  Report(CUPTI_CBID_RESOURCE_GRAPHEXEC_CREATE_STARTING, graph, nullptr);
  exec->graph = CloneGraph(graph);
  exec->graph->owned = true;
  exec->id = exec->graph->id;
  exec->flags = flags;
  const CUresult result = Recompile(exec);
  if (result != CUDA_SUCCESS) {
    DestroyGraphExec(exec);
    return result;
  }
  Report(CUPTI_CBID_RESOURCE_GRAPHEXEC_CREATED, graph, exec);
  *out = exec;
  return CUDA_SUCCESS;
}

void DestroyGraphExec(GraphExec* exec) {
  Report(CUPTI_CBID_RESOURCE_GRAPHEXEC_DESTROY_STARTING, exec->graph, exec);
  DestroyGraph(exec->graph);
  HandlePool<GraphExec>::Delete(exec);
}

CUgraphExecUpdateResult Update(GraphExec* exec, Graph* graph, GraphNode** error_node) {
  const CUgraphExecUpdateResult result = Compare(*exec->graph, *graph, error_node);
  if (result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return result;
  TakePayloads(exec->graph, *graph, exec);
  return Recompile(exec) == CUDA_SUCCESS ? CU_GRAPH_EXEC_UPDATE_SUCCESS : CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
}

}  // namespace simgpu::driver
