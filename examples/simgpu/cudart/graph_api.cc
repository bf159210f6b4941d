// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/registration.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {
namespace {

CUdeviceptr Address(const void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

cudaError_t KernelParams(const cudaKernelNodeParams* params, CUDA_KERNEL_NODE_PARAMS* driver_params) {
  if (params == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  CUkernel kernel = nullptr;
  if (const cudaError_t error = FindKernel(params->func, &kernel); error != cudaSuccess) return error;
  *driver_params = {};
  driver_params->func = reinterpret_cast<CUfunction>(kernel);
  driver_params->gridDimX = params->gridDim.x;
  driver_params->gridDimY = params->gridDim.y;
  driver_params->gridDimZ = params->gridDim.z;
  driver_params->blockDimX = params->blockDim.x;
  driver_params->blockDimY = params->blockDim.y;
  driver_params->blockDimZ = params->blockDim.z;
  driver_params->sharedMemBytes = params->sharedMemBytes;
  driver_params->kernelParams = params->kernelParams;
  driver_params->extra = params->extra;
  return cudaSuccess;
}

CUDA_MEMCPY3D LinearCopy(void* dst, const void* src, size_t count) {
  CUDA_MEMCPY3D copy = {};
  copy.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.srcDevice = Address(src);
  copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
  copy.dstDevice = Address(dst);
  copy.WidthInBytes = count;
  copy.Height = 1;
  copy.Depth = 1;
  return copy;
}

CUDA_MEMSET_NODE_PARAMS MemsetParams(const cudaMemsetParams& params) {
  return {Address(params.dst), params.pitch, params.value, params.elementSize, params.width, params.height};
}

}  // namespace

cudaError_t GraphCreate(cudaGraph_t* pGraph, unsigned int flags) {
  return Result(SIMGPU_DRIVER(cuGraphCreate)(pGraph, flags));
}

cudaError_t GraphDestroy(cudaGraph_t graph) { return Result(SIMGPU_DRIVER(cuGraphDestroy)(graph)); }

cudaError_t GraphClone(cudaGraph_t* pGraphClone, cudaGraph_t originalGraph) {
  return Result(SIMGPU_DRIVER(cuGraphClone)(pGraphClone, originalGraph));
}

cudaError_t GraphInstantiateWithFlags(cudaGraphExec_t* pGraphExec, cudaGraph_t graph, unsigned long long flags) {
  return Result(SIMGPU_DRIVER(cuGraphInstantiateWithFlags)(pGraphExec, graph, flags));
}

cudaError_t GraphInstantiate(cudaGraphExec_t* pGraphExec, cudaGraph_t graph, unsigned long long flags) {
  return GraphInstantiateWithFlags(pGraphExec, graph, flags);
}

cudaError_t GraphInstantiateWithParams(cudaGraphExec_t* pGraphExec, cudaGraph_t graph,
                                       cudaGraphInstantiateParams* instantiateParams) {
  static_assert(sizeof(cudaGraphInstantiateParams) == sizeof(CUDA_GRAPH_INSTANTIATE_PARAMS));
  auto* const params = reinterpret_cast<CUDA_GRAPH_INSTANTIATE_PARAMS*>(instantiateParams);
  return Result(SIMGPU_DRIVER_PTSZ(cuGraphInstantiateWithParams)(pGraphExec, graph, params));
}

cudaError_t GraphLaunch(cudaGraphExec_t graphExec, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuGraphLaunch)(graphExec, stream));
}

cudaError_t GraphUpload(cudaGraphExec_t graphExec, cudaStream_t stream) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuGraphUpload)(graphExec, stream));
}

cudaError_t GraphExecDestroy(cudaGraphExec_t graphExec) { return Result(SIMGPU_DRIVER(cuGraphExecDestroy)(graphExec)); }

