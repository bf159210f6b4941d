// SPDX-License-Identifier: Apache-2.0
// Graphs as a whole: making them, looking at them, launching them.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "bodies.h"
#include "driver/capture.h"
#include "driver/context.h"
#include "driver/graph_exec.h"
#include "driver/stream.h"

namespace simgpu::driver::api {
namespace {

// Hands out a list the way all of these functions do: the count alone when `out` is null; else as many as fit, the rest
// null.
template <class Handle>
CUresult GiveList(const std::vector<Handle>& all, Handle* out, size_t* count) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (out == nullptr) {
    *count = all.size();
    return CUDA_SUCCESS;
  }
  for (size_t i = 0; i < *count; ++i) out[i] = i < all.size() ? all[i] : nullptr;
  *count = std::min(*count, all.size());
  return CUDA_SUCCESS;
}

std::vector<CUgraphNode> Handles(const std::vector<GraphNode*>& nodes) {
  std::vector<CUgraphNode> handles;
  for (GraphNode* const node : nodes) handles.push_back(HandleOf(node));
  return handles;
}

// No edge of a graph made here carries data.
void ClearEdges(CUgraphEdgeData* edges, const size_t* count) {
  if (edges != nullptr && count != nullptr) std::memset(edges, 0, *count * sizeof(*edges));
}

CUresult InstantiateInto(CUgraphExec* out, CUgraph hGraph, uint64_t flags) {
  Graph* const graph = FindGraph(hGraph);
  if (graph == nullptr || out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  GraphExec* exec = nullptr;
  const CUresult result = Instantiate(graph, flags, &exec);
  if (result == CUDA_SUCCESS) *out = HandleOf(exec);
  return result;
}

}  // namespace

CUresult GraphCreate(CUgraph* phGraph, unsigned int flags) {
  if (phGraph == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  *phGraph = HandleOf(CreateGraph());
  return CUDA_SUCCESS;
}

CUresult GraphDestroy(CUgraph hGraph) {
  Graph* const graph = FindGraph(hGraph);
  if (graph == nullptr || graph->owned) return CUDA_ERROR_INVALID_VALUE;
  DestroyGraph(graph);
  return CUDA_SUCCESS;
}

CUresult GraphClone(CUgraph* phGraphClone, CUgraph originalGraph) {
  Graph* const graph = FindGraph(originalGraph);
  if (phGraphClone == nullptr || graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *phGraphClone = HandleOf(CloneGraph(graph));
  return CUDA_SUCCESS;
}

CUresult GraphNodeFindInClone(CUgraphNode* phNode, CUgraphNode hOriginalNode, CUgraph hClonedGraph) {
  const Graph* const clone = FindGraph(hClonedGraph);
  const GraphNode* const node = FindNode(hOriginalNode);
  if (phNode == nullptr || clone == nullptr || node == nullptr) return CUDA_ERROR_INVALID_VALUE;
  GraphNode* const found = NodeInClone(node, *clone);
  if (found == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *phNode = HandleOf(found);
  return CUDA_SUCCESS;
}

CUresult GraphGetNodes(CUgraph hGraph, CUgraphNode* nodes, size_t* numNodes) {
  const Graph* const graph = FindGraph(hGraph);
  return graph != nullptr ? GiveList(Handles(graph->nodes), nodes, numNodes) : CUDA_ERROR_INVALID_VALUE;
}

CUresult GraphGetRootNodes(CUgraph hGraph, CUgraphNode* rootNodes, size_t* numRootNodes) {
  const Graph* const graph = FindGraph(hGraph);
  if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::vector<GraphNode*> roots;
  std::copy_if(graph->nodes.begin(), graph->nodes.end(), std::back_inserter(roots),
               [](const GraphNode* node) { return node->dependencies.empty(); });
  return GiveList(Handles(roots), rootNodes, numRootNodes);
}

CUresult GraphGetEdges(CUgraph hGraph, CUgraphNode* from, CUgraphNode* to, size_t* numEdges) {
  const Graph* const graph = FindGraph(hGraph);
  if (graph == nullptr || numEdges == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::vector<CUgraphNode> sources, targets;
  for (GraphNode* const node : graph->nodes) {
    for (GraphNode* const dependency : node->dependencies) {
      sources.push_back(HandleOf(dependency));
      targets.push_back(HandleOf(node));
    }
  }
  size_t count = *numEdges;
  GiveList(targets, to, &count);
  return GiveList(sources, from, numEdges);
}

CUresult GraphGetEdges_v2(CUgraph hGraph, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* edgeData,
                          size_t* numEdges) {
  ClearEdges(edgeData, numEdges);
  return GraphGetEdges(hGraph, from, to, numEdges);
}

CUresult GraphNodeGetDependencies(CUgraphNode hNode, CUgraphNode* dependencies, size_t* numDependencies) {
  const GraphNode* const node = FindNode(hNode);
  return node != nullptr ? GiveList(Handles(node->dependencies), dependencies, numDependencies)
                         : CUDA_ERROR_INVALID_VALUE;
}

CUresult GraphNodeGetDependencies_v2(CUgraphNode hNode, CUgraphNode* dependencies, CUgraphEdgeData* edgeData,
                                     size_t* numDependencies) {
  ClearEdges(edgeData, numDependencies);
  return GraphNodeGetDependencies(hNode, dependencies, numDependencies);
}

CUresult GraphNodeGetDependentNodes(CUgraphNode hNode, CUgraphNode* dependentNodes, size_t* numDependentNodes) {
  const GraphNode* const node = FindNode(hNode);
  return node != nullptr ? GiveList(Handles(node->dependents), dependentNodes, numDependentNodes)
                         : CUDA_ERROR_INVALID_VALUE;
}

CUresult GraphNodeGetDependentNodes_v2(CUgraphNode hNode, CUgraphNode* dependentNodes, CUgraphEdgeData* edgeData,
                                       size_t* numDependentNodes) {
  ClearEdges(edgeData, numDependentNodes);
  return GraphNodeGetDependentNodes(hNode, dependentNodes, numDependentNodes);
}

CUresult GraphAddDependencies(CUgraph hGraph, const CUgraphNode* from, const CUgraphNode* to, size_t numDependencies) {
  if (FindGraph(hGraph) == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < numDependencies; ++i) {
    GraphNode* const before = FindNode(from[i]);
    GraphNode* const after = FindNode(to[i]);
    if (before == nullptr || after == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult result = AddDependency(before, after); result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

CUresult GraphAddDependencies_v2(CUgraph hGraph, const CUgraphNode* from, const CUgraphNode* to, const CUgraphEdgeData*,
                                 size_t numDependencies) {
  return GraphAddDependencies(hGraph, from, to, numDependencies);
}

CUresult GraphRemoveDependencies(CUgraph hGraph, const CUgraphNode* from, const CUgraphNode* to,
                                 size_t numDependencies) {
  if (FindGraph(hGraph) == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < numDependencies; ++i) {
    GraphNode* const before = FindNode(from[i]);
    GraphNode* const after = FindNode(to[i]);
    if (before == nullptr || after == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult result = RemoveDependency(before, after); result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

CUresult GraphRemoveDependencies_v2(CUgraph hGraph, const CUgraphNode* from, const CUgraphNode* to,
                                    const CUgraphEdgeData*, size_t numDependencies) {
  return GraphRemoveDependencies(hGraph, from, to, numDependencies);
}

CUresult GraphInstantiateWithFlags(CUgraphExec* phGraphExec, CUgraph hGraph, unsigned long long flags) {
  return InstantiateInto(phGraphExec, hGraph, flags);
}

CUresult GraphInstantiate(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode, char* logBuffer,
                          size_t bufferSize) {
  if (phErrorNode != nullptr) *phErrorNode = nullptr;
  if (logBuffer != nullptr && bufferSize != 0) *logBuffer = '\0';
  return InstantiateInto(phGraphExec, hGraph, 0);
}

CUresult GraphInstantiate_v2(CUgraphExec* phGraphExec, CUgraph hGraph, CUgraphNode* phErrorNode, char* logBuffer,
                             size_t bufferSize) {
  return GraphInstantiate(phGraphExec, hGraph, phErrorNode, logBuffer, bufferSize);
}

CUresult GraphInstantiateWithParams(CUgraphExec* phGraphExec, CUgraph hGraph,
                                    CUDA_GRAPH_INSTANTIATE_PARAMS* instantiateParams) {
  if (instantiateParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  instantiateParams->hErrNode_out = nullptr;
  const CUresult result = InstantiateInto(phGraphExec, hGraph, instantiateParams->flags);
  instantiateParams->result_out =
      result == CUDA_SUCCESS ? CUDA_GRAPH_INSTANTIATE_SUCCESS : CUDA_GRAPH_INSTANTIATE_ERROR;
  return result;
}

CUresult GraphExecGetFlags(CUgraphExec hGraphExec, cuuint64_t* flags) {
  const GraphExec* const exec = FindGraphExec(hGraphExec);
  if (exec == nullptr || flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *flags = exec->flags;
  return CUDA_SUCCESS;
}

CUresult GraphExecDestroy(CUgraphExec hGraphExec) {
  GraphExec* const exec = FindGraphExec(hGraphExec);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  DestroyGraphExec(exec);
  return CUDA_SUCCESS;
}

CUresult GraphUpload(CUgraphExec hGraphExec, CUstream hStream) {
  CUresult error = CUDA_SUCCESS;
  if (ResolveStream(hStream, &error) == nullptr) return error;
  return FindGraphExec(hGraphExec) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult GraphLaunch(CUgraphExec hGraphExec, CUstream hStream) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(hStream, &error);
  if (stream == nullptr) return error;
  GraphExec* const exec = FindGraphExec(hGraphExec);
  if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture: {
      // Inside a capture the launched graph becomes a child.
      ChildNode child;
      child.graph = CloneGraph(exec->graph);
      child.graph->owned = true;
      return CaptureNode(stream, child);
    }
    case CaptureDecision::kSubmit:
      break;
  }
  return LaunchGraph(exec, stream);
}

CUresult GraphExecUpdate_v2(CUgraphExec hGraphExec, CUgraph hGraph, CUgraphExecUpdateResultInfo* resultInfo) {
  GraphExec* const exec = FindGraphExec(hGraphExec);
  Graph* const graph = FindGraph(hGraph);
  if (exec == nullptr || graph == nullptr || resultInfo == nullptr) return CUDA_ERROR_INVALID_VALUE;
  GraphNode* error_node = nullptr;
  *resultInfo = {};
  resultInfo->result = Update(exec, graph, &error_node);
  resultInfo->errorNode = HandleOf(error_node);
  return resultInfo->result == CU_GRAPH_EXEC_UPDATE_SUCCESS ? CUDA_SUCCESS : CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
}

CUresult GraphExecUpdate(CUgraphExec hGraphExec, CUgraph hGraph, CUgraphNode* hErrorNode_out,
                         CUgraphExecUpdateResult* updateResult_out) {
  CUgraphExecUpdateResultInfo info = {};
  const CUresult result = GraphExecUpdate_v2(hGraphExec, hGraph, &info);
  if (hErrorNode_out != nullptr) *hErrorNode_out = info.errorNode;
  if (updateResult_out != nullptr) *updateResult_out = info.result;
  return result;
}

CUresult GraphDebugDotPrint(CUgraph hGraph, const char* path, unsigned int) {
  const Graph* const graph = FindGraph(hGraph);
  std::FILE* const file = graph != nullptr && path != nullptr ? std::fopen(path, "w") : nullptr;
  if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::fprintf(file, "digraph graph_%u {\n", graph->id);
  for (const GraphNode* const node : graph->nodes) {
    std::fprintf(file, "  n%llu [label=\"type %d\"];\n", static_cast<unsigned long long>(node->id),
                 TypeOf(node->payload));
    for (const GraphNode* const after : node->dependents) {
      std::fprintf(file, "  n%llu -> n%llu;\n", static_cast<unsigned long long>(node->id),
                   static_cast<unsigned long long>(after->id));
    }
  }
  std::fprintf(file, "}\n");
  std::fclose(file);
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
