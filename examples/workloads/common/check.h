// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda.h>

namespace workload {

// Ends the program with the error's name when a CUDA call failed.
void Check(CUresult result, const char* what);

}  // namespace workload

#define CHECK_CUDA(call) ::workload::Check((call), #call)
