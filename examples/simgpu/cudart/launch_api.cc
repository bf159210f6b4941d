// SPDX-License-Identifier: Apache-2.0
// Kernels: launching them, and what can be asked and set of them.
#include <cuda_runtime_api.h>

#include <vector>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/registration.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {
namespace {

// The driver takes a CUkernel for a CUfunction.
cudaError_t Find(const void* function, CUfunction* found) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  CUkernel kernel = nullptr;
  const cudaError_t error = FindKernel(function, &kernel);
  *found = reinterpret_cast<CUfunction>(kernel);
  return error;
}

CUlaunchConfig DriverConfig(const cudaLaunchConfig_t& config) {
  static_assert(sizeof(cudaLaunchAttribute) == sizeof(CUlaunchAttribute));
  CUlaunchConfig driver_config = {};
  driver_config.gridDimX = config.gridDim.x;
  driver_config.gridDimY = config.gridDim.y;
  driver_config.gridDimZ = config.gridDim.z;
  driver_config.blockDimX = config.blockDim.x;
  driver_config.blockDimY = config.blockDim.y;
  driver_config.blockDimZ = config.blockDim.z;
  driver_config.sharedMemBytes = static_cast<unsigned>(config.dynamicSmemBytes);
  driver_config.hStream = config.stream;
  driver_config.attrs = reinterpret_cast<CUlaunchAttribute*>(config.attrs);
  driver_config.numAttrs = config.numAttrs;
  return driver_config;
}

template <class T>
void ReadAttribute(CUfunction function, CUfunction_attribute attribute, T* member) {
  int value = 0;
  SIMGPU_DRIVER(cuFuncGetAttribute)(&value, attribute, function);
  *member = static_cast<T>(value);
}

}  // namespace

cudaError_t LaunchKernel(const void* func, dim3 gridDim, dim3 blockDim, void** args, size_t sharedMem,
                         cudaStream_t stream) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  const CUresult result =
      SIMGPU_DRIVER_PTSZ(cuLaunchKernel)(function, gridDim.x, gridDim.y, gridDim.z, blockDim.x, blockDim.y, blockDim.z,
                                         static_cast<unsigned>(sharedMem), stream, args, nullptr);
  // The runtime has a name of its own for a bad grid or block.
  return result == CUDA_ERROR_INVALID_VALUE ? Fail(cudaErrorInvalidConfiguration) : Result(result);
}

cudaError_t LaunchKernelExC(const cudaLaunchConfig_t* config, const void* func, void** args) {
  if (config == nullptr) return Fail(cudaErrorInvalidValue);
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  const CUlaunchConfig driver_config = DriverConfig(*config);
  return Result(SIMGPU_DRIVER_PTSZ(cuLaunchKernelEx)(&driver_config, function, args, nullptr));
}

cudaError_t LaunchCooperativeKernel(const void* func, dim3 gridDim, dim3 blockDim, void** args, size_t sharedMem,
                                    cudaStream_t stream) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER_PTSZ(cuLaunchCooperativeKernel)(function, gridDim.x, gridDim.y, gridDim.z, blockDim.x,
                                                              blockDim.y, blockDim.z, static_cast<unsigned>(sharedMem),
                                                              stream, args));
}

cudaError_t GetKernel(cudaKernel_t* kernelPtr, const void* entryFuncAddr) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return FindKernel(entryFuncAddr, kernelPtr);
}

cudaError_t GetFuncBySymbol(cudaFunction_t* functionPtr, const void* symbolPtr) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(symbolPtr, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuKernelGetFunction)(functionPtr, reinterpret_cast<CUkernel>(function)));
}

cudaError_t FuncGetName(const char** name, const void* func) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuFuncGetName)(name, function));
}

cudaError_t FuncGetAttributes(cudaFuncAttributes* attr, const void* func) {
  if (attr == nullptr) return Fail(cudaErrorInvalidValue);
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  *attr = {};
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, &attr->sharedSizeBytes);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, &attr->localSizeBytes);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &attr->maxThreadsPerBlock);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_NUM_REGS, &attr->numRegs);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_PTX_VERSION, &attr->ptxVersion);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_BINARY_VERSION, &attr->binaryVersion);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, &attr->maxDynamicSharedSizeBytes);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, &attr->preferredShmemCarveout);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, &attr->requiredClusterWidth);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT, &attr->requiredClusterHeight);
  ReadAttribute(function, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH, &attr->requiredClusterDepth);
  return cudaSuccess;
}