cudaError_t GraphExecUpdate(cudaGraphExec_t hGraphExec, cudaGraph_t hGraph, cudaGraphExecUpdateResultInfo* resultInfo) {
  static_assert(sizeof(cudaGraphExecUpdateResultInfo) == sizeof(CUgraphExecUpdateResultInfo));
  auto* const info = reinterpret_cast<CUgraphExecUpdateResultInfo*>(resultInfo);
  return Result(SIMGPU_DRIVER(cuGraphExecUpdate_v2)(hGraphExec, hGraph, info));
}

cudaError_t GraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* numNodes) {
  return Result(SIMGPU_DRIVER(cuGraphGetNodes)(graph, nodes, numNodes));
}

cudaError_t GraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t* pRootNodes, size_t* pNumRootNodes) {
  return Result(SIMGPU_DRIVER(cuGraphGetRootNodes)(graph, pRootNodes, pNumRootNodes));
}

cudaError_t GraphGetEdges(cudaGraph_t graph, cudaGraphNode_t* from, cudaGraphNode_t* to, cudaGraphEdgeData*,
                          size_t* numEdges) {
  return Result(SIMGPU_DRIVER(cuGraphGetEdges)(graph, from, to, numEdges));
}

cudaError_t GraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* pType) {
  CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
  const CUresult result = SIMGPU_DRIVER(cuGraphNodeGetType)(node, &type);
  if (pType != nullptr) *pType = static_cast<cudaGraphNodeType>(type);
  return Result(result);
}

cudaError_t GraphNodeFindInClone(cudaGraphNode_t* pNode, cudaGraphNode_t originalNode, cudaGraph_t clonedGraph) {
  return Result(SIMGPU_DRIVER(cuGraphNodeFindInClone)(pNode, originalNode, clonedGraph));
}

cudaError_t GraphDestroyNode(cudaGraphNode_t node) { return Result(SIMGPU_DRIVER(cuGraphDestroyNode)(node)); }

cudaError_t GraphAddDependencies(cudaGraph_t graph, const cudaGraphNode_t* from, const cudaGraphNode_t* to,
                                 const cudaGraphEdgeData*, size_t numDependencies) {
  return Result(SIMGPU_DRIVER(cuGraphAddDependencies)(graph, from, to, numDependencies));
}

cudaError_t GraphAddEmptyNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                              size_t numDependencies) {
  return Result(SIMGPU_DRIVER(cuGraphAddEmptyNode)(pGraphNode, graph, pDependencies, numDependencies));
}

cudaError_t GraphAddKernelNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                               size_t numDependencies, const cudaKernelNodeParams* pNodeParams) {
  CUDA_KERNEL_NODE_PARAMS params;
  if (const cudaError_t error = KernelParams(pNodeParams, &params); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuGraphAddKernelNode_v2)(pGraphNode, graph, pDependencies, numDependencies, &params));
}

cudaError_t GraphKernelNodeSetParams(cudaGraphNode_t node, const cudaKernelNodeParams* pNodeParams) {
  CUDA_KERNEL_NODE_PARAMS params;
  if (const cudaError_t error = KernelParams(pNodeParams, &params); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuGraphKernelNodeSetParams_v2)(node, &params));
}

cudaError_t GraphExecKernelNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                         const cudaKernelNodeParams* pNodeParams) {
  CUDA_KERNEL_NODE_PARAMS params;
  if (const cudaError_t error = KernelParams(pNodeParams, &params); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuGraphExecKernelNodeSetParams_v2)(hGraphExec, node, &params));
}

cudaError_t GraphAddMemcpyNode1D(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                                 size_t numDependencies, void* dst, const void* src, size_t count, cudaMemcpyKind) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const CUDA_MEMCPY3D copy = LinearCopy(dst, src, count);
  return Result(SIMGPU_DRIVER(cuGraphAddMemcpyNode)(pGraphNode, graph, pDependencies, numDependencies, &copy, nullptr));
}

