// SPDX-License-Identifier: Apache-2.0
// The order and the times of work, as the ledger tells them.
#include <cuda.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

// Runs `body` and returns what was executed.
std::vector<LedgerLine> Executed(const std::function<void()>& body, Environment environment = {}) {
  const std::string file = TemporaryFile(".jsonl");
  environment.emplace_back("SIMGPU_LEDGER", file);
  InChild(environment, body);
  return ReadLedger(file);
}

bool Overlap(const LedgerLine& a, const LedgerLine& b) { return a.start_ns < b.end_ns && b.start_ns < a.end_ns; }

TEST(Stream, WorkOfOneStreamIsInOrder) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    for (int i = 0; i < 5; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 10000, 256));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  ASSERT_EQ(work.size(), 5u);
  for (size_t i = 1; i < work.size(); ++i) EXPECT_EQ(work[i].start_ns, work[i - 1].end_ns + 800);
}

TEST(Stream, TwoStreamsOverlap) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUstream other;
    EXPECT_CUDA(cuStreamCreate(&other, CU_STREAM_DEFAULT));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 100000, 256));
    EXPECT_CUDA(gpu.Launch(gpu.beta, other, 100000, 128));
    EXPECT_CUDA(cuCtxSynchronize());
  });
  ASSERT_EQ(work.size(), 2u);
  EXPECT_TRUE(Overlap(work[0], work[1]));
  EXPECT_NE(work[0].stream, work[1].stream);
}

TEST(Stream, EventHoldsAnotherStreamBack) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUstream other;
    CUevent event;
    EXPECT_CUDA(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
    EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 100000, 256));
    EXPECT_CUDA(cuEventRecord(event, gpu.stream));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    EXPECT_CUDA(cuStreamWaitEvent(other, event, 0));
    EXPECT_CUDA(gpu.Launch(gpu.beta, other));
    EXPECT_CUDA(cuCtxSynchronize());
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_GE(work[2].start_ns, work[0].end_ns);
  EXPECT_TRUE(Overlap(work[1], work[2])) << "it waits for what came before the event only";
}

TEST(Stream, LegacyDefaultStreamWaitsForBlockingStreamsAndTheyForIt) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 100000, 256));
    EXPECT_CUDA(gpu.Launch(gpu.beta, nullptr, 100000, 128));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_EQ(work[1].stream, 7u);
  EXPECT_GE(work[1].start_ns, work[0].end_ns);
  EXPECT_GE(work[2].start_ns, work[1].end_ns);
}

TEST(Stream, NonBlockingStreamIgnoresTheLegacyDefaultStream) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUstream free_stream;
    EXPECT_CUDA(cuStreamCreate(&free_stream, CU_STREAM_NON_BLOCKING));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, nullptr, 100000, 256));
    EXPECT_CUDA(gpu.Launch(gpu.beta, free_stream));
    EXPECT_CUDA(cuCtxSynchronize());
  });
  ASSERT_EQ(work.size(), 2u);
  EXPECT_TRUE(Overlap(work[0], work[1]));
}

TEST(Stream, PerThreadDefaultStreamsAreDifferentAndWaitForTheLegacyOne) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, CU_STREAM_PER_THREAD, 100000, 256));
    std::thread([&] {
      EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
      EXPECT_CUDA(gpu.Launch(gpu.beta, CU_STREAM_PER_THREAD, 100000, 128));
    }).join();
    EXPECT_CUDA(gpu.Launch(gpu.gamma, CU_STREAM_LEGACY));
    EXPECT_CUDA(cuCtxSynchronize());
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_NE(work[0].stream, work[1].stream);
  EXPECT_TRUE(Overlap(work[0], work[1]));
  EXPECT_GE(work[2].start_ns, std::max(work[0].end_ns, work[1].end_ns));
}

TEST(Stream, PerThreadDoorsTakeNullForTheThreadsOwnStream) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(64);
    char bytes[64] = {};
    void* launch = nullptr;
    void* copy = nullptr;
    constexpr cuuint64_t kPerThread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
    EXPECT_CUDA(cuGetProcAddress_v2("cuLaunchKernel", &launch, 13000, kPerThread, nullptr));
    EXPECT_CUDA(cuGetProcAddress_v2("cuMemcpyHtoD", &copy, 13000, kPerThread, nullptr));
    EXPECT_CUDA(reinterpret_cast<decltype(&cuLaunchKernel)>(launch)(gpu.alpha, 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr,
                                                                    nullptr));
    EXPECT_CUDA(reinterpret_cast<decltype(&cuMemcpyHtoD)>(copy)(memory, bytes, sizeof(bytes)));
    EXPECT_CUDA(cuMemcpyHtoD(memory, bytes, sizeof(bytes)));
  });
  ASSERT_EQ(work.size(), 3u);
  EXPECT_NE(work[0].stream, 7u);
  EXPECT_EQ(work[1].stream, work[0].stream);
  EXPECT_EQ(work[2].stream, 7u);
}

