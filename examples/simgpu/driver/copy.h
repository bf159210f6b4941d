// SPDX-License-Identifier: Apache-2.0
// From the many ways a program asks for a copy or a memset to the work that is done.
#pragma once

#include <cuda.h>

#include "driver/work.h"
#include "simgpu_private.h"

namespace simgpu::driver {

// How a copy was asked for.
struct CopyOptions {
  bool async = false;                 // the call may return before it is done
  Context* source_context = nullptr;  // of a copy between two contexts; else null
  Context* destination_context = nullptr;
};

// All copies are described by the most general structure: a box of bytes. This is the one of plain bytes.
CUDA_MEMCPY3D LinearCopy(CUmemorytype to_type, CUdeviceptr to, CUmemorytype from_type, CUdeviceptr from, size_t bytes);
CUDA_MEMCPY3D BoxOf(const CUDA_MEMCPY2D& copy);

// Checks `copy` and works out what it moves and how a profiler calls it.
CUresult PlanCopy(const CUDA_MEMCPY3D& copy, const Context& context, const CopyOptions& options, CopyPlan* plan,
                  CopyWork* facts);

// Submits a copy to a stream, or captures it; waits for it when it is not asynchronous and the host takes part.
CUresult Copy(CUstream handle, const CUDA_MEMCPY3D& copy, const CopyOptions& options);

// Checks `plan`, and submits or captures it.
CUresult Memset(CUstream handle, const MemsetPlan& plan, bool async);
CUresult PlanMemset(const CUDA_MEMSET_NODE_PARAMS& params, MemsetPlan* plan);

}  // namespace simgpu::driver
