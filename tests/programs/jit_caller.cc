// SPDX-License-Identifier: Apache-2.0
// Launches kernels through code that it made itself, and that it names in /tmp/perf-<pid>.map as just-in-time compilers
// do.
//
// usage: jit_caller [unnamed]      unnamed: writes no map
#include <cuda.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"

namespace {

CUdeviceptr g_data;

void Launch() {
  static const auto* const code = new workload::DeviceCode({"work"});
  workload::KernelArguments arguments(g_data, 16);
  CHECK_CUDA(cuLaunchKernel((*code)["work"], 64, 1, 1, 128, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
}

// void jit_function(void (*callee)()) { callee(); }, with a frame pointer.
#if defined(__aarch64__)
constexpr unsigned kCode[] = {0xa9bf7bfd, 0x910003fd, 0xd63f0000, 0xd503201f, 0xa8c17bfd, 0xd65f03c0};
#else
constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
#endif

}  // namespace

int main(int argc, char**) {
  CUdevice device;
  CUcontext context;
  CHECK_CUDA(cuInit(0));
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&context, device));
  CHECK_CUDA(cuCtxSetCurrent(context));
  CHECK_CUDA(cuMemAlloc(&g_data, 4096));
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  std::memcpy(page, kCode, sizeof(kCode));
  __builtin___clear_cache(static_cast<char*>(page), static_cast<char*>(page) + sizeof(kCode));
  if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) return 1;
  const std::string map = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  if (argc < 2) {
    FILE* const file = std::fopen(map.c_str(), "we");
    if (file == nullptr) return 1;
    std::fprintf(file, "%lx %zx jit_function of the test\n", reinterpret_cast<unsigned long>(page), sizeof(kCode));
    std::fclose(file);
  }
  const auto jit_function = reinterpret_cast<void (*)(void (*)())>(page);
  for (int i = 0; i < 10; ++i) jit_function(&Launch);
  CHECK_CUDA(cuCtxSynchronize());
  return 0;
}