TEST(Stream, QueryAndSynchronizeGoByTheClock) {
  InChild([] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 1000000, 256));
    EXPECT_EQ(cuStreamQuery(gpu.stream), CUDA_ERROR_NOT_READY);
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUDA(cuStreamQuery(gpu.stream));
    // Asking again and again lets time pass, so a polling loop ends.
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 10000, 256));
    int polls = 0;
    while (cuStreamQuery(gpu.stream) == CUDA_ERROR_NOT_READY) ++polls;
    EXPECT_GT(polls, 1);
  });
}

TEST(Event, ElapsedTimeIsThatOfTheWorkBetween) {
  std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    CUevent start, end;
    EXPECT_CUDA(cuEventCreate(&start, CU_EVENT_DEFAULT));
    EXPECT_CUDA(cuEventCreate(&end, CU_EVENT_DEFAULT));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    EXPECT_CUDA(cuEventRecord(start, gpu.stream));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 100000, 256));
    EXPECT_CUDA(cuEventRecord(end, gpu.stream));
    float milliseconds = 0;
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end), CUDA_ERROR_NOT_READY);
    EXPECT_EQ(cuEventQuery(end), CUDA_ERROR_NOT_READY);
    EXPECT_CUDA(cuEventSynchronize(end));
    EXPECT_CUDA(cuEventQuery(end));
    EXPECT_CUDA(cuEventElapsedTime(&milliseconds, start, end));
    // The kernel, and the gap before it.
    EXPECT_NEAR(milliseconds, 0.5908, 0.0001);
  });
  ASSERT_EQ(work.size(), 2u);
  EXPECT_EQ(work[1].end_ns - work[0].end_ns, 590800u);
}

TEST(Event, MisuseHasItsOwnErrors) {
  InChild([] {
    const GpuProgram gpu;
    CUevent timed, untimed;
    EXPECT_CUDA(cuEventCreate(&timed, CU_EVENT_DEFAULT));
    EXPECT_CUDA(cuEventCreate(&untimed, CU_EVENT_DISABLE_TIMING));
    float milliseconds = 0;
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, timed, timed), CUDA_ERROR_INVALID_HANDLE) << "never recorded";
    EXPECT_CUDA(cuEventQuery(timed));
    EXPECT_CUDA(cuEventSynchronize(timed));
    EXPECT_CUDA(cuEventRecord(timed, nullptr));
    EXPECT_CUDA(cuEventRecord(untimed, nullptr));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_EQ(cuEventElapsedTime(&milliseconds, timed, untimed), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cuEventCreate(&timed, 0x80), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CUDA(cuEventDestroy(untimed));
    EXPECT_EQ(cuEventDestroy(untimed), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cuEventRecord(untimed, nullptr), CUDA_ERROR_INVALID_HANDLE);
  });
}

TEST(Stream, DestroyedHandleIsRecognised) {
  InChild([] {
    const GpuProgram gpu;
    CUstream stream;
    EXPECT_CUDA(cuStreamCreate(&stream, CU_STREAM_DEFAULT));
    EXPECT_CUDA(cuStreamDestroy(stream));
    EXPECT_EQ(cuStreamDestroy(stream), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(gpu.Launch(gpu.alpha, stream), CUDA_ERROR_INVALID_HANDLE);
    // Neither is anything else taken for one, readable memory or not.
    CUevent event;
    EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
    for (const uintptr_t garbage :
         {uintptr_t{0x10000}, reinterpret_cast<uintptr_t>(event), reinterpret_cast<uintptr_t>(&gpu)}) {
      EXPECT_EQ(cuStreamSynchronize(reinterpret_cast<CUstream>(garbage)), CUDA_ERROR_INVALID_HANDLE);
    }
  });
}

TEST(Stream, PrioritiesAndFlags) {
  InChild([] {
    const GpuProgram gpu;
    int least = 0, greatest = 0, priority = 0;
    EXPECT_CUDA(cuCtxGetStreamPriorityRange(&least, &greatest));
    EXPECT_LT(greatest, least);
    CUstream stream;
    EXPECT_CUDA(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, -100));
    EXPECT_CUDA(cuStreamGetPriority(stream, &priority));
    EXPECT_EQ(priority, greatest);
    unsigned flags = 0;
    EXPECT_CUDA(cuStreamGetFlags(stream, &flags));
    EXPECT_EQ(flags, unsigned{CU_STREAM_NON_BLOCKING});
    unsigned long long first = 0, second = 0;
    EXPECT_CUDA(cuStreamGetId(stream, &first));
    EXPECT_CUDA(cuStreamGetId(gpu.stream, &second));
    EXPECT_NE(first, second);
  });
}

// What a host function saw.
struct Seen {
  CUdeviceptr source = 0;
  char host[8] = {};
  std::thread::id thread;
  CUresult nested = CUDA_SUCCESS;
};

