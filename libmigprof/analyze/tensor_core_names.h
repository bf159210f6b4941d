// SPDX-License-Identifier: Apache-2.0
// Which kernels use Tensor Cores, judged by their names.
#pragma once

#include <string_view>

namespace migprof::analyze {

// Whether a kernel of this name, mangled or not, uses Tensor Cores as far as its name tells. An estimate: a trace does
// not say which instructions ran. Names are those of cuBLAS, CUTLASS, cuDNN, Triton and FlashAttention; a kernel of
// somebody's own is recognised when its name says mma, wmma and the like, and missed otherwise.
bool UsesTensorCores(std::string_view kernel_name);

}  // namespace migprof::analyze
