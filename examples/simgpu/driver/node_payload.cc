// SPDX-License-Identifier: Apache-2.0
#include "driver/node_payload.h"

#include "driver/context.h"
#include "driver/copy.h"
#include "driver/event.h"
#include "driver/launch.h"
#include "driver/memory.h"
#include "driver/process.h"

namespace simgpu::driver {
namespace {

Context* ContextFor(CUcontext handle) { return handle != nullptr ? FindContext(handle) : CurrentContext(); }

template <class Node>
CUresult Keep(CUresult result, Node node, NodePayload* payload) {
  if (result == CUDA_SUCCESS) *payload = std::move(node);
  return result;
}

CUDA_KERNEL_NODE_PARAMS_v2 Narrow(const CUDA_KERNEL_NODE_PARAMS_v3& params) {
  CUDA_KERNEL_NODE_PARAMS_v2 narrow = {};
  narrow.func = params.func;
  narrow.gridDimX = params.gridDimX;
  narrow.gridDimY = params.gridDimY;
  narrow.gridDimZ = params.gridDimZ;
  narrow.blockDimX = params.blockDimX;
  narrow.blockDimY = params.blockDimY;
  narrow.blockDimZ = params.blockDimZ;
  narrow.sharedMemBytes = params.sharedMemBytes;
  narrow.kernelParams = params.kernelParams;
  narrow.extra = params.extra;
  narrow.kern = params.kern;
  narrow.ctx = params.ctx;
  return narrow;
}

CUDA_MEMSET_NODE_PARAMS Narrow(const CUDA_MEMSET_NODE_PARAMS_v2& params) {
  return {params.dst, params.pitch, params.value, params.elementSize, params.width, params.height};
}

}  // namespace

CUresult MakeKernelNode(const CUDA_KERNEL_NODE_PARAMS_v2& params, KernelNode* node) {
  Function* const function =
      FindFunction(params.func != nullptr ? static_cast<void*>(params.func) : static_cast<void*>(params.kern));
  if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Context* const context =
      params.ctx == nullptr && function->module != nullptr ? function->module->context : ContextFor(params.ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  KernelWork unused;
  const LaunchRequest request = RequestOf(params);
  if (const CUresult result = PlanLaunch(*function, *context->device, request, &unused); result != CUDA_SUCCESS)
    return result;
  node->params = NodeParams(function, context, request);
  node->arguments = CopyArguments(*function, params.kernelParams);
  node->params.kernelParams = node->arguments != nullptr ? node->arguments->pointers.data() : nullptr;
  node->params.extra = nullptr;  // points into the program's stack as well, and nothing here reads it
  return CUDA_SUCCESS;
}

CUresult MakeCopyNode(const CUDA_MEMCPY3D& params, CUcontext ctx, CopyNode* node) {
  Context* const context = ContextFor(ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  CopyPlan plan;
  CopyWork facts;
  if (params.WidthInBytes == 0 || params.Height == 0 || params.Depth == 0) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult result = PlanCopy(params, *context, {}, &plan, &facts); result != CUDA_SUCCESS) return result;
  *node = {params, context};
  return CUDA_SUCCESS;
}

CUresult MakeMemsetNode(const CUDA_MEMSET_NODE_PARAMS& params, CUcontext ctx, MemsetNode* node) {
  Context* const context = ContextFor(ctx);
  if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  MemsetPlan plan;
  if (const CUresult result = PlanMemset(params, &plan); result != CUDA_SUCCESS) return result;
  *node = {params, context};
  return CUDA_SUCCESS;
}

CUresult MakeAllocNode(const CUDA_MEM_ALLOC_NODE_PARAMS& params, AllocNode* node) {
  Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  node->params = params;
  const CUresult result = AllocateDevice(context, params.bytesize, AllocationKind::kDevice, &node->params.dptr);
  if (result == CUDA_SUCCESS) node->memory = std::make_shared<GraphMemory>(node->params.dptr);
  return result;
}

CUresult MakeNode(CUgraphNodeParams* params, NodePayload* payload) {
  switch (params->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: {
      KernelNode node;
      const CUresult result = MakeKernelNode(Narrow(params->kernel), &node);
      return Keep(result, std::move(node), payload);
    }
    case CU_GRAPH_NODE_TYPE_MEMCPY: {
      CopyNode node;
      const CUresult result = MakeCopyNode(params->memcpy.copyParams, params->memcpy.copyCtx, &node);
      return Keep(result, node, payload);
    }
    case CU_GRAPH_NODE_TYPE_MEMSET: {
      MemsetNode node;
      const CUresult result = MakeMemsetNode(Narrow(params->memset), params->memset.ctx, &node);
      return Keep(result, node, payload);
    }
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC: {
      AllocNode node;
      const CUDA_MEM_ALLOC_NODE_PARAMS narrow = {params->alloc.poolProps, params->alloc.accessDescs,
                                                 params->alloc.accessDescCount, params->alloc.bytesize, 0};
      const CUresult result = MakeAllocNode(narrow, &node);
      params->alloc.dptr = node.params.dptr;
      return Keep(result, std::move(node), payload);
    }
    case CU_GRAPH_NODE_TYPE_HOST:
      return Keep(CUDA_SUCCESS, HostNode{{params->host.fn, params->host.userData}}, payload);
    case CU_GRAPH_NODE_TYPE_EMPTY:
      return Keep(CUDA_SUCCESS, EmptyNode{}, payload);
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
      return Keep(CUDA_SUCCESS, FreeNode{params->free.dptr}, payload);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT: {
      const bool record = params->type == CU_GRAPH_NODE_TYPE_EVENT_RECORD;
      Event* const event = FindEvent(record ? params->eventRecord.event : params->eventWait.event);
      if (event == nullptr) return CUDA_ERROR_INVALID_VALUE;
      *payload = record ? NodePayload(EventRecordNode{event}) : NodePayload(EventWaitNode{event});
      return CUDA_SUCCESS;
    }
    case CU_GRAPH_NODE_TYPE_GRAPH: {
      Graph* const graph = FindGraph(params->graph.graph);
      if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
      ChildNode child;
      child.graph = CloneGraph(graph);
      child.graph->owned = true;
      return Keep(CUDA_SUCCESS, child, payload);
    }
    default:
      return CUDA_ERROR_NOT_SUPPORTED;  // semaphores, memory operations, conditions
  }
}

}  // namespace simgpu::driver
