// SPDX-License-Identifier: Apache-2.0
// Changing single nodes of an executable graph. They are named by the node of the graph it was made from.
#include "bodies.h"
#include "driver/context.h"
#include "driver/graph_exec.h"
#include "driver/node_payload.h"
#include "driver/process.h"

namespace simgpu::driver::api {
namespace {

struct ExecNode {
  GraphExec* exec = nullptr;
  GraphNode* node = nullptr;
};

bool Find(CUgraphExec exec, CUgraphNode node, ExecNode* found) {
  found->exec = FindGraphExec(exec);
  const GraphNode* const original = FindNode(node);
  if (found->exec == nullptr || original == nullptr) return false;
  found->node = NodeInClone(original, *found->exec->graph);
  return found->node != nullptr;
}

CUresult Replace(const ExecNode& target, NodePayload payload) {
  if (payload.index() != target.node->payload.index()) return CUDA_ERROR_INVALID_VALUE;
  const NodePayload before = target.node->payload;
  target.node->payload = std::move(payload);
  if (const CUresult result = Recompile(target.exec); result != CUDA_SUCCESS) {
    target.node->payload = before;
    return result;
  }
  if (Tool* const tool = AttachedTool()) {
    CUpti_GraphData data = {};
    data.graph = HandleOf(target.exec->graph);
    data.graphExec = HandleOf(target.exec);
    data.node = HandleOf(target.node);
    data.originalNode = HandleOf(target.node->original);
    data.nodeType = TypeOf(target.node->payload);
    tool->Resource(CUPTI_CBID_RESOURCE_GRAPH_NODE_SET_PARAMS, HandleOf(CurrentContext()), nullptr, &data);
  }
  return CUDA_SUCCESS;
}

}  // namespace

CUresult GraphExecKernelNodeSetParams_v2(CUgraphExec hGraphExec, CUgraphNode hNode,
                                         const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  ExecNode target;
  KernelNode payload;
  if (nodeParams == nullptr || !Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeKernelNode(*nodeParams, &payload); result != CUDA_SUCCESS) return result;
  return Replace(target, std::move(payload));
}

CUresult GraphExecKernelNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
                                      const CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_KERNEL_NODE_PARAMS_v2 wide = {};
  wide.func = nodeParams->func;
  wide.gridDimX = nodeParams->gridDimX;
  wide.gridDimY = nodeParams->gridDimY;
  wide.gridDimZ = nodeParams->gridDimZ;
  wide.blockDimX = nodeParams->blockDimX;
  wide.blockDimY = nodeParams->blockDimY;
  wide.blockDimZ = nodeParams->blockDimZ;
  wide.sharedMemBytes = nodeParams->sharedMemBytes;
  wide.kernelParams = nodeParams->kernelParams;
  return GraphExecKernelNodeSetParams_v2(hGraphExec, hNode, &wide);
}

CUresult GraphExecMemcpyNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const CUDA_MEMCPY3D* copyParams,
                                      CUcontext ctx) {
  ExecNode target;
  CopyNode payload;
  if (copyParams == nullptr || !Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeCopyNode(*copyParams, ctx, &payload); result != CUDA_SUCCESS) return result;
  return Replace(target, payload);
}

CUresult GraphExecMemsetNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
                                      const CUDA_MEMSET_NODE_PARAMS* memsetParams, CUcontext ctx) {
  ExecNode target;
  MemsetNode payload;
  if (memsetParams == nullptr || !Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeMemsetNode(*memsetParams, ctx, &payload); result != CUDA_SUCCESS) return result;
  return Replace(target, payload);
}

CUresult GraphExecHostNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
                                    const CUDA_HOST_NODE_PARAMS* nodeParams) {
  ExecNode target;
  if (nodeParams == nullptr || !Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  return Replace(target, HostNode{*nodeParams});
}

CUresult GraphExecNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, CUgraphNodeParams* nodeParams) {
  ExecNode target;
  NodePayload payload;
  if (nodeParams == nullptr || !Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = MakeNode(nodeParams, &payload); result != CUDA_SUCCESS) return result;
  return Replace(target, std::move(payload));
}

CUresult GraphNodeSetEnabled(CUgraphExec hGraphExec, CUgraphNode hNode, unsigned int isEnabled) {
  ExecNode target;
  if (!Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  const CUgraphNodeType type = TypeOf(target.node->payload);
  const bool can_be_disabled =
      type == CU_GRAPH_NODE_TYPE_KERNEL || type == CU_GRAPH_NODE_TYPE_MEMSET || type == CU_GRAPH_NODE_TYPE_MEMCPY;
  if (!can_be_disabled) return CUDA_ERROR_INVALID_VALUE;
  target.node->enabled = isEnabled != 0;
  return Recompile(target.exec);
}

CUresult GraphNodeGetEnabled(CUgraphExec hGraphExec, CUgraphNode hNode, unsigned int* isEnabled) {
  ExecNode target;
  if (isEnabled == nullptr || !Find(hGraphExec, hNode, &target)) return CUDA_ERROR_INVALID_VALUE;
  *isEnabled = target.node->enabled ? 1 : 0;
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
