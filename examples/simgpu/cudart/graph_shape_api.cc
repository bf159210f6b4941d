// SPDX-License-Identifier: Apache-2.0
// How the nodes of a graph depend on each other. Edges of the simulated GPU carry no data.
#include <cuda_runtime_api.h>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {

cudaError_t GraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t* pDependencies, cudaGraphEdgeData*,
                                     size_t* pNumDependencies) {
  return Result(SIMGPU_DRIVER(cuGraphNodeGetDependencies_v2)(node, pDependencies, nullptr, pNumDependencies));
}

cudaError_t GraphNodeGetDependentNodes(cudaGraphNode_t node, cudaGraphNode_t* pDependentNodes, cudaGraphEdgeData*,
                                       size_t* pNumDependentNodes) {
  return Result(SIMGPU_DRIVER(cuGraphNodeGetDependentNodes_v2)(node, pDependentNodes, nullptr, pNumDependentNodes));
}

cudaError_t GraphRemoveDependencies(cudaGraph_t graph, const cudaGraphNode_t* from, const cudaGraphNode_t* to,
                                    const cudaGraphEdgeData*, size_t numDependencies) {
  return Result(SIMGPU_DRIVER(cuGraphRemoveDependencies_v2)(graph, from, to, nullptr, numDependencies));
}

cudaError_t GraphExecGetFlags(cudaGraphExec_t graphExec, unsigned long long* flags) {
  cuuint64_t driver_flags = 0;
  const CUresult result = SIMGPU_DRIVER(cuGraphExecGetFlags)(graphExec, &driver_flags);
  if (flags != nullptr) *flags = driver_flags;
  return Result(result);
}

cudaError_t StreamUpdateCaptureDependencies(cudaStream_t stream, cudaGraphNode_t* dependencies,
                                            const cudaGraphEdgeData*, size_t numDependencies, unsigned int flags) {
  return Result(
      SIMGPU_DRIVER_PTSZ(cuStreamUpdateCaptureDependencies_v2)(stream, dependencies, nullptr, numDependencies, flags));
}

cudaError_t GraphKernelNodeCopyAttributes(cudaGraphNode_t hDst, cudaGraphNode_t hSrc) {
  return Result(SIMGPU_DRIVER(cuGraphKernelNodeCopyAttributes)(hDst, hSrc));
}

}  // namespace simgpu::runtime::api
