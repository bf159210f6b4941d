// SPDX-License-Identifier: Apache-2.0
// One process that uses every device it sees, slices and whole GPUs alike, with a thread for each.
//
// usage: all_devices [--steps N]
#include <cuda.h>

#include <cstdio>
#include <thread>
#include <vector>

#include "examples/workloads/common/arguments.h"
#include "examples/workloads/common/call_site.h"
#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "examples/workloads/common/transformer_kernels.h"

namespace {

using workload::DeviceCode;
using workload::KernelArguments;
namespace kernels = workload::kernels;

__attribute__((noinline)) void RunStep(const DeviceCode& code, CUdeviceptr data, CUstream stream) {
  KernelArguments arguments(data, 128);
  LOGGED_CALL(kernels::kMatmul, CHECK_CUDA(cuLaunchKernel(code[kernels::kMatmul], 1024, 1, 1, 128, 1, 1, 0, stream,
                                                          arguments.pointers(), nullptr)));
  LOGGED_CALL(kernels::kGelu, CHECK_CUDA(cuLaunchKernel(code[kernels::kGelu], 256, 1, 1, 512, 1, 1, 0, stream,
                                                        arguments.pointers(), nullptr)));
}

void UseDevice(int ordinal, int steps) {
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, ordinal));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  {
    const DeviceCode code(kernels::All());
    CUstream stream;
    CUdeviceptr data;
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuMemAlloc(&data, 4096));
    for (int step = 0; step < steps; ++step) RunStep(code, data, stream);
    CHECK_CUDA(cuStreamSynchronize(stream));
    CHECK_CUDA(cuMemFree(data));
    CHECK_CUDA(cuStreamDestroy(stream));
  }
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = workload::NumberOption(argc, argv, "--steps", 100);
  CHECK_CUDA(cuInit(0));
  int devices = 0;
  CHECK_CUDA(cuDeviceGetCount(&devices));
  std::vector<std::thread> threads;
  for (int ordinal = 0; ordinal < devices; ++ordinal) threads.emplace_back(UseDevice, ordinal, steps);
  for (std::thread& thread : threads) thread.join();
  std::printf("%d steps on each of %d devices\n", steps, devices);
  return 0;
}
