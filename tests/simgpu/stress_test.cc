// SPDX-License-Identifier: Apache-2.0
// Many threads, many records.
#include <cuda.h>
#include <cupti.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

#if defined(NDEBUG) && !defined(SIMGPU_TEST_SANITIZED)
constexpr bool kIsFast = true;
#else
constexpr bool kIsFast = false;
#endif

std::atomic<int> g_host_functions{0};

// Everything that threads may do at the same time.
void WorkOfThread(const GpuProgram& gpu, int rounds) {
  EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
  CUstream stream = nullptr;
  CUevent event = nullptr;
  EXPECT_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
  for (int i = 0; i < rounds; ++i) {
    const CUdeviceptr memory = gpu.Allocate(1024);
    EXPECT_CUDA(gpu.Launch(gpu.alpha, stream, 10));
    EXPECT_CUDA(cuMemsetD8Async(memory, 1, 1024, stream));
    EXPECT_CUDA(cuEventRecord(event, stream));
    EXPECT_CUDA(cuStreamWaitEvent(gpu.stream, event, 0));
    EXPECT_CUDA(gpu.Launch(gpu.beta, i % 4 == 0 ? nullptr : gpu.stream));
    EXPECT_CUDA(cuLaunchHostFunc(
        stream, [](void*) { ++g_host_functions; }, nullptr));
    if (i % 3 == 0) {
      EXPECT_CUDA(cuStreamSynchronize(stream));
    }
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    EXPECT_CUDA(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, stream));
    EXPECT_CUDA(cuStreamEndCapture(stream, &graph));
    EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
    EXPECT_CUDA(cuGraphLaunch(exec, stream));
    EXPECT_CUDA(cuGraphExecDestroy(exec));
    EXPECT_CUDA(cuGraphDestroy(graph));
    EXPECT_CUDA(cuMemFree(memory));
  }
  EXPECT_CUDA(cuEventDestroy(event));
  EXPECT_CUDA(cuStreamDestroy(stream));
}

TEST(Stress, AHundredThreads) {
  constexpr int kThreads = 100, kRounds = 20;
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    const GpuProgram gpu;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back([&] { WorkOfThread(gpu, kRounds); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_EQ(g_host_functions, kThreads * kRounds);
  });
  EXPECT_EQ(ReadLedger(ledger).size(), size_t{kThreads} * kRounds * 4);
}

TEST(Stress, ThreadsEachWithAContextOfTheirOwn) {
  InChild({Topology("two-gpus")}, [] {
    EXPECT_CUDA(cuInit(0));
    std::vector<std::thread> threads;
    for (int i = 0; i < 28; ++i) {
      threads.emplace_back([i] {
        for (int round = 0; round < 5; ++round) {
          const GpuProgram gpu(i % 7);
          EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
          EXPECT_CUDA(cuCtxDestroy(gpu.context));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
}

std::atomic<size_t> g_bytes_delivered{0};

void Request(uint8_t** buffer, size_t* size, size_t* max_records) {
  *size = size_t{1} << 20;
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, *size));
  *max_records = 0;
}

void Complete(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  g_bytes_delivered += valid;
  std::free(buffer);
}

// The simulator must not be what benchmarks of a profiler measure.
TEST(Stress, AMillionLaunchesThroughCupti) {
  const size_t launches = kIsFast ? 1'000'000 : 20'000;
  InChild([=] {
    EXPECT_EQ(cuptiActivityRegisterCallbacks(&Request, &Complete), CUPTI_SUCCESS);
    EXPECT_EQ(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), CUPTI_SUCCESS);
    const GpuProgram gpu;
    const auto start = std::chrono::steady_clock::now();
    for (size_t i = 0; i < launches; ++i) gpu.Launch(gpu.alpha, gpu.stream);
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_EQ(cuptiActivityFlushAll(0), CUPTI_SUCCESS);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(g_bytes_delivered.load(), launches * sizeof(CUpti_ActivityKernel10));
    EXPECT_LT(seconds.count(), kIsFast ? 5.0 : 60.0);
    std::printf("%.0f ns per launch\n", seconds.count() * 1e9 / static_cast<double>(launches));
  });
}

}  // namespace
}  // namespace simgpu::test
