// SPDX-License-Identifier: Apache-2.0
// The launch functions that no public header declares: what nvcc makes of `kernel<<<grid, block>>>(…)`.
#include "bodies.h"
#include "cudart/door.h"

namespace {

using simgpu::Entry;
using simgpu::runtime::Pass;

// The configuration between the brackets, on its way to the launch.
struct Configuration {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
  cudaStream_t stream = nullptr;
};

// Kernels can be launched while the arguments of another launch are worked out. Without a destructor; see
// driver/context.cc.
struct ConfigurationStack {
  static constexpr uint32_t kMaxDepth = 16;
  alignas(Configuration) unsigned char bytes[kMaxDepth][sizeof(Configuration)];
  uint32_t depth;

  Configuration* at(uint32_t index) { return reinterpret_cast<Configuration*>(bytes[index]); }
};
thread_local ConfigurationStack t_configurations;

cudaError_t LaunchHandle(const Entry& entry, cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                         size_t shared_bytes, cudaStream_t stream) {
  return Pass(entry, nullptr, kernel,
              [&] { return simgpu::runtime::api::LaunchKernel(kernel, grid, block, arguments, shared_bytes, stream); });
}

}  // namespace

extern "C" {

SIMGPU_EXPORT unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes, CUstream_st* stream) {
  ConfigurationStack& stack = t_configurations;
  if (stack.depth == ConfigurationStack::kMaxDepth) return 1;
  *stack.at(stack.depth++) = {grid, block, shared_bytes, stream};
  return 0;
}

SIMGPU_EXPORT cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared_bytes, void* stream) {
  ConfigurationStack& stack = t_configurations;
  if (stack.depth == 0) return simgpu::runtime::Fail(cudaErrorMissingConfiguration);
  const Configuration& configuration = *stack.at(--stack.depth);
  *grid = configuration.grid;
  *block = configuration.block;
  *shared_bytes = configuration.shared_bytes;
  *static_cast<cudaStream_t*>(stream) = configuration.stream;
  return cudaSuccess;
}

SIMGPU_EXPORT cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host_function) {
  static constexpr Entry kEntry{"__cudaGetKernel", CUPTI_RUNTIME_TRACE_CBID___cudaGetKernel_v13000, false, false};
  return Pass(kEntry, nullptr, nullptr, [&] { return simgpu::runtime::FindKernel(host_function, kernel); });
}

SIMGPU_EXPORT cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                             size_t shared_bytes, cudaStream_t stream) {
  static constexpr Entry kEntry{"__cudaLaunchKernel", CUPTI_RUNTIME_TRACE_CBID___cudaLaunchKernel_v13000, false, false};
  return LaunchHandle(kEntry, kernel, grid, block, arguments, shared_bytes, stream);
}

SIMGPU_EXPORT cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                                  size_t shared_bytes, cudaStream_t stream) {
  static constexpr Entry kEntry{"__cudaLaunchKernel_ptsz", CUPTI_RUNTIME_TRACE_CBID___cudaLaunchKernel_ptsz_v13000,
                                true, false};
  return LaunchHandle(kEntry, kernel, grid, block, arguments, shared_bytes, stream);
}

}  // extern "C"
