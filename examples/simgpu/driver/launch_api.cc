// SPDX-License-Identifier: Apache-2.0
// The launch functions of the driver API, from CUDA 2 to now.
#include <algorithm>

#include "bodies.h"
#include "driver/context.h"
#include "driver/launch.h"

namespace simgpu::driver::api {
namespace {

LaunchRequest Request(unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                      void** arguments, void** extra) {
  LaunchRequest request;
  const uint32_t grid[3] = {gx, gy, gz};
  const uint32_t block[3] = {bx, by, bz};
  std::copy(grid, grid + 3, request.grid);
  std::copy(block, block + 3, request.block);
  request.dynamic_shared_bytes = shared;
  request.arguments = arguments;
  request.extra = extra;
  return request;
}

LaunchRequest LegacyRequest(const Function& function, int width, int height) {
  LaunchRequest request;
  request.grid[0] = static_cast<uint32_t>(width);
  request.grid[1] = static_cast<uint32_t>(height);
  for (int i = 0; i < 3; ++i) request.block[i] = static_cast<uint32_t>(function.legacy_block[i]);
  request.dynamic_shared_bytes = function.legacy_shared_bytes;
  return request;
}

}  // namespace

CUresult LaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
                      unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
                      unsigned int sharedMemBytes, CUstream hStream, void** kernelParams, void** extra) {
  return driver::Launch(
      f, hStream,
      Request(gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes, kernelParams, extra));
}

CUresult LaunchKernelEx(const CUlaunchConfig* config, CUfunction f, void** kernelParams, void** extra) {
  if (config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  LaunchRequest request = Request(config->gridDimX, config->gridDimY, config->gridDimZ, config->blockDimX,
                                  config->blockDimY, config->blockDimZ, config->sharedMemBytes, kernelParams, extra);
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute& attribute = config->attrs[i];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
      request.cluster[0] = attribute.value.clusterDim.x;
      request.cluster[1] = attribute.value.clusterDim.y;
      request.cluster[2] = attribute.value.clusterDim.z;
    } else if (attribute.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) {
      request.cooperative = attribute.value.cooperative != 0;
    }
  }
  return driver::Launch(f, config->hStream, request);
}

CUresult LaunchCooperativeKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
                                 unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
                                 unsigned int sharedMemBytes, CUstream hStream, void** kernelParams) {
  LaunchRequest request =
      Request(gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes, kernelParams, nullptr);
  request.cooperative = true;
  return driver::Launch(f, hStream, request);
}

CUresult FuncSetBlockShape(CUfunction hfunc, int x, int y, int z) {
  Function* const function = FindFunction(hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (x <= 0 || y <= 0 || z <= 0) return CUDA_ERROR_INVALID_VALUE;
  const int shape[3] = {x, y, z};
  std::copy(shape, shape + 3, function->legacy_block);
  return CUDA_SUCCESS;
}

CUresult FuncSetSharedSize(CUfunction hfunc, unsigned int bytes) {
  Function* const function = FindFunction(hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  function->legacy_shared_bytes = bytes;
  return CUDA_SUCCESS;
}

// Kernels compute nothing, so their arguments are not kept.
CUresult ParamSetSize(CUfunction hfunc, unsigned int) {
  return FindFunction(hfunc) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult ParamSeti(CUfunction hfunc, int, unsigned int) {
  return FindFunction(hfunc) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult ParamSetf(CUfunction hfunc, int, float) {
  return FindFunction(hfunc) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult ParamSetv(CUfunction hfunc, int, void*, unsigned int) {
  return FindFunction(hfunc) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult Launch(CUfunction f) { return LaunchGrid(f, 1, 1); }

CUresult LaunchGrid(CUfunction f, int grid_width, int grid_height) {
  const Function* const function = FindFunction(f);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return driver::Launch(f, CU_STREAM_LEGACY, LegacyRequest(*function, grid_width, grid_height));
}

CUresult LaunchGridAsync(CUfunction f, int grid_width, int grid_height, CUstream hStream) {
  const Function* const function = FindFunction(f);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return driver::Launch(f, hStream, LegacyRequest(*function, grid_width, grid_height));
}

}  // namespace simgpu::driver::api
