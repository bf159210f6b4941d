// SPDX-License-Identifier: Apache-2.0
// From the parameters a program gives for a node to what the node keeps. All of these check them as a launch would.
#pragma once

#include <cuda.h>

#include "driver/graph.h"

namespace simgpu::driver {

CUresult MakeKernelNode(const CUDA_KERNEL_NODE_PARAMS_v2& params, KernelNode* node);
// A null `ctx` means the current context.
CUresult MakeCopyNode(const CUDA_MEMCPY3D& params, CUcontext ctx, CopyNode* node);
CUresult MakeMemsetNode(const CUDA_MEMSET_NODE_PARAMS& params, CUcontext ctx, MemsetNode* node);
CUresult MakeAllocNode(const CUDA_MEM_ALLOC_NODE_PARAMS& params, AllocNode* node);

// The general form, of cuGraphAddNode and cuGraphNodeSetParams. Writes the address of a memory node back into `params`.
CUresult MakeNode(CUgraphNodeParams* params, NodePayload* payload);

}  // namespace simgpu::driver
