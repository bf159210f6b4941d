// SPDX-License-Identifier: Apache-2.0
// Initialisation, versions, error texts.
#include <algorithm>
#include <iterator>

#include "bodies.h"
#include "driver/process.h"

namespace simgpu::driver::api {
namespace {

struct ErrorText {
  CUresult code;
  const char* name;
  const char* sentence;
};

// Sorted by code; made from cuda.h.
constexpr ErrorText kErrors[] = {
#include "error_texts.inc"
};

const ErrorText* FindError(CUresult error) {
  const auto same = [&](const ErrorText& candidate) { return candidate.code == error; };
  const ErrorText* const found = std::find_if(std::begin(kErrors), std::end(kErrors), same);
  return found != std::end(kErrors) ? found : nullptr;
}

}  // namespace

CUresult Init(unsigned int flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  return Process::Get().Initialize();
}

CUresult DriverGetVersion(int* driverVersion) {
  if (driverVersion == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Topology* const topology = ProcessTopology();
  *driverVersion = topology != nullptr ? static_cast<int>(topology->cuda_version) : CUDA_VERSION;
  return CUDA_SUCCESS;
}

CUresult GetErrorName(CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const ErrorText* const found = FindError(error);
  *pStr = found != nullptr ? found->name : nullptr;
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult GetErrorString(CUresult error, const char** pStr) {
  if (pStr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const ErrorText* const found = FindError(error);
  *pStr = found != nullptr ? found->sentence : nullptr;
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// The tables behind it are NVIDIA's own business; a program must cope without them.
CUresult GetExportTable(const void** ppExportTable, const CUuuid* pExportTableId) {
  if (ppExportTable == nullptr || pExportTableId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *ppExportTable = nullptr;
  return CUDA_ERROR_NOT_FOUND;
}

CUresult ProfilerStart() { return CUDA_SUCCESS; }

CUresult ProfilerStop() { return CUDA_SUCCESS; }

}  // namespace simgpu::driver::api