TEST(HostFunction, RunsInOrderOnAnotherThreadAndMayNotCallCuda) {
  const std::vector<LedgerLine> work = Executed([] {
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(8);
    Seen seen;
    char before[8] = "before", after[8] = {};
    EXPECT_CUDA(cuMemcpyHtoDAsync(memory, before, sizeof(before), gpu.stream));
    EXPECT_CUDA(cuMemcpyDtoHAsync(seen.host, memory, sizeof(seen.host), gpu.stream));
    EXPECT_CUDA(cuLaunchHostFunc(
        gpu.stream,
        [](void* argument) {
          auto* const s = static_cast<Seen*>(argument);
          s->thread = std::this_thread::get_id();
          s->nested = cuCtxSynchronize();
          EXPECT_STREQ(s->host, "before");
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          std::copy_n("changed", 8, s->host);
        },
        &seen));
    // Everything behind it sees what it did.
    EXPECT_CUDA(cuMemcpyHtoDAsync(memory, seen.host, sizeof(seen.host), gpu.stream));
    EXPECT_CUDA(cuMemcpyDtoHAsync(after, memory, sizeof(after), gpu.stream));
    EXPECT_EQ(cuStreamQuery(gpu.stream), CUDA_ERROR_NOT_READY);
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_STREQ(after, "changed");
    EXPECT_NE(seen.thread, std::this_thread::get_id());
    EXPECT_EQ(seen.nested, CUDA_ERROR_NOT_PERMITTED);
  });
  ASSERT_EQ(work.size(), 4u);
  EXPECT_GE(work[2].start_ns, work[1].end_ns + 10000) << "the function takes time";
}

TEST(HostFunction, HoldsBackEventsOtherStreamsAndTheDefaultStream) {
  InChild([] {
    const GpuProgram gpu;
    CUstream other;
    CUevent event;
    EXPECT_CUDA(cuStreamCreate(&other, CU_STREAM_DEFAULT));
    EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
    static std::atomic<int> step{0};
    EXPECT_CUDA(cuLaunchHostFunc(
        gpu.stream,
        [](void*) {
          while (step.load() == 0) std::this_thread::yield();
          step.store(2);
        },
        nullptr));
    EXPECT_CUDA(cuEventRecord(event, gpu.stream));
    EXPECT_CUDA(cuStreamWaitEvent(other, event, 0));
    static int seen_by_other = 0, seen_by_default = 0;
    EXPECT_CUDA(cuLaunchHostFunc(
        other, [](void*) { seen_by_other = step.load(); }, nullptr));
    EXPECT_CUDA(cuLaunchHostFunc(
        CU_STREAM_LEGACY, [](void*) { seen_by_default = step.load(); }, nullptr));
    EXPECT_EQ(cuEventQuery(event), CUDA_ERROR_NOT_READY);
    step.store(1);
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_EQ(seen_by_other, 2);
    EXPECT_EQ(seen_by_default, 2);
    EXPECT_CUDA(cuEventQuery(event));
  });
}

TEST(HostFunction, StreamMayBeDestroyedWithWorkInIt) {
  InChild([] {
    const GpuProgram gpu;
    CUstream stream;
    EXPECT_CUDA(cuStreamCreate(&stream, CU_STREAM_DEFAULT));
    static std::atomic<bool> go{false}, done{false};
    EXPECT_CUDA(cuStreamAddCallback(
        stream,
        [](CUstream, CUresult status, void*) {
          EXPECT_CUDA(status);
          while (!go.load()) std::this_thread::yield();
          done.store(true);
        },
        nullptr, 0));
    EXPECT_CUDA(cuStreamDestroy(stream));
    go.store(true);
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_TRUE(done.load());
  });
}

TEST(StreamValue, WaitIsOverWhenTheHostWrites) {
  InChild([] {
    const GpuProgram gpu;
    void* flag = nullptr;
    EXPECT_CUDA(cuMemHostAlloc(&flag, 4, CU_MEMHOSTALLOC_DEVICEMAP));
    std::atomic_ref<uint32_t> value(*static_cast<uint32_t*>(flag));
    value.store(0);
    const auto address = reinterpret_cast<CUdeviceptr>(flag);
    EXPECT_CUDA(cuStreamWaitValue32(gpu.stream, address, 5, CU_STREAM_WAIT_VALUE_GEQ));
    EXPECT_CUDA(cuStreamWriteValue32(gpu.stream, address, 9, 0));
    EXPECT_EQ(cuStreamQuery(gpu.stream), CUDA_ERROR_NOT_READY);
    value.store(6);
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_EQ(value.load(), 9u);
  });
}

TEST(Clock, RealClockReallyWaits) {
  const std::vector<LedgerLine> work = Executed(
      [] {
        const GpuProgram gpu;
        const auto start = std::chrono::steady_clock::now();
        EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 2000000, 256));
        EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
        const auto waited = std::chrono::steady_clock::now() - start;
        EXPECT_GE(waited, std::chrono::milliseconds(11));
        EXPECT_LT(waited, std::chrono::milliseconds(500));
      },
      {{"SIMGPU_CLOCK", "real"}});
  ASSERT_EQ(work.size(), 1u);
  EXPECT_EQ(work[0].end_ns - work[0].start_ns, 11723000u);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(static_cast<double>(work[0].end_ns) / 1e9, std::chrono::duration<double>(now).count(), 60.0);
}

}  // namespace
}  // namespace simgpu::test
