// SPDX-License-Identifier: Apache-2.0
// What a program can ask and set of a kernel, and how many of its blocks fit.
#include <algorithm>

#include "bodies.h"
#include "driver/context.h"
#include "driver/launch.h"
#include "driver/module.h"
#include "driver/process.h"
#include "driver/time_model.h"

namespace simgpu::driver::api {
namespace {

CUresult GetAttribute(int* value, CUfunction_attribute attribute, const Function* function) {
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const image::Kernel& code = function->code;
  const image::ModuleImage& image = function->module != nullptr ? function->module->image : function->library->image;
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      *value = static_cast<int>(code.max_threads);
      break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
      *value = static_cast<int>(code.static_shared_bytes);
      break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
      *value = static_cast<int>(code.local_bytes);
      break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS:
      *value = static_cast<int>(code.registers);
      break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
      *value = static_cast<int>(image.architecture);
      break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      *value = function->max_dynamic_shared_bytes;
      break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      *value = function->preferred_shared_carveout;
      break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
      *value = 0;
      break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH: {
      const int dimension = attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH;
      *value = code.cluster[0] != 0 ? static_cast<int>(code.cluster[dimension]) : function->cluster[dimension];
      break;
    }
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
      *value = function->allow_large_clusters;
      break;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult SetAttribute(CUfunction_attribute attribute, int value, Function* function, const Limits& limits) {
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const int most_shared = static_cast<int>(limits.shared_per_block_optin - function->code.static_shared_bytes);
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      if (value < 0 || value > most_shared) return CUDA_ERROR_INVALID_VALUE;
      function->max_dynamic_shared_bytes = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      if (value < -1 || value > 100) return CUDA_ERROR_INVALID_VALUE;
      function->preferred_shared_carveout = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
      // What the code fixes cannot be changed.
      if (value <= 0 || function->code.cluster[0] != 0) return CUDA_ERROR_INVALID_VALUE;
      function->cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH] = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
      function->allow_large_clusters = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult GetParameter(const Function* function, size_t index, size_t* offset, size_t* size) {
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (offset == nullptr || index >= function->code.parameters.size()) return CUDA_ERROR_INVALID_VALUE;
  *offset = function->code.parameters[index].offset;
  if (size != nullptr) *size = function->code.parameters[index].size;
  return CUDA_SUCCESS;
}

// The device of the current context.
CUresult CurrentDevice(const Device** device) {
  const Context* const context = CurrentContext();
  if (context == nullptr) return NoContextError();
  *device = context->device;
  return CUDA_SUCCESS;
}

CUresult MaxActiveBlocks(int* blocks, CUfunction func, int block_size, size_t dynamic_shared) {
  const Function* const function = FindFunction(func);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const Device* device = nullptr;
  if (const CUresult result = CurrentDevice(&device); result != CUDA_SUCCESS) return result;
  if (blocks == nullptr || block_size <= 0) return CUDA_ERROR_INVALID_VALUE;
  *blocks = static_cast<int>(BlocksPerSm(device->limits, function->code, static_cast<uint32_t>(block_size),
                                         static_cast<uint32_t>(dynamic_shared)));
  return CUDA_SUCCESS;
}

}  // namespace

CUresult FuncGetAttribute(int* pi, CUfunction_attribute attrib, CUfunction hfunc) {
  return GetAttribute(pi, attrib, FindFunction(hfunc));
}

CUresult FuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value) {
  const Device* device = nullptr;
  if (const CUresult result = CurrentDevice(&device); result != CUDA_SUCCESS) return result;
  return SetAttribute(attrib, value, FindFunction(hfunc), device->limits);
}

CUresult KernelGetAttribute(int* pi, CUfunction_attribute attrib, CUkernel kernel, CUdevice dev) {
  if (Process::Get().DeviceAt(dev) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  return GetAttribute(pi, attrib, FindFunction(kernel));
}

CUresult KernelSetAttribute(CUfunction_attribute attrib, int val, CUkernel kernel, CUdevice dev) {
  const Device* const device = Process::Get().DeviceAt(dev);
  return device != nullptr ? SetAttribute(attrib, val, FindFunction(kernel), device->limits)
                           : CUDA_ERROR_INVALID_DEVICE;
}

CUresult FuncSetCacheConfig(CUfunction hfunc, CUfunc_cache config) {
  Function* const function = FindFunction(hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  function->cache_config = config;
  return CUDA_SUCCESS;
}

CUresult KernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice) {
  return FuncSetCacheConfig(reinterpret_cast<CUfunction>(kernel), config);
}

CUresult FuncSetSharedMemConfig(CUfunction hfunc, CUsharedconfig) {
  return FindFunction(hfunc) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult FuncGetName(const char** name, CUfunction hfunc) {
  const Function* const function = FindFunction(hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *name = function->name;
  return CUDA_SUCCESS;
}

CUresult KernelGetName(const char** name, CUkernel hfunc) {
  return FuncGetName(name, reinterpret_cast<CUfunction>(hfunc));
}

CUresult FuncGetModule(CUmodule* hmod, CUfunction hfunc) {
  const Function* const function = FindFunction(hfunc);
  if (function == nullptr || function->module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (hmod == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *hmod = reinterpret_cast<CUmodule>(function->module);
  return CUDA_SUCCESS;
}

CUresult FuncGetParamInfo(CUfunction func, size_t paramIndex, size_t* paramOffset, size_t* paramSize) {
  return GetParameter(FindFunction(func), paramIndex, paramOffset, paramSize);
}

CUresult KernelGetParamInfo(CUkernel kernel, size_t paramIndex, size_t* paramOffset, size_t* paramSize) {
  return GetParameter(FindFunction(kernel), paramIndex, paramOffset, paramSize);
}

CUresult FuncIsLoaded(CUfunctionLoadingState* state, CUfunction function) {
  if (FindFunction(function) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (state == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *state = CU_FUNCTION_LOADING_STATE_LOADED;
  return CUDA_SUCCESS;
}

CUresult FuncLoad(CUfunction function) {
  return FindFunction(function) != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult OccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, CUfunction func, int blockSize,
                                                   size_t dynamicSMemSize) {
  return MaxActiveBlocks(numBlocks, func, blockSize, dynamicSMemSize);
}

CUresult OccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* numBlocks, CUfunction func, int blockSize,
                                                            size_t dynamicSMemSize, unsigned int) {
  return MaxActiveBlocks(numBlocks, func, blockSize, dynamicSMemSize);
}

CUresult OccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize, CUfunction func,
                                        CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize,
                                        int blockSizeLimit) {
  const Function* const function = FindFunction(func);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const Device* device = nullptr;
  if (const CUresult result = CurrentDevice(&device); result != CUDA_SUCCESS) return result;
  if (minGridSize == nullptr || blockSize == nullptr) return CUDA_ERROR_INVALID_VALUE;
  uint32_t limit = std::min(function->code.max_threads, device->limits.threads_per_block);
  if (blockSizeLimit > 0) limit = std::min(limit, static_cast<uint32_t>(blockSizeLimit));
  uint32_t best_threads = 0, best_blocks = 0;
  // The largest block among those that keep the most threads on an SM.
  for (uint32_t threads = limit / 32 * 32; threads >= 32; threads -= 32) {
    const size_t shared =
        blockSizeToDynamicSMemSize != nullptr ? blockSizeToDynamicSMemSize(static_cast<int>(threads)) : dynamicSMemSize;
    const uint32_t blocks = BlocksPerSm(device->limits, function->code, threads, static_cast<uint32_t>(shared));
    if (blocks * threads > best_blocks * best_threads) {
      best_blocks = blocks;
      best_threads = threads;
    }
  }
  *blockSize = static_cast<int>(best_threads);
  *minGridSize = static_cast<int>(best_blocks * device->ref.sm_count());
  return CUDA_SUCCESS;
}

CUresult OccupancyMaxPotentialBlockSizeWithFlags(int* minGridSize, int* blockSize, CUfunction func,
                                                 CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize,
                                                 int blockSizeLimit, unsigned int) {
  return OccupancyMaxPotentialBlockSize(minGridSize, blockSize, func, blockSizeToDynamicSMemSize, dynamicSMemSize,
                                        blockSizeLimit);
}

CUresult OccupancyAvailableDynamicSMemPerBlock(size_t* dynamicSmemSize, CUfunction func, int numBlocks, int blockSize) {
  const Function* const function = FindFunction(func);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const Device* device = nullptr;
  if (const CUresult result = CurrentDevice(&device); result != CUDA_SUCCESS) return result;
  if (dynamicSmemSize == nullptr || numBlocks <= 0 || blockSize <= 0) return CUDA_ERROR_INVALID_VALUE;
  const Limits& limits = device->limits;
  const uint32_t per_block = limits.shared_per_sm / static_cast<uint32_t>(numBlocks);
  const uint32_t taken = function->code.static_shared_bytes + limits.shared_reserved_per_block;
  const uint32_t available = per_block > taken ? per_block - taken : 0;
  *dynamicSmemSize = std::min(available, limits.shared_per_block_optin - function->code.static_shared_bytes);
  return CUDA_SUCCESS;
}

CUresult OccupancyMaxPotentialClusterSize(int* clusterSize, CUfunction func, const CUlaunchConfig* config) {
  const Function* const function = FindFunction(func);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const Device* device = nullptr;
  if (const CUresult result = CurrentDevice(&device); result != CUDA_SUCCESS) return result;
  if (clusterSize == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (device->limits.clusters_max_blocks == 0) return CUDA_ERROR_NOT_SUPPORTED;
  *clusterSize = function->allow_large_clusters != 0 ? 16 : static_cast<int>(device->limits.clusters_max_blocks);
  return CUDA_SUCCESS;
}

CUresult OccupancyMaxActiveClusters(int* numClusters, CUfunction func, const CUlaunchConfig* config) {
  if (numClusters == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = nullptr;
  if (const CUresult result = CurrentDevice(&device); result != CUDA_SUCCESS) return result;
  int blocks = 0;
  const int threads = static_cast<int>(config->blockDimX * config->blockDimY * config->blockDimZ);
  if (const CUresult result = MaxActiveBlocks(&blocks, func, threads, config->sharedMemBytes); result != CUDA_SUCCESS)
    return result;
  uint32_t cluster = 1;
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    if (config->attrs[i].id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) continue;
    const auto& dimensions = config->attrs[i].value.clusterDim;
    cluster = std::max(dimensions.x * dimensions.y * dimensions.z, 1u);
  }
  *numClusters = static_cast<int>(static_cast<uint32_t>(blocks) * device->ref.sm_count() / cluster);
  return CUDA_SUCCESS;
}

}  // namespace simgpu::driver::api
