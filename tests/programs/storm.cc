// SPDX-License-Identifier: Apache-2.0
// Launches as fast as it can, then makes a file, waits and ends. Nothing that a recorder does may keep it from making
// the file. Into STORM_REPORT goes how long the longest launch took.
//
// usage: storm LAUNCHES FILE [MILLISECONDS to wait before the end]
#include <cuda.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

namespace {

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  const workload::DeviceCode code({"storm"});
  const int launches = std::atoi(argv[1]);
  uint64_t longest_ns = 0;
  for (int i = 0; i < launches; ++i) {
    workload::KernelArguments arguments(0, 1);
    const uint64_t start_ns = NowNs();
    CHECK_CUDA(cuLaunchKernel(code["storm"], 1, 1, 1, 32, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
    longest_ns = std::max(longest_ns, NowNs() - start_ns);
  }
  if (const char* const report = std::getenv("STORM_REPORT")) {
    if (FILE* const file = std::fopen(report, "we")) {
      std::fprintf(file, "%lu\n", longest_ns);
      std::fclose(file);
    }
  }
  if (FILE* const file = std::fopen(argv[2], "we")) std::fclose(file);
  std::this_thread::sleep_for(std::chrono::milliseconds(argc > 3 ? std::atoi(argv[3]) : 0));
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("%d launches\n", launches);
  return 0;
}
