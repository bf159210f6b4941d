// SPDX-License-Identifier: Apache-2.0
// How the runtime calls the driver: through its exported functions, found by name, so that a profiler sees those calls
// too.
#pragma once

#include <cuda.h>

#include "simgpu_private.h"

namespace simgpu::runtime {

// The simulated driver of this process, loaded if need be. Null where libcuda.so.1 is missing or is somebody else's.
Driver* LinkedDriver();

// An exported function of the driver; aborts with a sentence when the two libraries are not of one build.
void* DriverSymbol(const char* name);

// The call in progress came through a `…_ptsz` or `…_ptds` door.
inline bool UsesPerThreadStream() { return LinkedDriver()->CurrentCall()->per_thread_default_stream; }

}  // namespace simgpu::runtime

// The driver's function of that name.
#define SIMGPU_DRIVER(function)                                                                                    \
  ([] {                                                                                                            \
    static const auto pointer = reinterpret_cast<decltype(&::function)>(simgpu::runtime::DriverSymbol(#function)); \
    return pointer;                                                                                                \
  }())

// Its variant for the default stream that the call in progress means.
#define SIMGPU_DRIVER_PTSZ(function) \
  (simgpu::runtime::UsesPerThreadStream() ? SIMGPU_DRIVER(function##_ptsz) : SIMGPU_DRIVER(function))
#define SIMGPU_DRIVER_PTDS(function) \
  (simgpu::runtime::UsesPerThreadStream() ? SIMGPU_DRIVER(function##_ptds) : SIMGPU_DRIVER(function))
