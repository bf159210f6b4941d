// SPDX-License-Identifier: Apache-2.0
// Does what it is told, line by line: "launch N", "other N" (another kernel), "threads T N" (T threads that launch N
// kernels each, from stacks of their own), "sync", "wait MS", "start", "stop", "flush" (the C API of migprof), "status"
// (memory and descriptors). Answers each line with one of its own. Ends at the end of its input.
//
// usage: controlled [LINE …]: lines that are obeyed before cuInit
#include <cuda.h>
#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "examples/workloads/common/check.h"
#include "examples/workloads/common/device_code.h"
#include "examples/workloads/common/transformer_kernels.h"
#include "include/migprof/migprof.h"

namespace {

namespace kernels = workload::kernels;

CUcontext g_context;
const workload::DeviceCode* g_code;

__attribute__((noinline)) void Launch(const char* kernel) {
  workload::KernelArguments arguments(0, 128);
  CHECK_CUDA(cuLaunchKernel((*g_code)[kernel], 8, 1, 1, 64, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
}

// Ten bits of `path` make one of a thousand stacks.
void __attribute__((noinline)) Deeper(unsigned path, int bits, const char* kernel) {
  if (bits == 0) {
    Launch(kernel);
  } else if ((path & 1) != 0) {
    Deeper(path >> 1, bits - 1, kernel);
    asm volatile("" ::: "memory");
  } else {
    Deeper(path >> 1, bits - 1, kernel);
    asm volatile("nop" ::: "memory");
  }
}

int Entries(const char* folder) {
  DIR* const directory = opendir(folder);
  if (directory == nullptr) return -1;
  int count = 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

void PrintStatus() {
  unsigned long total = 0, resident = 0;
  if (FILE* const statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%lu %lu", &total, &resident) != 2) resident = 0;
    std::fclose(statm);
  }
  std::printf("rss_kb %lu descriptors %d threads %d\n", resident * static_cast<unsigned long>(getpagesize()) / 1024,
              Entries("/proc/self/fd"), Entries("/proc/self/task"));
}

void Obey(const char* line) {
  int count = 0, each = 0;
  if (std::sscanf(line, "launch %d", &count) == 1) {
    for (int i = 0; i < count; ++i) Launch(kernels::kMatmul);
  } else if (std::sscanf(line, "other %d", &count) == 1) {
    for (int i = 0; i < count; ++i) Launch(kernels::kGelu);
  } else if (std::sscanf(line, "threads %d %d", &count, &each) == 2) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < count; ++thread) {
      threads.emplace_back([thread, each] {
        CHECK_CUDA(cuCtxSetCurrent(g_context));
        for (int i = 0; i < each; ++i) Deeper(static_cast<unsigned>(thread * 7919 + i), 16, kernels::kMatmul);
      });
    }
    for (std::thread& thread : threads) thread.join();
  } else if (std::strncmp(line, "sync", 4) == 0) {
    CHECK_CUDA(cuCtxSynchronize());
  } else if (std::sscanf(line, "wait %d", &count) == 1) {
    usleep(static_cast<useconds_t>(count) * 1000);
  } else if (std::strncmp(line, "status", 6) == 0) {
    return PrintStatus();
  } else {
    const int done = std::strncmp(line, "start", 5) == 0  ? migprof_start()
                     : std::strncmp(line, "stop", 4) == 0 ? migprof_stop()
                                                          : migprof_flush();
    std::printf("%d\n", done);
    return;
  }
  std::printf("ok\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (int i = 1; i < argc; ++i) Obey(argv[i]);
  CHECK_CUDA(cuInit(0));
  CUdevice device;
  CHECK_CUDA(cuDeviceGet(&device, 0));
  CHECK_CUDA(cuDevicePrimaryCtxRetain(&g_context, device));
  CHECK_CUDA(cuCtxSetCurrent(g_context));
  {
    const workload::DeviceCode code(kernels::All());
    g_code = &code;
    std::printf("ready\n");
    char line[128];
    while (std::fgets(line, sizeof(line), stdin) != nullptr) Obey(line);
    CHECK_CUDA(cuCtxSynchronize());
  }
  CHECK_CUDA(cuDevicePrimaryCtxRelease(device));
  return 0;
}
