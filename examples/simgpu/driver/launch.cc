// SPDX-License-Identifier: Apache-2.0
#include "driver/launch.h"

#include <algorithm>
#include <iterator>

#include "driver/capture.h"
#include "driver/context.h"
#include "driver/door.h"
#include "driver/node_payload.h"
#include "driver/time_model.h"
#include "driver/work.h"

namespace simgpu::driver {
namespace {

constexpr uint32_t kMaxBlock[3] = {1024, 1024, 64};
constexpr uint32_t kMaxGrid[3] = {2147483647, 65535, 65535};
// With CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED.
constexpr uint32_t kLargeClusterBlocks = 16;

bool Within(const uint32_t (&values)[3], const uint32_t (&limits)[3]) {
  for (int i = 0; i < 3; ++i) {
    if (values[i] == 0 || values[i] > limits[i]) return false;
  }
  return true;
}

CUresult CheckCluster(const Function& function, const Device& device, const KernelWork& work) {
  const uint32_t blocks = work.cluster[0] * work.cluster[1] * work.cluster[2];
  if (blocks == 0) return CUDA_SUCCESS;
  if (device.limits.clusters_max_blocks == 0) return CUDA_ERROR_NOT_SUPPORTED;
  const uint32_t allowed = function.allow_large_clusters != 0 ? kLargeClusterBlocks : device.limits.clusters_max_blocks;
  if (blocks > allowed) return CUDA_ERROR_INVALID_CLUSTER_SIZE;
  for (int i = 0; i < 3; ++i) {
    if (work.grid[i] % work.cluster[i] != 0) return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

// Where a cluster size comes from: the launch, the attributes of the function, the code.
void ChooseCluster(const Function& function, const LaunchRequest& request, KernelWork* work) {
  if (request.cluster[0] != 0) {
    std::copy(std::begin(request.cluster), std::end(request.cluster), work->cluster);
  } else if (function.cluster[0] != 0) {
    for (int i = 0; i < 3; ++i) work->cluster[i] = static_cast<uint32_t>(std::max(function.cluster[i], 1));
  } else {
    std::copy(std::begin(function.code.cluster), std::end(function.code.cluster), work->cluster);
  }
}

}  // namespace

const char* KernelName(const void* function_or_kernel) {
  const Function* const function = FindFunction(function_or_kernel);
  return function != nullptr ? function->name : nullptr;
}

CUresult PlanLaunch(const Function& function, const Device& device, const LaunchRequest& request, KernelWork* work) {
  const image::Kernel& code = function.code;
  const Limits& limits = device.limits;
  if (!Within(request.grid, kMaxGrid) || !Within(request.block, kMaxBlock)) return CUDA_ERROR_INVALID_VALUE;
  const uint32_t threads = request.block[0] * request.block[1] * request.block[2];
  if (threads > std::min(limits.threads_per_block, code.max_threads)) return CUDA_ERROR_INVALID_VALUE;
  if (request.dynamic_shared_bytes > static_cast<uint32_t>(function.max_dynamic_shared_bytes) ||
      code.static_shared_bytes + request.dynamic_shared_bytes > limits.shared_per_block_optin) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *work = {};
  std::copy(std::begin(request.grid), std::end(request.grid), work->grid);
  std::copy(std::begin(request.block), std::end(request.block), work->block);
  ChooseCluster(function, request, work);
  if (const CUresult result = CheckCluster(function, device, *work); result != CUDA_SUCCESS) return result;
  const uint32_t per_sm = BlocksPerSm(limits, code, threads, request.dynamic_shared_bytes);
  if (per_sm == 0) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  const uint64_t blocks = uint64_t{request.grid[0]} * request.grid[1] * request.grid[2];
  if (request.cooperative && blocks > uint64_t{per_sm} * device.ref.sm_count())
    return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;

  work->static_shared_bytes = code.static_shared_bytes;
  work->dynamic_shared_bytes = request.dynamic_shared_bytes;
  work->local_bytes_per_thread = code.local_bytes;
  work->blocks_per_sm = per_sm;
  work->registers_per_thread = static_cast<uint16_t>(code.registers);
  work->cooperative = request.cooperative ? 1 : 0;
  work->shared_memory_optin = code.static_shared_bytes + request.dynamic_shared_bytes > limits.shared_per_block ? 1 : 0;
  return CUDA_SUCCESS;
}

CUDA_KERNEL_NODE_PARAMS_v2 NodeParams(Function* function, Context* context, const LaunchRequest& request) {
  CUDA_KERNEL_NODE_PARAMS_v2 params = {};
  params.func = reinterpret_cast<CUfunction>(function);
  params.gridDimX = request.grid[0];
  params.gridDimY = request.grid[1];
  params.gridDimZ = request.grid[2];
  params.blockDimX = request.block[0];
  params.blockDimY = request.block[1];
  params.blockDimZ = request.block[2];
  params.sharedMemBytes = request.dynamic_shared_bytes;
  params.kernelParams = request.arguments;
  params.extra = request.extra;
  params.ctx = HandleOf(context);
  return params;
}

LaunchRequest RequestOf(const CUDA_KERNEL_NODE_PARAMS_v2& params) {
  LaunchRequest request;
  request.grid[0] = params.gridDimX;
  request.grid[1] = params.gridDimY;
  request.grid[2] = params.gridDimZ;
  request.block[0] = params.blockDimX;
  request.block[1] = params.blockDimY;
  request.block[2] = params.blockDimZ;
  request.dynamic_shared_bytes = params.sharedMemBytes;
  request.arguments = params.kernelParams;
  request.extra = params.extra;
  return request;
}

CUresult Launch(const void* function_or_kernel, CUstream handle, const LaunchRequest& request) {
  CUresult error = CUDA_SUCCESS;
  Stream* const stream = ResolveStream(handle, &error);
  if (stream == nullptr) return error;
  Function* const function = FindFunction(function_or_kernel);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  Context* const context = stream->context;
  // A function belongs to one context; a CUkernel to none.
  if (function->module != nullptr && function->module->context != context) return CUDA_ERROR_INVALID_HANDLE;
  KernelWork kernel;
  if (const CUresult result = PlanLaunch(*function, *context->device, request, &kernel); result != CUDA_SUCCESS)
    return result;
  switch (DecideCapture(stream, &error)) {
    case CaptureDecision::kFail:
      return error;
    case CaptureDecision::kCapture: {
      KernelNode node;
      const CUresult result = MakeKernelNode(NodeParams(function, context, request), &node);
      if (result != CUDA_SUCCESS) return result;
      node.cooperative = request.cooperative;
      std::copy(std::begin(request.cluster), std::end(request.cluster), node.cluster);
      return CaptureNode(stream, std::move(node));
    }
    case CaptureDecision::kSubmit:
      break;
  }
  Work work = NewWork(WorkKind::kKernel, *stream);
  work.kernel = kernel;
  work.name = function->name;
  work.async = true;
  Engine::Get().Submit(stream->lane,
                       TimedOperation(context->device, work, KernelNs(*context->device, *function, kernel)));
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver
