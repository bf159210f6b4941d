// SPDX-License-Identifier: Apache-2.0
// Nodes of graphs: adding, asking, changing them.
#include "bodies.h"
#include "driver/context.h"
#include "driver/event.h"
#include "driver/graph.h"
#include "driver/node_payload.h"

namespace simgpu::driver::api {
namespace {

CUresult Add(CUgraphNode* out, CUgraph hGraph, const CUgraphNode* dependencies, size_t count, NodePayload payload) {
  Graph* const graph = FindGraph(hGraph);
  if (graph == nullptr || out == nullptr || (count != 0 && dependencies == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  std::vector<GraphNode*> before;
  for (size_t i = 0; i < count; ++i) {
    GraphNode* const node = FindNode(dependencies[i]);
    if (node == nullptr || node->graph != graph) return CUDA_ERROR_INVALID_VALUE;
    before.push_back(node);
  }
  *out = HandleOf(AddNode(graph, before, std::move(payload)));
  return CUDA_SUCCESS;
}

// The payload of a node that must be of type `Payload`; null otherwise.
template <class Payload>
Payload* Get(CUgraphNode handle) {
  GraphNode* const node = FindNode(handle);
  return node != nullptr ? std::get_if<Payload>(&node->payload) : nullptr;
}

template <class Payload, class Params>
CUresult GetParams(CUgraphNode handle, Params Payload::*member, Params* out) {
  const Payload* const payload = Get<Payload>(handle);
  if (payload == nullptr || out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *out = payload->*member;
  return CUDA_SUCCESS;
}

// The first form of the parameters lacks what the second has at its end.
CUDA_KERNEL_NODE_PARAMS_v2 Widen(const CUDA_KERNEL_NODE_PARAMS_v1& params) {
  CUDA_KERNEL_NODE_PARAMS_v2 wide = {};
  wide.func = params.func;
  wide.gridDimX = params.gridDimX;
  wide.gridDimY = params.gridDimY;
  wide.gridDimZ = params.gridDimZ;
  wide.blockDimX = params.blockDimX;
  wide.blockDimY = params.blockDimY;
  wide.blockDimZ = params.blockDimZ;
  wide.sharedMemBytes = params.sharedMemBytes;
  wide.kernelParams = params.kernelParams;
  wide.extra = params.extra;
  return wide;
}

}  // namespace

CUresult GraphAddKernelNode_v2(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                               size_t numDependencies, const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  KernelNode node;
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeKernelNode(*nodeParams, &node); result != CUDA_SUCCESS) return result;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, std::move(node));
}

CUresult GraphAddKernelNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                            size_t numDependencies, const CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_KERNEL_NODE_PARAMS_v2 wide = Widen(*nodeParams);
  return GraphAddKernelNode_v2(phGraphNode, hGraph, dependencies, numDependencies, &wide);
}

CUresult GraphAddMemcpyNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                            size_t numDependencies, const CUDA_MEMCPY3D* copyParams, CUcontext ctx) {
  CopyNode node;
  if (copyParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeCopyNode(*copyParams, ctx, &node); result != CUDA_SUCCESS) return result;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, node);
}

CUresult GraphAddMemsetNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                            size_t numDependencies, const CUDA_MEMSET_NODE_PARAMS* memsetParams, CUcontext ctx) {
  MemsetNode node;
  if (memsetParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeMemsetNode(*memsetParams, ctx, &node); result != CUDA_SUCCESS) return result;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, node);
}

CUresult GraphAddHostNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                          size_t numDependencies, const CUDA_HOST_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr || nodeParams->fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, HostNode{*nodeParams});
}

CUresult GraphAddEmptyNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                           size_t numDependencies) {
  return Add(phGraphNode, hGraph, dependencies, numDependencies, EmptyNode{});
}

CUresult GraphAddChildGraphNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                                size_t numDependencies, CUgraph childGraph) {
  CUgraphNodeParams params = {};
  params.type = CU_GRAPH_NODE_TYPE_GRAPH;
  params.graph.graph = childGraph;
  return GraphAddNode_v2(phGraphNode, hGraph, dependencies, nullptr, numDependencies, &params);
}