// The runtime's attributes have the numbers of the driver's.
cudaError_t FuncSetAttribute(const void* func, cudaFuncAttribute attr, int value) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuFuncSetAttribute)(function, static_cast<CUfunction_attribute>(attr), value));
}

cudaError_t FuncSetCacheConfig(const void* func, cudaFuncCache cacheConfig) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuFuncSetCacheConfig)(function, static_cast<CUfunc_cache>(cacheConfig)));
}

cudaError_t OccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* numBlocks, const void* func, int blockSize,
                                                               size_t dynamicSMemSize, unsigned int flags) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags)(numBlocks, function, blockSize,
                                                                                    dynamicSMemSize, flags));
}

cudaError_t OccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, const void* func, int blockSize,
                                                      size_t dynamicSMemSize) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(
      SIMGPU_DRIVER(cuOccupancyMaxActiveBlocksPerMultiprocessor)(numBlocks, function, blockSize, dynamicSMemSize));
}

cudaError_t OccupancyAvailableDynamicSMemPerBlock(size_t* dynamicSmemSize, const void* func, int numBlocks,
                                                  int blockSize) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(
      SIMGPU_DRIVER(cuOccupancyAvailableDynamicSMemPerBlock)(dynamicSmemSize, function, numBlocks, blockSize));
}

cudaError_t OccupancyMaxPotentialClusterSize(int* clusterSize, const void* func,
                                             const cudaLaunchConfig_t* launchConfig) {
  if (launchConfig == nullptr) return Fail(cudaErrorInvalidValue);
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  const CUlaunchConfig driver_config = DriverConfig(*launchConfig);
  return Result(SIMGPU_DRIVER(cuOccupancyMaxPotentialClusterSize)(clusterSize, function, &driver_config));
}

cudaError_t OccupancyMaxActiveClusters(int* numClusters, const void* func, const cudaLaunchConfig_t* launchConfig) {
  if (launchConfig == nullptr) return Fail(cudaErrorInvalidValue);
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  const CUlaunchConfig driver_config = DriverConfig(*launchConfig);
  return Result(SIMGPU_DRIVER(cuOccupancyMaxActiveClusters)(numClusters, function, &driver_config));
}

cudaError_t FuncGetParamInfo(const void* func, size_t paramIndex, size_t* paramOffset, size_t* paramSize) {
  CUfunction function = nullptr;
  if (const cudaError_t error = Find(func, &function); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuFuncGetParamInfo)(function, paramIndex, paramOffset, paramSize));
}

cudaError_t LibraryLoadData(cudaLibrary_t* library, const void* code, cudaJitOption*, void**, unsigned int,
                            cudaLibraryOption*, void**, unsigned int) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuLibraryLoadData)(library, code, nullptr, nullptr, 0, nullptr, nullptr, 0));
}

cudaError_t LibraryUnload(cudaLibrary_t library) { return Result(SIMGPU_DRIVER(cuLibraryUnload)(library)); }

cudaError_t LibraryGetKernel(cudaKernel_t* pKernel, cudaLibrary_t library, const char* name) {
  return Result(SIMGPU_DRIVER(cuLibraryGetKernel)(pKernel, library, name));
}

cudaError_t LibraryGetKernelCount(unsigned int* count, cudaLibrary_t lib) {
  return Result(SIMGPU_DRIVER(cuLibraryGetKernelCount)(count, lib));
}

cudaError_t LibraryEnumerateKernels(cudaKernel_t* kernels, unsigned int numKernels, cudaLibrary_t lib) {
  return Result(SIMGPU_DRIVER(cuLibraryEnumerateKernels)(kernels, numKernels, lib));
}

cudaError_t LibraryGetGlobal(void** dptr, size_t* bytes, cudaLibrary_t library, const char* name) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuLibraryGetGlobal)(reinterpret_cast<CUdeviceptr*>(dptr), bytes, library, name));
}

}  // namespace simgpu::runtime::api
