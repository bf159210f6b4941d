// SPDX-License-Identifier: Apache-2.0
// Hazards of contexts, devices and code that come and go.
#include <dlfcn.h>

#include <cstdio>

#include "tests/programs/hazards/hazards.h"

namespace hazards {
namespace {

// Two contexts on each device there is, used in turns; destroyed before anything was flushed.
int ManyContexts(const char*) {
  CHECK_CUDA(cuInit(0));
  int devices = 0;
  CHECK_CUDA(cuDeviceGetCount(&devices));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < devices; ++i) {
      CUcontext contexts[2];
      Gpu gpu(i);
      for (CUcontext& context : contexts) {
        CHECK_CUDA(cuCtxCreate(&context, nullptr, 0, gpu.device));
        CHECK_CUDA(cuMemAlloc(&gpu.data, 4096));
        const workload::DeviceCode code({"work"});
        gpu.kernel = code["work"];
        gpu.Launch(5);
      }
      for (const CUcontext context : contexts) CHECK_CUDA(cuCtxDestroy(context));
      gpu.Enter();
      gpu.code.reset();
      CHECK_CUDA(cuDevicePrimaryCtxRelease(gpu.device));
    }
  }
  std::printf("%d devices\n", devices);
  return 0;
}

// The device is reset while nothing is known to be done, and used again.
int DeviceReset(const char*) {
  for (int i = 0; i < 10; ++i) {
    Gpu& gpu = NewGpu();
    gpu.Launch(10);
    CHECK_CUDA(cuDevicePrimaryCtxReset(gpu.device));
  }
  return 0;
}

// A library that launches, loaded and unloaded again and again.
int Plugins(const char* path) {
  Gpu& gpu = NewGpu();
  for (int i = 0; i < 30; ++i) {
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return 1;
    reinterpret_cast<void (*)(CUfunction, CUdeviceptr, int)>(dlsym(library, "plugin_launch"))(gpu.kernel, gpu.data, 10);
    dlclose(library);
  }
  std::printf("%s\n", dlopen(path, RTLD_NOW | RTLD_NOLOAD) == nullptr ? "unloaded" : "still there");
  return 0;
}

// Calls that fail are the program's, and no loss.
int FailingLaunches(const char*) {
  Gpu& gpu = NewGpu();
  workload::KernelArguments arguments(gpu.data, 16);
  int failed = 0;
  for (int i = 0; i < 50; ++i) {
    const unsigned threads = i % 2 != 0 ? 128 : 100'000;
    failed +=
        cuLaunchKernel(gpu.kernel, 64, 1, 1, threads, 1, 1, 0, nullptr, arguments.pointers(), nullptr) != CUDA_SUCCESS;
  }
  std::printf("%d failed\n", failed);
  return 0;
}

constexpr Hazard kHazards[] = {
    {"many_contexts", &ManyContexts},
    {"device_reset", &DeviceReset},
    {"plugins", &Plugins},
    {"failing_launches", &FailingLaunches},
};

}  // namespace

std::span<const Hazard> Devices() { return kHazards; }

}  // namespace hazards