cudaError_t GraphExecMemcpyNodeSetParams1D(cudaGraphExec_t hGraphExec, cudaGraphNode_t node, void* dst, const void* src,
                                           size_t count, cudaMemcpyKind) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const CUDA_MEMCPY3D copy = LinearCopy(dst, src, count);
  return Result(SIMGPU_DRIVER(cuGraphExecMemcpyNodeSetParams)(hGraphExec, node, &copy, nullptr));
}

cudaError_t GraphAddMemsetNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                               size_t numDependencies, const cudaMemsetParams* pMemsetParams) {
  if (pMemsetParams == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const CUDA_MEMSET_NODE_PARAMS params = MemsetParams(*pMemsetParams);
  return Result(
      SIMGPU_DRIVER(cuGraphAddMemsetNode)(pGraphNode, graph, pDependencies, numDependencies, &params, nullptr));
}

cudaError_t GraphExecMemsetNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
                                         const cudaMemsetParams* pNodeParams) {
  if (pNodeParams == nullptr) return Fail(cudaErrorInvalidValue);
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  const CUDA_MEMSET_NODE_PARAMS params = MemsetParams(*pNodeParams);
  return Result(SIMGPU_DRIVER(cuGraphExecMemsetNodeSetParams)(hGraphExec, node, &params, nullptr));
}

cudaError_t GraphAddHostNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                             size_t numDependencies, const cudaHostNodeParams* pNodeParams) {
  if (pNodeParams == nullptr) return Fail(cudaErrorInvalidValue);
  const CUDA_HOST_NODE_PARAMS params = {pNodeParams->fn, pNodeParams->userData};
  return Result(SIMGPU_DRIVER(cuGraphAddHostNode)(pGraphNode, graph, pDependencies, numDependencies, &params));
}

cudaError_t GraphHostNodeGetParams(cudaGraphNode_t node, cudaHostNodeParams* pNodeParams) {
  if (pNodeParams == nullptr) return Fail(cudaErrorInvalidValue);
  CUDA_HOST_NODE_PARAMS params = {};
  const CUresult result = SIMGPU_DRIVER(cuGraphHostNodeGetParams)(node, &params);
  *pNodeParams = {params.fn, params.userData};
  return Result(result);
}

cudaError_t GraphAddChildGraphNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                                   size_t numDependencies, cudaGraph_t childGraph) {
  return Result(SIMGPU_DRIVER(cuGraphAddChildGraphNode)(pGraphNode, graph, pDependencies, numDependencies, childGraph));
}

cudaError_t GraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t* pGraph) {
  return Result(SIMGPU_DRIVER(cuGraphChildGraphNodeGetGraph)(node, pGraph));
}

cudaError_t GraphAddEventRecordNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph,
                                    const cudaGraphNode_t* pDependencies, size_t numDependencies, cudaEvent_t event) {
  return Result(SIMGPU_DRIVER(cuGraphAddEventRecordNode)(pGraphNode, graph, pDependencies, numDependencies, event));
}

cudaError_t GraphAddEventWaitNode(cudaGraphNode_t* pGraphNode, cudaGraph_t graph, const cudaGraphNode_t* pDependencies,
                                  size_t numDependencies, cudaEvent_t event) {
  return Result(SIMGPU_DRIVER(cuGraphAddEventWaitNode)(pGraphNode, graph, pDependencies, numDependencies, event));
}

cudaError_t GraphNodeSetEnabled(cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode, unsigned int isEnabled) {
  return Result(SIMGPU_DRIVER(cuGraphNodeSetEnabled)(hGraphExec, hNode, isEnabled));
}

cudaError_t GraphNodeGetEnabled(cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode, unsigned int* isEnabled) {
  return Result(SIMGPU_DRIVER(cuGraphNodeGetEnabled)(hGraphExec, hNode, isEnabled));
}

cudaError_t GraphDebugDotPrint(cudaGraph_t graph, const char* path, unsigned int flags) {
  return Result(SIMGPU_DRIVER(cuGraphDebugDotPrint)(graph, path, flags));
}

}  // namespace simgpu::runtime::api
