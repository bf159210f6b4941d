// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include <cstring>

#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/state.h"

namespace simgpu::runtime::api {
namespace {

// Reads attributes of one device into members of different types.
class AttributeReader {
 public:
  explicit AttributeReader(int device) : device_(device) {}

  template <class T>
  void operator()(CUdevice_attribute attribute, T* member) const {
    int value = 0;
    SIMGPU_DRIVER(cuDeviceGetAttribute)(&value, attribute, device_);
    *member = static_cast<T>(value);
  }

 private:
  const int device_;
};

void ReadLimits(const AttributeReader& read, cudaDeviceProp* prop) {
  read(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, &prop->sharedMemPerBlock);
  read(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, &prop->regsPerBlock);
  read(CU_DEVICE_ATTRIBUTE_WARP_SIZE, &prop->warpSize);
  read(CU_DEVICE_ATTRIBUTE_MAX_PITCH, &prop->memPitch);
  read(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &prop->maxThreadsPerBlock);
  for (int i = 0; i < 3; ++i) {
    read(static_cast<CUdevice_attribute>(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X + i), &prop->maxThreadsDim[i]);
    read(static_cast<CUdevice_attribute>(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X + i), &prop->maxGridSize[i]);
  }
  read(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, &prop->totalConstMem);
  read(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, &prop->textureAlignment);
  read(CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT, &prop->texturePitchAlignment);
  read(CU_DEVICE_ATTRIBUTE_SURFACE_ALIGNMENT, &prop->surfaceAlignment);
  read(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, &prop->maxThreadsPerMultiProcessor);
  read(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, &prop->sharedMemPerMultiprocessor);
  read(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, &prop->regsPerMultiprocessor);
  read(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &prop->sharedMemPerBlockOptin);
  read(CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, &prop->maxBlocksPerMultiProcessor);
  read(CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, &prop->reservedSharedMemPerBlock);
}

void ReadBoard(const AttributeReader& read, cudaDeviceProp* prop) {
  read(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &prop->major);
  read(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &prop->minor);
  read(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &prop->multiProcessorCount);
  read(CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, &prop->asyncEngineCount);
  read(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, &prop->memoryBusWidth);
  read(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, &prop->l2CacheSize);
  read(CU_DEVICE_ATTRIBUTE_MAX_PERSISTING_L2_CACHE_SIZE, &prop->persistingL2CacheMaxSize);
  read(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, &prop->pciBusID);
  read(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, &prop->pciDeviceID);
  read(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, &prop->pciDomainID);
  read(CU_DEVICE_ATTRIBUTE_GPU_PCI_DEVICE_ID, &prop->gpuPciDeviceID);
  read(CU_DEVICE_ATTRIBUTE_GPU_PCI_SUBSYSTEM_ID, &prop->gpuPciSubsystemID);
  read(CU_DEVICE_ATTRIBUTE_ECC_ENABLED, &prop->ECCEnabled);
}

void ReadAbilities(const AttributeReader& read, cudaDeviceProp* prop) {
  read(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, &prop->canMapHostMemory);
  read(CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, &prop->concurrentKernels);
  read(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, &prop->unifiedAddressing);
  read(CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, &prop->streamPrioritiesSupported);
  read(CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED, &prop->globalL1CacheSupported);
  read(CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED, &prop->localL1CacheSupported);
  read(CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, &prop->managedMemory);
  read(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, &prop->concurrentManagedAccess);
  read(CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED, &prop->computePreemptionSupported);
  read(CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, &prop->canUseHostPointerForRegisteredMem);
  read(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, &prop->cooperativeLaunch);
  read(CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, &prop->hostRegisterSupported);
  read(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, &prop->memoryPoolsSupported);
  read(CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, &prop->clusterLaunch);
  read(CU_DEVICE_ATTRIBUTE_UNIFIED_FUNCTION_POINTERS, &prop->unifiedFunctionPointers);
}

}  // namespace

cudaError_t GetDeviceCount(int* count) { return Result(SIMGPU_DRIVER(cuDeviceGetCount)(count)); }

cudaError_t SetDevice(int device) { return SetDeviceOfThread(device); }

cudaError_t InitDevice(int device, unsigned int, unsigned int) {
  return ContextOfDevice(device) != nullptr ? cudaSuccess : Fail(cudaErrorInvalidDevice);
}

cudaError_t GetDevice(int* device) {
  if (device == nullptr) return Fail(cudaErrorInvalidValue);
  uint32_t current = 0;
  const bool has_context = LinkedDriver()->ContextDevice(LinkedDriver()->CurrentContext(), &current);
  *device = has_context ? static_cast<int>(current) : DeviceOfThread();
  return cudaSuccess;
}

cudaError_t GetDeviceProperties(cudaDeviceProp* prop, int device) {
  if (prop == nullptr) return Fail(cudaErrorInvalidValue);
  std::memset(prop, 0, sizeof(*prop));
  const CUresult result = SIMGPU_DRIVER(cuDeviceGetName)(prop->name, sizeof(prop->name), device);
  if (result != CUDA_SUCCESS) return Result(result);
  SIMGPU_DRIVER(cuDeviceGetUuid_v2)(&prop->uuid, device);
  SIMGPU_DRIVER(cuDeviceTotalMem_v2)(&prop->totalGlobalMem, device);
  const AttributeReader read(device);
  ReadLimits(read, prop);
  ReadBoard(read, prop);
  ReadAbilities(read, prop);
  return cudaSuccess;
}

// The runtime's attributes have the numbers of the driver's.
cudaError_t DeviceGetAttribute(int* value, cudaDeviceAttr attr, int device) {
  return Result(SIMGPU_DRIVER(cuDeviceGetAttribute)(value, static_cast<CUdevice_attribute>(attr), device));
}

cudaError_t DeviceGetPCIBusId(char* pciBusId, int len, int device) {
  return Result(SIMGPU_DRIVER(cuDeviceGetPCIBusId)(pciBusId, len, device));
}

cudaError_t DeviceGetByPCIBusId(int* device, const char* pciBusId) {
  return Result(SIMGPU_DRIVER(cuDeviceGetByPCIBusId)(device, pciBusId));
}

cudaError_t ChooseDevice(int* device, const cudaDeviceProp* prop) {
  if (device == nullptr || prop == nullptr) return Fail(cudaErrorInvalidValue);
  *device = 0;
  return cudaSuccess;
}

cudaError_t DeviceSynchronize() {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxSynchronize)());
}

