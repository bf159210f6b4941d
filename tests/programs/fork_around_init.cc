// SPDX-License-Identifier: Apache-2.0
// Forks before and after the first use of CUDA. The child that forked before uses CUDA for itself; the one that forked
// after must not, and only prints.
#include <cuda.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

namespace {

void UseCuda(int launches) {
  CUdevice device;
  CUcontext context;
  CUdeviceptr data;
  CHECK_CUDA(cuInit(0));
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CHECK_CUDA(cuMemAlloc(&data, 4096));
  const workload::DeviceCode code({"work"});
  workload::KernelArguments arguments(data, 16);
  for (int i = 0; i < launches; ++i) {
    CHECK_CUDA(cuLaunchKernel(code["work"], 64, 1, 1, 128, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
  }
  CHECK_CUDA(cuCtxSynchronize());
}

int Wait(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

}  // namespace

int main() {
  const pid_t early = fork();
  if (early == 0) {
    UseCuda(5);
    std::exit(3);  // runs atexit handlers, like a normal end
  }
  const int early_status = Wait(early);
  UseCuda(50);
  const pid_t late = fork();
  if (late == 0) std::exit(4);
  const int late_status = Wait(late);
  std::printf("early child ended with %d, late child with %d\n", early_status, late_status);
  return 0;
}
