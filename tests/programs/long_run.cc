// SPDX-License-Identifier: Apache-2.0
// The life of a service in a few minutes: launches and copies from two threads, and everything else that programs make
// and give back for ever: threads, streams, events, memory, graphs. Looks at itself every now and then.
//
// usage: long_run LAUNCHES [SAMPLES]
//
// prints "sample LAUNCHED RSS_KB DESCRIPTORS THREADS" so many times, and at last "executed N": launches of kernels and
// of graphs, and copies; not what was captured.
#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/programs/hazards/hazards.h"

namespace {

using hazards::Gpu;

constexpr int kThreads = 2;
constexpr int kRound = 1000;  // launches between two synchronizations
// In rounds of a thread.
constexpr int kBetweenThreads = 1;
constexpr int kBetweenGraphs = 50;

std::atomic<uint64_t> g_launched{0};
std::atomic<uint64_t> g_executed{0};

int EntriesOf(const char* path) {
  DIR* const folder = opendir(path);
  if (folder == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

void Sample() {
  long pages = 0;
  if (FILE* const file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  std::printf("sample %llu %ld %d %d\n", static_cast<unsigned long long>(g_launched.load()),
              pages * (sysconf(_SC_PAGESIZE) / 1024), EntriesOf("/proc/self/fd") - 1, EntriesOf("/proc/self/task"));
  std::fflush(stdout);
}

void Count(uint64_t launches) {
  g_launched.fetch_add(launches, std::memory_order_relaxed);
  g_executed.fetch_add(launches, std::memory_order_relaxed);
}

// A few paths of code to the same call, as deep as the call of a framework.
template <int kDepth>
__attribute__((noinline)) void LaunchAtDepth(const Gpu& gpu, CUstream stream, int count) {
  if constexpr (kDepth > 0) {
    LaunchAtDepth<kDepth - 1>(gpu, stream, count);
  } else {
    gpu.Launch(count, stream);
  }
  asm volatile("" ::: "memory");  // no tail call
}

void ShortThread(const Gpu& gpu) {
  std::thread([&gpu] {
    gpu.Enter();
    CUstream stream;
    CUevent event;
    CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CHECK_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
    gpu.Launch(5, stream);
    CHECK_CUDA(cuEventRecord(event, stream));
    CHECK_CUDA(cuEventSynchronize(event));
    CHECK_CUDA(cuEventDestroy(event));
    CHECK_CUDA(cuStreamDestroy(stream));
    Count(5);
  }).join();
}

void Graph(const Gpu& gpu, CUstream stream) {
  constexpr int kNodes = 20;
  constexpr int kReplays = 10;
  CUgraph graph;
  CUgraphExec executable;
  CHECK_CUDA(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  gpu.Launch(kNodes, stream);
  CHECK_CUDA(cuStreamEndCapture(stream, &graph));
  CHECK_CUDA(cuGraphInstantiate(&executable, graph, 0));
  for (int i = 0; i < kReplays; ++i) CHECK_CUDA(cuGraphLaunch(executable, stream));
  CHECK_CUDA(cuStreamSynchronize(stream));
  g_executed.fetch_add(kReplays, std::memory_order_relaxed);
  CHECK_CUDA(cuGraphExecDestroy(executable));
  CHECK_CUDA(cuGraphDestroy(graph));
}

void Serve(const Gpu& gpu, uint64_t launches) {
  gpu.Enter();
  CUstream stream;
  CHECK_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  char host[4096] = {};
  for (uint64_t round = 0; g_launched.load(std::memory_order_relaxed) < launches; ++round) {
    LaunchAtDepth<2>(gpu, stream, kRound / 2);
    LaunchAtDepth<12>(gpu, stream, kRound / 2);
    CUdeviceptr memory;
    CHECK_CUDA(cuMemAlloc(&memory, 1 << 20));
    CHECK_CUDA(cuMemcpyHtoDAsync(memory, host, sizeof(host), stream));
    CHECK_CUDA(cuStreamSynchronize(stream));
    CHECK_CUDA(cuMemFree(memory));
    g_executed.fetch_add(1, std::memory_order_relaxed);
    Count(kRound);
    if (round % kBetweenThreads == 0) ShortThread(gpu);
    if (round % kBetweenGraphs == 0) Graph(gpu, stream);
  }
  CHECK_CUDA(cuStreamDestroy(stream));
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t launches = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const uint64_t samples = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 50;
  if (samples == 0) return 2;
  Gpu gpu;
  std::thread threads[kThreads];
  for (std::thread& thread : threads) thread = std::thread([&] { Serve(gpu, launches); });
  for (uint64_t i = 1; i <= samples; ++i) {
    while (g_launched.load(std::memory_order_relaxed) < launches * i / samples) usleep(1000);
    if (i < samples) Sample();  // while the threads are there
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_CUDA(cuCtxSynchronize());
  std::printf("executed %llu\n", static_cast<unsigned long long>(g_executed.load()));
  return 0;
}