CUresult GraphAddEventRecordNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                                 size_t numDependencies, CUevent event) {
  Event* const found = FindEvent(event);
  if (found == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, EventRecordNode{found});
}

CUresult GraphAddEventWaitNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                               size_t numDependencies, CUevent event) {
  Event* const found = FindEvent(event);
  if (found == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, EventWaitNode{found});
}

CUresult GraphAddMemAllocNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                              size_t numDependencies, CUDA_MEM_ALLOC_NODE_PARAMS* nodeParams) {
  AllocNode node;
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeAllocNode(*nodeParams, &node); result != CUDA_SUCCESS) return result;
  nodeParams->dptr = node.params.dptr;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, std::move(node));
}

CUresult GraphAddMemFreeNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                             size_t numDependencies, CUdeviceptr dptr) {
  return Add(phGraphNode, hGraph, dependencies, numDependencies, FreeNode{dptr});
}

CUresult GraphAddNode_v2(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies,
                         const CUgraphEdgeData*, size_t numDependencies, CUgraphNodeParams* nodeParams) {
  NodePayload payload;
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeNode(nodeParams, &payload); result != CUDA_SUCCESS) return result;
  return Add(phGraphNode, hGraph, dependencies, numDependencies, std::move(payload));
}

CUresult GraphAddNode(CUgraphNode* phGraphNode, CUgraph hGraph, const CUgraphNode* dependencies, size_t numDependencies,
                      CUgraphNodeParams* nodeParams) {
  return GraphAddNode_v2(phGraphNode, hGraph, dependencies, nullptr, numDependencies, nodeParams);
}

CUresult GraphDestroyNode(CUgraphNode hNode) {
  GraphNode* const node = FindNode(hNode);
  if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
  DestroyNode(node);
  return CUDA_SUCCESS;
}

