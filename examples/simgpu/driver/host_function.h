// SPDX-License-Identifier: Apache-2.0
// Running a function of the program in the order of a stream.
#pragma once

#include <cuda.h>

#include "driver/process.h"

namespace simgpu::driver {

// CUDA calls made by `function` fail with CUDA_ERROR_NOT_PERMITTED: they could wait for the very stream that waits for
// it.
inline void RunHostFunction(CUhostFn function, void* argument) {
  t_call.in_host_function = true;
  function(argument);
  t_call.in_host_function = false;
}

}  // namespace simgpu::driver
