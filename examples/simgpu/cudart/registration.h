// SPDX-License-Identifier: Apache-2.0
// What a program compiled by nvcc tells the runtime about itself before main: its GPU code, and which host function or
// variable stands for which kernel or device variable. Code is loaded when it is first needed.
#pragma once

#include <cuda.h>
#include <driver_types.h>

#include <cstddef>

namespace simgpu::runtime {

// The kernel behind a host function; loads its code. Also takes a cudaKernel_t itself.
cudaError_t FindKernel(const void* host_function, CUkernel* kernel);

// Its name as far as that is known without loading; null for an unknown function.
const char* KernelName(const void* host_function_or_kernel);

// The device variable behind a host variable, in the current context.
cudaError_t FindVariable(const void* host_variable, CUdeviceptr* address, size_t* bytes);

}  // namespace simgpu::runtime
