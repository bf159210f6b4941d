// SPDX-License-Identifier: Apache-2.0
// Programs with one hazard each: `hazards NAME [ARGUMENT]`. What each prints and how it ends must not depend on whether
// a profiler is in the process.
#pragma once

#include <cuda.h>

#include <memory>
#include <span>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

namespace hazards {

struct Hazard {
  const char* name;
  // Returns the exit status, if it returns.
  int (*run)(const char* argument);
};

std::span<const Hazard> Devices();
std::span<const Hazard> Endings();
std::span<const Hazard> Kernel();
std::span<const Hazard> Processes();
std::span<const Hazard> Stacks();
std::span<const Hazard> Surroundings();
std::span<const Hazard> Threads();

// The primary context of a device, current on the thread that made this, and a kernel to launch. Never destroyed by
// itself: hazards end as they like.
class Gpu {
 public:
  explicit Gpu(int ordinal = 0) {
    CHECK_CUDA(cuInit(0));
    CHECK_CUDA(cuDeviceGet(&device, ordinal));
    CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
    Enter();
    Load();
  }

  void Enter() const { CHECK_CUDA(cuCtxSetCurrent(context)); }

  void Load() {
    CHECK_CUDA(cuMemAlloc(&data, 4096));
    code = std::make_unique<workload::DeviceCode>(std::vector<std::string>{"work"});
    kernel = (*code)["work"];
  }

  void Launch(int count, CUstream stream = nullptr) const {
    workload::KernelArguments arguments(data, 16);
    for (int i = 0; i < count; ++i) {
      CHECK_CUDA(cuLaunchKernel(kernel, 64, 1, 1, 128, 1, 1, 0, stream, arguments.pointers(), nullptr));
    }
  }

  CUdevice device;
  CUcontext context;
  CUdeviceptr data;
  CUfunction kernel;
  std::unique_ptr<workload::DeviceCode> code;
};

// One that outlives everything.
inline Gpu& NewGpu(int ordinal = 0) { return *new Gpu(ordinal); }

}  // namespace hazards
