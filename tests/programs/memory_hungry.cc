// SPDX-License-Identifier: Apache-2.0
// Programs that have without end what a recorder remembers: memory_hungry KIND COUNT. Prints "executed N" (kernels
// outside of graphs), "waits N" (calls that waited for them) and "peak KB" (largest resident set until then).
#include <pthread.h>
#include <unistd.h>

#include <barrier>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/programs/hazards/hazards.h"

namespace {

using hazards::Gpu;

uint64_t g_executed = 0;
uint64_t g_waits = 0;

// Lets the recorder follow: what is looked at is what it remembers, not what it drops.
void Breathe(uint64_t number) {
  if (number % 200 != 0) return;
  ++g_waits;
  CHECK_CUDA(cuCtxSynchronize());
  usleep(4000);
}

// COUNT threads that all launch and live at the same time.
void Threads(int count) {
  constexpr int kRounds = 20;
  constexpr int kLaunches = 10;
  Gpu gpu;
  std::barrier all(count);
  struct Shared {
    Gpu* gpu;
    std::barrier<>* all;
  } shared{&gpu, &all};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  std::vector<pthread_t> threads(count);
  for (pthread_t& thread : threads) {
    const auto body = [](void* argument) -> void* {
      const auto& [its_gpu, its_all] = *static_cast<Shared*>(argument);
      its_gpu->Enter();
      for (int round = 0; round < kRounds; ++round) {
        its_gpu->Launch(kLaunches);
        its_all->arrive_and_wait();
      }
      return nullptr;
    };
    if (pthread_create(&thread, &attributes, body, &shared) != 0) std::exit(1);
  }
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  CHECK_CUDA(cuCtxSynchronize());
  g_executed = uint64_t{kRounds} * kLaunches * count;
}

__attribute__((noinline)) void Step(const Gpu& gpu, uint32_t path, int levels);

__attribute__((noinline)) void Left(const Gpu& gpu, uint32_t path, int levels) {
  Step(gpu, path >> 1, levels - 1);
  asm volatile("# left" ::: "memory");  // no tail call, and no function for both
}
__attribute__((noinline)) void Right(const Gpu& gpu, uint32_t path, int levels) {
  Step(gpu, path >> 1, levels - 1);
  asm volatile("# right" ::: "memory");
}
__attribute__((noinline)) void Step(const Gpu& gpu, uint32_t path, int levels) {
  if (levels == 0) {
    gpu.Launch(1);
  } else if ((path & 1) != 0) {
    Right(gpu, path, levels);
  } else {
    Left(gpu, path, levels);
  }
  asm volatile("" ::: "memory");
}

// COUNT stacks, each another, of functions called Left and Right. Every thousandth is seen again and again.
void Stacks(int count) {
  constexpr int kLevels = 20;
  Gpu gpu;  // with memory that is allocated for as long as it runs
  for (int i = 0; i < count; ++i) {
    Step(gpu, static_cast<uint32_t>(i), kLevels);
    Step(gpu, static_cast<uint32_t>(i / 1000 * 1000), kLevels);
    Breathe(i);
  }
  CHECK_CUDA(cuCtxSynchronize());
  g_executed = 2 * uint64_t(count);
}

// COUNT kernels with names of their own, in modules that are loaded and unloaded.
void Names(int count) {
  constexpr int kPerModule = 250;
  Gpu gpu;
  for (int first = 0; first < count; first += kPerModule) {
    std::vector<std::string> names;
    for (int i = first; i < first + kPerModule; ++i) {
      names.push_back("compiled_kernel_with_a_rather_long_name_" + std::to_string(i));
    }
    const workload::DeviceCode code(names);
    workload::KernelArguments arguments(gpu.data, 16);
    for (const std::string& name : names) {
      CHECK_CUDA(cuLaunchKernel(code[name], 64, 1, 1, 128, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
    }
    g_executed += kPerModule;
    Breathe(0);
  }
}

// COUNT graphs, made, launched twice and destroyed.
void Graphs(int count) {
  constexpr int kNodes = 40;
  Gpu gpu;
  CUstream stream;
  CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  for (int i = 0; i < count; ++i) {
    CUgraph graph;
    CUgraphExec executable;
    CHECK_CUDA(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    gpu.Launch(kNodes, stream);
    CHECK_CUDA(cuStreamEndCapture(stream, &graph));
    CHECK_CUDA(cuGraphInstantiate(&executable, graph, 0));
    for (int launch = 0; launch < 2; ++launch) CHECK_CUDA(cuGraphLaunch(executable, stream));
    CHECK_CUDA(cuStreamSynchronize(stream));
    CHECK_CUDA(cuGraphExecDestroy(executable));
    CHECK_CUDA(cuGraphDestroy(graph));
    if (i % 20 == 0) Breathe(0);
  }
}

// COUNT contexts, made, used and destroyed on all devices in turn, beside one that stays.
void Contexts(int count) {
  Gpu gpu;
  int devices = 0;
  CHECK_CUDA(cuDeviceGetCount(&devices));
  for (int i = 0; i < count; ++i) {
    CUcontext context;
    CUdevice device;
    CUdeviceptr data;
    CHECK_CUDA(cuDeviceGet(&device, i % devices));
    CHECK_CUDA(cuCtxCreate(&context, nullptr, 0, device));
    {
      CHECK_CUDA(cuMemAlloc(&data, 4096));
      const workload::DeviceCode code({"work"});
      workload::KernelArguments arguments(data, 16);
      CHECK_CUDA(cuLaunchKernel(code["work"], 64, 1, 1, 128, 1, 1, 0, nullptr, arguments.pointers(), nullptr));
      CHECK_CUDA(cuCtxSynchronize());
    }
    CHECK_CUDA(cuCtxDestroy(context));
    gpu.Enter();
    gpu.Launch(1);
    g_executed += 2;
    Breathe(i);
  }
  CHECK_CUDA(cuCtxSynchronize());
}

long PeakKilobytes() {
  long peak = 0;
  char line[256];
  if (FILE* const file = std::fopen("/proc/self/status", "re")) {
    while (std::fgets(line, sizeof(line), file) != nullptr) std::sscanf(line, "VmHWM: %ld", &peak);
    std::fclose(file);
  }
  return peak;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  const int count = argc > 2 ? std::atoi(argv[2]) : 0;
  if (kind == "threads") {
    Threads(count);
  } else if (kind == "stacks") {
    Stacks(count);
  } else if (kind == "names") {
    Names(count);
  } else if (kind == "graphs") {
    Graphs(count);
  } else if (kind == "contexts") {
    Contexts(count);
  } else {
    std::fprintf(stderr, "usage: memory_hungry threads|stacks|names|graphs|contexts COUNT\n");
    return 2;
  }
  std::printf("executed %llu\nwaits %llu\npeak %ld\n", static_cast<unsigned long long>(g_executed),
              static_cast<unsigned long long>(g_waits), PeakKilobytes());
  return 0;
}
