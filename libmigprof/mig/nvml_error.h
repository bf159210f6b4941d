// SPDX-License-Identifier: Apache-2.0
// What NVML's return codes mean to whoever reads them, and what can be done.
#pragma once

#include <string>

namespace migprof::mig {

// "no permission", "GPU is lost"; "error 42" for a code without a name. Reads well in brackets.
std::string NvmlErrorText(int code);

// One or two sentences for a driver that cannot be asked at all: what is wrong, and what to do. `code` is what
// nvmlInit_v2 returned, or 0 when there is no libnvidia-ml.so.1.
std::string ExplainNoDriver(int code);

// The same for one GPU that does not answer, below a heading that has the code's text; `index` is NVML's.
std::string ExplainNoGpu(int code, unsigned index);

}  // namespace migprof::mig
