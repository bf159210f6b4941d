// SPDX-License-Identifier: Apache-2.0
#include "cudart/state.h"

#include <map>
#include <mutex>

#include "cudart/driver_calls.h"

namespace simgpu::runtime {
namespace {

thread_local cudaError_t t_last_error = cudaSuccess;
thread_local int t_device = 0;

struct Contexts {
  std::mutex mutex;
  std::map<int, CUcontext> primary;  // retained once each
};

Contexts& TheContexts() {
  static Contexts& contexts = *new Contexts;  // for the life of the process
  return contexts;
}

}  // namespace

cudaError_t Start() {
  if (LinkedDriver() == nullptr) return Fail(cudaErrorInsufficientDriver);
  static const CUresult result = SIMGPU_DRIVER(cuInit)(0);
  return Result(result);
}

cudaError_t Fail(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) t_last_error = error;
  return error;
}

cudaError_t LastError() { return t_last_error; }

void ClearLastError() { t_last_error = cudaSuccess; }

int DeviceOfThread() { return t_device; }

CUcontext ContextOfDevice(int device) {
  {
    const std::lock_guard lock(TheContexts().mutex);
    const auto found = TheContexts().primary.find(device);
    if (found != TheContexts().primary.end()) return found->second;
  }
  CUcontext context = nullptr;
  if (SIMGPU_DRIVER(cuDevicePrimaryCtxRetain)(&context, device) != CUDA_SUCCESS) return nullptr;
  const std::lock_guard lock(TheContexts().mutex);
  TheContexts().primary[device] = context;
  return context;
}

cudaError_t EnsureContext() {
  if (LinkedDriver()->CurrentContext() != nullptr) return cudaSuccess;
  const CUcontext context = ContextOfDevice(t_device);
  if (context == nullptr) return Fail(cudaErrorInvalidDevice);
  return Result(SIMGPU_DRIVER(cuCtxSetCurrent)(context));
}

cudaError_t SetDeviceOfThread(int device) {
  const CUcontext context = ContextOfDevice(device);
  if (context == nullptr) return Fail(cudaErrorInvalidDevice);
  t_device = device;
  return Result(SIMGPU_DRIVER(cuCtxSetCurrent)(context));
}

void ForgetContext(int device) {
  const std::lock_guard lock(TheContexts().mutex);
  TheContexts().primary.erase(device);
}

}  // namespace simgpu::runtime
