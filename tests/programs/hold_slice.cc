// SPDX-License-Identifier: Apache-2.0
// Keeps a context and some memory on its first device until its input ends. Prints "ready" when it has them.
//
// usage: hold_slice [MEBIBYTES]
#include <cuda.h>

#include <cstdio>
#include <cstdlib>

#include "examples/workloads/common/check.h"

int main(int argc, char** argv) {
  const size_t mebibytes = argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 1;
  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CUdeviceptr memory;
  CHECK_CUDA(cuMemAlloc(&memory, mebibytes << 20));
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  CHECK_CUDA(cuMemFree(memory));
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  return 0;
}