cudaError_t DeviceReset() {
  const int device = DeviceOfThread();
  ForgetContext(device);
  return Result(SIMGPU_DRIVER(cuDevicePrimaryCtxReset_v2)(device));
}

cudaError_t SetDeviceFlags(unsigned int flags) {
  return Result(SIMGPU_DRIVER(cuDevicePrimaryCtxSetFlags_v2)(DeviceOfThread(), flags & CU_CTX_FLAGS_MASK));
}

cudaError_t GetDeviceFlags(unsigned int* flags) {
  int active = 0;
  return Result(SIMGPU_DRIVER(cuDevicePrimaryCtxGetState)(DeviceOfThread(), flags, &active));
}

cudaError_t DeviceGetLimit(size_t* pValue, cudaLimit limit) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxGetLimit)(pValue, static_cast<CUlimit>(limit)));
}

cudaError_t DeviceSetLimit(cudaLimit limit, size_t value) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxSetLimit)(static_cast<CUlimit>(limit), value));
}

cudaError_t DeviceGetCacheConfig(cudaFuncCache* pCacheConfig) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  CUfunc_cache config = CU_FUNC_CACHE_PREFER_NONE;
  const CUresult result = SIMGPU_DRIVER(cuCtxGetCacheConfig)(&config);
  if (pCacheConfig != nullptr) *pCacheConfig = static_cast<cudaFuncCache>(config);
  return Result(result);
}

cudaError_t DeviceSetCacheConfig(cudaFuncCache cacheConfig) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxSetCacheConfig)(static_cast<CUfunc_cache>(cacheConfig)));
}

cudaError_t DeviceGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxGetStreamPriorityRange)(leastPriority, greatestPriority));
}

cudaError_t DeviceCanAccessPeer(int* canAccessPeer, int device, int peerDevice) {
  return Result(SIMGPU_DRIVER(cuDeviceCanAccessPeer)(canAccessPeer, device, peerDevice));
}

cudaError_t DeviceGetP2PAttribute(int* value, cudaDeviceP2PAttr attr, int srcDevice, int dstDevice) {
  return Result(
      SIMGPU_DRIVER(cuDeviceGetP2PAttribute)(value, static_cast<CUdevice_P2PAttribute>(attr), srcDevice, dstDevice));
}

cudaError_t DeviceEnablePeerAccess(int peerDevice, unsigned int flags) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxEnablePeerAccess)(ContextOfDevice(peerDevice), flags));
}

cudaError_t DeviceDisablePeerAccess(int peerDevice) {
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(SIMGPU_DRIVER(cuCtxDisablePeerAccess)(ContextOfDevice(peerDevice)));
}

cudaError_t DeviceGetDefaultMemPool(cudaMemPool_t* memPool, int device) {
  return Result(SIMGPU_DRIVER(cuDeviceGetDefaultMemPool)(memPool, device));
}

cudaError_t DeviceGetMemPool(cudaMemPool_t* memPool, int device) {
  return Result(SIMGPU_DRIVER(cuDeviceGetMemPool)(memPool, device));
}

cudaError_t DeviceSetMemPool(int device, cudaMemPool_t memPool) {
  return Result(SIMGPU_DRIVER(cuDeviceSetMemPool)(device, memPool));
}

cudaError_t CtxResetPersistingL2Cache() { return EnsureContext(); }

}  // namespace simgpu::runtime::api
