// SPDX-License-Identifier: Apache-2.0
// Threads that live for three launches each; 200 of them one after the other, and 50 at a time at the end.
#include <cuda.h>

#include <cstdio>
#include <thread>
#include <vector>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

int main() {
  CUdevice device;
  CUcontext context;
  CUdeviceptr data;
  CHECK_CUDA(cuInit(0));
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CHECK_CUDA(cuMemAlloc(&data, 4096));
  const workload::DeviceCode code({"work"});
  const auto work = [&] {
    CHECK_CUDA(cuCtxSetCurrent(context));
    workload::KernelArguments arguments(data, 16);
    for (int i = 0; i < 3; ++i) {
      CHECK_CUDA(cuLaunchKernel(code["work"], 64, 1, 1, 128, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
    }
  };
  for (int i = 0; i < 200; ++i) std::thread(work).join();
  std::vector<std::thread> together;
  for (int i = 0; i < 50; ++i) together.emplace_back(work);
  for (std::thread& thread : together) thread.join();
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("%d launches\n", 250 * 3);
  return 0;
}
