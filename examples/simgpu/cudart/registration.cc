// SPDX-License-Identifier: Apache-2.0
#include "cudart/registration.h"

#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/door.h"
#include "cudart/driver_calls.h"
#include "cudart/state.h"

namespace simgpu::runtime {
namespace {

struct ManagedVariable {
  void** host_pointer;
  size_t bytes;
};

// GPU code of one translation unit.
struct FatBinary {
  const void* image = nullptr;
  CUlibrary library = nullptr;
  std::vector<ManagedVariable> managed;
};

struct RegisteredKernel {
  FatBinary* binary = nullptr;
  std::string name;
  CUkernel kernel = nullptr;
};

struct RegisteredVariable {
  FatBinary* binary = nullptr;
  std::string name;
};

struct Registry {
  std::recursive_mutex mutex;
  std::vector<std::unique_ptr<FatBinary>> binaries;
  std::map<const void*, RegisteredKernel> kernels;
  std::map<const void*, RegisteredVariable> variables;
};

Registry& TheRegistry() {
  static Registry& registry = *new Registry;  // constructors of the program run before ours
  return registry;
}

cudaError_t Load(FatBinary* binary) {
  if (binary->library != nullptr) return cudaSuccess;
  if (const cudaError_t error = EnsureContext(); error != cudaSuccess) return error;
  return Result(
      SIMGPU_DRIVER(cuLibraryLoadData)(&binary->library, binary->image, nullptr, nullptr, 0, nullptr, nullptr, 0));
}

FatBinary* BinaryOf(void** handle) { return reinterpret_cast<FatBinary*>(handle); }

}  // namespace

cudaError_t FindKernel(const void* host_function, CUkernel* kernel) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto found = registry.kernels.find(host_function);
  if (found == registry.kernels.end()) {
    // The runtime takes a kernel handle wherever it takes a host function.
    if (LinkedDriver()->KernelName(host_function) == nullptr) return Fail(cudaErrorInvalidDeviceFunction);
    *kernel = reinterpret_cast<CUkernel>(const_cast<void*>(host_function));
    return cudaSuccess;
  }
  RegisteredKernel& registered = found->second;
  if (registered.kernel == nullptr) {
    if (const cudaError_t error = Load(registered.binary); error != cudaSuccess) return error;
    const CUresult result =
        SIMGPU_DRIVER(cuLibraryGetKernel)(&registered.kernel, registered.binary->library, registered.name.c_str());
    if (result != CUDA_SUCCESS) return Fail(cudaErrorInvalidDeviceFunction);
  }
  *kernel = registered.kernel;
  return cudaSuccess;
}

const char* KernelName(const void* host_function_or_kernel) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto found = registry.kernels.find(host_function_or_kernel);
  return found != registry.kernels.end() ? found->second.name.c_str()
                                         : LinkedDriver()->KernelName(host_function_or_kernel);
}

cudaError_t FindVariable(const void* host_variable, CUdeviceptr* address, size_t* bytes) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto found = registry.variables.find(host_variable);
  if (found == registry.variables.end()) return Fail(cudaErrorInvalidSymbol);
  if (const cudaError_t error = Load(found->second.binary); error != cudaSuccess) return error;
  const CUresult result =
      SIMGPU_DRIVER(cuLibraryGetGlobal)(address, bytes, found->second.binary->library, found->second.name.c_str());
  return result == CUDA_SUCCESS ? cudaSuccess : Fail(cudaErrorInvalidSymbol);
}

}  // namespace simgpu::runtime

// The functions nvcc's code calls; their declarations are in crt/host_runtime.h, which only nvcc's output can include.
extern "C" {

using simgpu::runtime::FatBinary;
using simgpu::runtime::TheRegistry;

SIMGPU_EXPORT void** __cudaRegisterFatBinary(void* image) {
  const std::lock_guard lock(TheRegistry().mutex);
  TheRegistry().binaries.push_back(std::make_unique<FatBinary>());
  FatBinary* const binary = TheRegistry().binaries.back().get();
  binary->image = image;
  return reinterpret_cast<void**>(binary);
}

SIMGPU_EXPORT void __cudaRegisterFatBinaryEnd(void**) {}

// Called at the very end of the process, when profilers have read the last record: everything is left to the system.
SIMGPU_EXPORT void __cudaUnregisterFatBinary(void**) {}

SIMGPU_EXPORT void __cudaRegisterFunction(void** binary, const char* host_function, char*, const char* name, int,
                                          uint3*, uint3*, dim3*, dim3*, int*) {
  const std::lock_guard lock(TheRegistry().mutex);
  TheRegistry().kernels[host_function] = {simgpu::runtime::BinaryOf(binary), name, nullptr};
}

SIMGPU_EXPORT void __cudaRegisterVar(void** binary, char* host_variable, char*, const char* name, int, size_t, int,
                                     int) {
  const std::lock_guard lock(TheRegistry().mutex);
  TheRegistry().variables[host_variable] = {simgpu::runtime::BinaryOf(binary), name};
}

SIMGPU_EXPORT void __cudaRegisterHostVar(void**, const char*, char*, size_t) {}

SIMGPU_EXPORT void __cudaRegisterUnifiedTable(void**, const void*) {}

SIMGPU_EXPORT void __cudaRegisterManagedVar(void** binary, void** host_pointer, char*, const char*, int, size_t bytes,
                                            int, int) {
  const std::lock_guard lock(TheRegistry().mutex);
  simgpu::runtime::BinaryOf(binary)->managed.push_back({host_pointer, bytes});
}

// Gives managed variables their memory, before the program's first use of one.
SIMGPU_EXPORT char __cudaInitModule(void** handle) {
  if (simgpu::runtime::Start() != cudaSuccess || simgpu::runtime::EnsureContext() != cudaSuccess) return 0;
  const std::lock_guard lock(TheRegistry().mutex);
  for (const simgpu::runtime::ManagedVariable& variable : simgpu::runtime::BinaryOf(handle)->managed) {
    CUdeviceptr address = 0;
    const CUresult result = SIMGPU_DRIVER(cuMemAllocManaged)(&address, variable.bytes, CU_MEM_ATTACH_GLOBAL);
    if (result == CUDA_SUCCESS) *variable.host_pointer = reinterpret_cast<void*>(address);
  }
  simgpu::runtime::BinaryOf(handle)->managed.clear();
  return 1;
}

}  // extern "C"
