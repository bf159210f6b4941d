// SPDX-License-Identifier: Apache-2.0
// Launching kernels.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "driver/device.h"
#include "driver/module.h"
#include "driver/stream.h"
#include "simgpu_private.h"

namespace simgpu::driver {

// A launch as the program asked for it.
struct LaunchRequest {
  uint32_t grid[3] = {1, 1, 1};
  uint32_t block[3] = {1, 1, 1};
  uint32_t cluster[3] = {0, 0, 0};  // 0: what the kernel or its attributes say
  uint32_t dynamic_shared_bytes = 0;
  bool cooperative = false;
  void** arguments = nullptr;
  void** extra = nullptr;
};

// Checks a launch as the driver does and fills in what a profiler is told of it.
CUresult PlanLaunch(const Function& function, const Device& device, const LaunchRequest& request, KernelWork* work);

// Submits a kernel to a stream, or captures it.
CUresult Launch(const void* function_or_kernel, CUstream handle, const LaunchRequest& request);

// The parameters of a kernel node that does what `request` says.
CUDA_KERNEL_NODE_PARAMS_v2 NodeParams(Function* function, Context* context, const LaunchRequest& request);
LaunchRequest RequestOf(const CUDA_KERNEL_NODE_PARAMS_v2& params);

}  // namespace simgpu::driver