CUresult GraphNodeGetType(CUgraphNode hNode, CUgraphNodeType* type) {
  const GraphNode* const node = FindNode(hNode);
  if (node == nullptr || type == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *type = TypeOf(node->payload);
  return CUDA_SUCCESS;
}

CUresult GraphNodeSetParams(CUgraphNode hNode, CUgraphNodeParams* nodeParams) {
  GraphNode* const node = FindNode(hNode);
  if (node == nullptr || nodeParams == nullptr || TypeOf(node->payload) != nodeParams->type)
    return CUDA_ERROR_INVALID_VALUE;
  return MakeNode(nodeParams, &node->payload);
}

CUresult GraphKernelNodeGetParams_v2(CUgraphNode hNode, CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  return GetParams(hNode, &KernelNode::params, nodeParams);
}

CUresult GraphKernelNodeGetParams(CUgraphNode hNode, CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  const KernelNode* const node = Get<KernelNode>(hNode);
  if (node == nullptr || nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_KERNEL_NODE_PARAMS_v2& wide = node->params;
  *nodeParams = {wide.func,      wide.gridDimX,  wide.gridDimY,       wide.gridDimZ,     wide.blockDimX,
                 wide.blockDimY, wide.blockDimZ, wide.sharedMemBytes, wide.kernelParams, wide.extra};
  return CUDA_SUCCESS;
}

CUresult GraphKernelNodeSetParams_v2(CUgraphNode hNode, const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  KernelNode* const node = Get<KernelNode>(hNode);
  return node != nullptr && nodeParams != nullptr ? MakeKernelNode(*nodeParams, node) : CUDA_ERROR_INVALID_VALUE;
}

CUresult GraphKernelNodeSetParams(CUgraphNode hNode, const CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_KERNEL_NODE_PARAMS_v2 wide = Widen(*nodeParams);
  return GraphKernelNodeSetParams_v2(hNode, &wide);
}

CUresult GraphKernelNodeGetAttribute(CUgraphNode hNode, CUkernelNodeAttrID attr, CUkernelNodeAttrValue* value_out) {
  const KernelNode* const node = Get<KernelNode>(hNode);
  if (node == nullptr || value_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto found = node->attributes.find(attr);
  *value_out = found != node->attributes.end() ? found->second : CUkernelNodeAttrValue{};
  return CUDA_SUCCESS;
}

CUresult GraphKernelNodeSetAttribute(CUgraphNode hNode, CUkernelNodeAttrID attr, const CUkernelNodeAttrValue* value) {
  KernelNode* const node = Get<KernelNode>(hNode);
  if (node == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  node->attributes[attr] = *value;
  if (attr == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) node->cooperative = value->cooperative != 0;
  if (attr == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
    node->cluster[0] = value->clusterDim.x;
    node->cluster[1] = value->clusterDim.y;
    node->cluster[2] = value->clusterDim.z;
  }
  return CUDA_SUCCESS;
}

CUresult GraphKernelNodeCopyAttributes(CUgraphNode dst, CUgraphNode src) {
  KernelNode* const to = Get<KernelNode>(dst);
  const KernelNode* const from = Get<KernelNode>(src);
  if (to == nullptr || from == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (const auto& [attribute, value] : from->attributes) {
    GraphKernelNodeSetAttribute(dst, static_cast<CUkernelNodeAttrID>(attribute), &value);
  }
  return CUDA_SUCCESS;
}

CUresult GraphMemcpyNodeGetParams(CUgraphNode hNode, CUDA_MEMCPY3D* nodeParams) {
  return GetParams(hNode, &CopyNode::params, nodeParams);
}

CUresult GraphMemcpyNodeSetParams(CUgraphNode hNode, const CUDA_MEMCPY3D* nodeParams) {
  CopyNode* const node = Get<CopyNode>(hNode);
  if (node == nullptr || nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return MakeCopyNode(*nodeParams, HandleOf(node->context), node);
}

CUresult GraphMemsetNodeGetParams(CUgraphNode hNode, CUDA_MEMSET_NODE_PARAMS* nodeParams) {
  return GetParams(hNode, &MemsetNode::params, nodeParams);
}

CUresult GraphMemsetNodeSetParams(CUgraphNode hNode, const CUDA_MEMSET_NODE_PARAMS* nodeParams) {
  MemsetNode* const node = Get<MemsetNode>(hNode);
  if (node == nullptr || nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return MakeMemsetNode(*nodeParams, HandleOf(node->context), node);
}

CUresult GraphHostNodeGetParams(CUgraphNode hNode, CUDA_HOST_NODE_PARAMS* nodeParams) {
  return GetParams(hNode, &HostNode::params, nodeParams);
}

CUresult GraphHostNodeSetParams(CUgraphNode hNode, const CUDA_HOST_NODE_PARAMS* nodeParams) {
  HostNode* const node = Get<HostNode>(hNode);
  if (node == nullptr || nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  node->params = *nodeParams;
  return CUDA_SUCCESS;
}

CUresult GraphChildGraphNodeGetGraph(CUgraphNode hNode, CUgraph* phGraph) {
  const ChildNode* const node = Get<ChildNode>(hNode);
  if (node == nullptr || phGraph == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *phGraph = HandleOf(node->graph);
  return CUDA_SUCCESS;
}

CUresult GraphEventRecordNodeGetEvent(CUgraphNode hNode, CUevent* event_out) {
  const EventRecordNode* const node = Get<EventRecordNode>(hNode);
  if (node == nullptr || event_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *event_out = HandleOf(node->event);
  return CUDA_SUCCESS;
}

CUresult GraphEventWaitNodeGetEvent(CUgraphNode hNode, CUevent* event_out) {
  const EventWaitNode* const node = Get<EventWaitNode>(hNode);
  if (node == nullptr || event_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *event_out = HandleOf(node->event);
  return CUDA_SUCCESS;
}

CUresult GraphMemAllocNodeGetParams(CUgraphNode hNode, CUDA_MEM_ALLOC_NODE_PARAMS* params_out) {
  return GetParams(hNode, &AllocNode::params, params_out);
}

CUresult GraphMemFreeNodeGetParams(CUgraphNode hNode, CUdeviceptr* dptr_out) {
  return GetParams(hNode, &FreeNode::address, dptr_out);
}

}  // namespace simgpu::driver::api
