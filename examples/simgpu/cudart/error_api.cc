// SPDX-License-Identifier: Apache-2.0
// Errors, versions, and functions that return something else than an error.
#include <cudaProfiler.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <iterator>

#include "base/door.h"
#include "bodies.h"
#include "cudart/driver_calls.h"
#include "cudart/state.h"

namespace {

struct ErrorText {
  cudaError_t code;
  const char* name;
  const char* sentence;
};

constexpr ErrorText kErrors[] = {
#include "runtime_error_texts.inc"
};

const ErrorText* FindError(cudaError_t error) {
  const auto same = [&](const ErrorText& candidate) { return candidate.code == error; };
  const ErrorText* const found = std::find_if(std::begin(kErrors), std::end(kErrors), same);
  return found != std::end(kErrors) ? found : nullptr;
}

}  // namespace

extern "C" {

SIMGPU_EXPORT const char* cudaGetErrorName(cudaError_t error) {
  const ErrorText* const found = FindError(error);
  return found != nullptr ? found->name : "unrecognized error code";
}

SIMGPU_EXPORT const char* cudaGetErrorString(cudaError_t error) {
  const ErrorText* const found = FindError(error);
  return found != nullptr ? found->sentence : "unrecognized error code";
}

SIMGPU_EXPORT cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w, cudaChannelFormatKind kind) {
  return {x, y, z, w, kind};
}

}  // extern "C"

namespace simgpu::runtime::api {

cudaError_t GetLastError() {
  const cudaError_t error = LastError();
  ClearLastError();
  return error;
}

cudaError_t PeekAtLastError() { return LastError(); }

cudaError_t DriverGetVersion(int* driverVersion) { return Result(SIMGPU_DRIVER(cuDriverGetVersion)(driverVersion)); }

cudaError_t RuntimeGetVersion(int* runtimeVersion) {
  if (runtimeVersion == nullptr) return Fail(cudaErrorInvalidValue);
  *runtimeVersion = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t GetDriverEntryPointByVersion(const char* symbol, void** funcPtr, unsigned int cudaVersion,
                                         unsigned long long flags, cudaDriverEntryPointQueryResult* driverStatus) {
  CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SUCCESS;
  const CUresult result =
      SIMGPU_DRIVER(cuGetProcAddress_v2)(symbol, funcPtr, static_cast<int>(cudaVersion), flags, &status);
  if (driverStatus != nullptr) *driverStatus = static_cast<cudaDriverEntryPointQueryResult>(status);
  // A missing symbol is told by the status alone.
  return result == CUDA_ERROR_NOT_FOUND && driverStatus != nullptr ? cudaSuccess : Result(result);
}

cudaError_t ProfilerStart() { return Result(SIMGPU_DRIVER(cuProfilerStart)()); }

cudaError_t ProfilerStop() { return Result(SIMGPU_DRIVER(cuProfilerStop)()); }

}  // namespace simgpu::runtime::api
