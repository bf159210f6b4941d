// SPDX-License-Identifier: Apache-2.0
#include "examples/workloads/common/check.h"

#include <cstdio>
#include <cstdlib>

namespace workload {

void Check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  const char* name = nullptr;
  if (cuGetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr) name = "unknown error";
  std::fprintf(stderr, "%s: %s (%d)\n", what, name, static_cast<int>(result));
  std::exit(1);
}

}  // namespace workload
