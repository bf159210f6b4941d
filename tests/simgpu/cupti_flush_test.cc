// SPDX-License-Identifier: Apache-2.0
// When buffers are asked for, and when they come back.
#include <cuda.h>
#include <cupti.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

constexpr size_t kKernelBytes = sizeof(CUpti_ActivityKernel10);

void EnableKernels() { EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)); }

std::vector<CUpti_ActivityKernel10> Kernels(const ActivityRecorder& recorder) {
  return recorder.Records<CUpti_ActivityKernel10>(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
}

// Waits, in real time, until `count` buffers have come back.
bool WaitForBuffers(const ActivityRecorder& recorder, size_t count) {
  for (int i = 0; i < 2000 && recorder.Buffers().size() < count; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return recorder.Buffers().size() >= count;
}

TEST(CuptiFlush, PlainFlushWithholdsBuffersWithUnfinishedWork) {
  InChild([] {
    const ActivityRecorder recorder;
    EnableKernels();
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 100000, 256));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_TRUE(recorder.Buffers().empty());
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    ASSERT_EQ(Kernels(recorder).size(), 1u);
    EXPECT_NE(Kernels(recorder)[0].end, 0u);
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_EQ(recorder.Buffers().size(), 1u) << "there is nothing more";
  });
}

TEST(CuptiFlush, ForcedFlushDeliversUnfinishedWorkWithoutItsTimes) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    const ActivityRecorder recorder;
    EnableKernels();
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 100000, 256));
    EXPECT_CUDA(gpu.Launch(gpu.beta, gpu.stream));
    for (int i = 0; i < 10; ++i) EXPECT_EQ(cuStreamQuery(gpu.stream), CUDA_ERROR_NOT_READY);
    EXPECT_CUPTI(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
    const auto kernels = Kernels(recorder);
    ASSERT_EQ(kernels.size(), 2u);
    EXPECT_NE(kernels[0].start, 0u) << "running";
    EXPECT_EQ(kernels[0].end, 0u);
    EXPECT_EQ(kernels[0].completed, 0u);
    EXPECT_EQ(kernels[1].start, 0u) << "not yet started";
    EXPECT_EQ(kernels[1].end, 0u);
  });
  EXPECT_EQ(ReadLedger(ledger).size(), 2u) << "executed all the same";
}

TEST(CuptiFlush, AskedOnTheApplicationThread_HandedBackOnAWorker) {
  InChild([] {
    const ActivityRecorder recorder(2 * kKernelBytes);
    EnableKernels();
    const GpuProgram gpu;
    for (int i = 0; i < 7; ++i) {
      EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
      EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    }
    ASSERT_TRUE(WaitForBuffers(recorder, 3));
    for (const RecordedBuffer& buffer : recorder.Buffers()) {
      EXPECT_NE(buffer.thread, std::this_thread::get_id());
      EXPECT_EQ(buffer.bytes.size(), 2 * kKernelBytes);
    }
    for (const std::thread::id& thread : recorder.RequestThreads()) EXPECT_EQ(thread, std::this_thread::get_id());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_EQ(recorder.Buffers().back().thread, std::this_thread::get_id())
        << "a flush hands back what it finds itself";
    EXPECT_EQ(Kernels(recorder).size(), 7u);
  });
}

TEST(CuptiFlush, FullButUnfinishedBufferComesWhenItsWorkIsDone) {
  InChild([] {
    const ActivityRecorder recorder(kKernelBytes);
    EnableKernels();
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 1000000, 256));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    EXPECT_TRUE(recorder.Buffers().empty());
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_TRUE(WaitForBuffers(recorder, 1));
  });
}

TEST(CuptiFlush, PeriodDeliversFullBuffersOnly) {
  InChild([] {
    const ActivityRecorder recorder(2 * kKernelBytes);
    EnableKernels();
    EXPECT_CUPTI(cuptiActivityFlushPeriod(10));
    const GpuProgram gpu;
    for (int i = 0; i < 3; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    ASSERT_TRUE(WaitForBuffers(recorder, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(recorder.Buffers().size(), 1u) << "the third record waits for a flush";
  });
}

TEST(CuptiFlush, RefusedBufferMeansDroppedRecords) {
  InChild([] {
    const ActivityRecorder recorder(0);
    EnableKernels();
    const GpuProgram gpu;
    for (int i = 0; i < 5; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    size_t dropped = 0;
    EXPECT_CUPTI(cuptiActivityGetNumDroppedRecords(nullptr, 0, &dropped));
    EXPECT_EQ(dropped, 5u);
    EXPECT_CUPTI(cuptiActivityGetNumDroppedRecords(nullptr, 0, &dropped));
    EXPECT_EQ(dropped, 0u) << "reading resets it";
    EXPECT_EQ(cuptiActivityGetNumDroppedRecords(nullptr, 0, nullptr), CUPTI_ERROR_INVALID_PARAMETER);
  });
}

TEST(CuptiFlush, BufferTooSmallForARecordComesBackEmpty) {
  InChild([] {
    const ActivityRecorder recorder(64);
    EnableKernels();
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    size_t dropped = 0;
    EXPECT_CUPTI(cuptiActivityGetNumDroppedRecords(nullptr, 0, &dropped));
    EXPECT_EQ(dropped, 1u);
    ASSERT_EQ(recorder.Buffers().size(), 1u);
    EXPECT_TRUE(recorder.Buffers()[0].bytes.empty());
  });
}

TEST(CuptiFlush, NeedsCallbacks) {
  InChild([] {
    EXPECT_CUDA(cuInit(0));
    EXPECT_EQ(cuptiActivityFlushAll(0), CUPTI_ERROR_INVALID_OPERATION);
    EXPECT_EQ(cuptiActivityRegisterCallbacks(nullptr, nullptr), CUPTI_ERROR_INVALID_PARAMETER);
  });
}

TEST(CuptiFlush, OneBufferPerThreadOrOneForAll) {
  for (const uint8_t per_thread : {uint8_t{0}, uint8_t{1}}) {
    InChild([=] {
      const ActivityRecorder recorder;
      size_t size = 1;
      uint8_t value = per_thread;
      EXPECT_CUPTI(cuptiActivitySetAttribute(CUPTI_ACTIVITY_ATTR_PER_THREAD_ACTIVITY_BUFFER, &size, &value));
      EnableKernels();
      const GpuProgram gpu;
      EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
      std::thread([&] {
        EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
        EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
      }).join();
      EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
      EXPECT_CUPTI(cuptiActivityFlushAll(0));
      EXPECT_EQ(recorder.Buffers().size(), per_thread != 0 ? 2u : 1u);
      EXPECT_EQ(Kernels(recorder).size(), 2u);
    });
  }
}

TEST(CuptiFlush, RecordsSurviveTheirContext) {
  InChild([] {
    const ActivityRecorder recorder;
    EnableKernels();
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUDA(cuCtxDestroy(gpu.context));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    ASSERT_EQ(Kernels(recorder).size(), 1u);
    EXPECT_STREQ(Kernels(recorder)[0].name, "alpha") << "and so does the name";
  });
}

TEST(CuptiFlush, FinalizeDetachesAndDeliversTheRest) {
  InChild([] {
    const ActivityRecorder recorder;
    EnableKernels();
    const auto callback = [](void* calls, CUpti_CallbackDomain, CUpti_CallbackId, const void*) {
      ++*static_cast<int*>(calls);
    };
    int calls = 0;
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_CUPTI(cuptiSubscribe(&subscriber, callback, &calls));
    EXPECT_CUPTI(cuptiEnableAllDomains(1, subscriber));
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUPTI(cuptiFinalize());
    EXPECT_NE(calls, 0);
    calls = 0;
    EXPECT_EQ(Kernels(recorder).size(), 1u);
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
    EXPECT_EQ(Kernels(recorder).size(), 1u);
    EnableKernels();
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
    EXPECT_EQ(Kernels(recorder).size(), 2u) << "it can be attached again";
    EXPECT_EQ(calls, 0) << "but the subscription is over";
    EXPECT_CUPTI(cuptiSubscribe(&subscriber, callback, &calls));
  });
}

// Another client, which has no subscription and needs none.
struct Newcomer {
  static inline std::vector<uint8_t*> asked, got;
  static inline size_t bytes = 0;

  static void Request(uint8_t** buffer, size_t* size, size_t* most_records) {
    static uint8_t memory[4][8192];
    *buffer = memory[asked.size() % 4];
    *size = sizeof(memory[0]);
    *most_records = 0;
    asked.push_back(*buffer);
  }
  static void Complete(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
    got.push_back(buffer);
    bytes += valid;
  }
};

TEST(CuptiFlush, WhoRegistersLastGetsEverything) {
  InChild([] {
    const ActivityRecorder recorder;
    EnableKernels();
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUPTI(cuptiActivityRegisterCallbacks(&Newcomer::Request, &Newcomer::Complete));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_TRUE(recorder.Buffers().empty());
    ASSERT_EQ(Newcomer::got.size(), 1u);
    EXPECT_TRUE(Newcomer::asked.empty()) << "it is the other's buffer, and has the records of both";
    EXPECT_EQ(Newcomer::bytes, 2 * kKernelBytes);
    std::free(Newcomer::got.front());  // the recorder's, which is never told of it
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_EQ(Newcomer::asked.size(), 1u);
    EXPECT_EQ(Newcomer::bytes, 3 * kKernelBytes);
  });
}

TEST(CuptiFlush, AKindIsSwitchedOffForEverybody) {
  InChild([] {
    const ActivityRecorder recorder;
    EnableKernels();
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_CUPTI(cuptiSubscribe(
        &subscriber, [](void*, CUpti_CallbackDomain, CUpti_CallbackId, const void*) {}, nullptr));
    const GpuProgram gpu;
    EXPECT_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));  // no handle says who does it
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_TRUE(recorder.Buffers().empty());
    uint32_t enabled = 1;
    EXPECT_CUPTI(cuptiGetCallbackState(&enabled, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, 307));
    EXPECT_CUPTI(cuptiFinalize());
    EXPECT_EQ(cuptiGetCallbackState(&enabled, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, 307),
              CUPTI_ERROR_INVALID_PARAMETER);
  });
}

TEST(CuptiFlush, ManyThreadsLoseNothing) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    constexpr int kThreads = 16, kLaunches = 500;
    const ActivityRecorder recorder(20 * kKernelBytes);
    EnableKernels();
    const GpuProgram gpu;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
        CUstream stream;
        EXPECT_CUDA(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
        for (int i = 0; i < kLaunches; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, i % 3 == 0 ? gpu.stream : stream));
        EXPECT_CUPTI(cuptiActivityFlushAll(0));
        EXPECT_CUDA(cuStreamSynchronize(stream));
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    std::set<uint32_t> ids;
    for (const CUpti_ActivityKernel10& kernel : Kernels(recorder)) ids.insert(kernel.correlationId);
    EXPECT_EQ(Kernels(recorder).size(), size_t{kThreads} * kLaunches);
    EXPECT_EQ(ids.size(), size_t{kThreads} * kLaunches);
    size_t dropped = 1;
    EXPECT_CUPTI(cuptiActivityGetNumDroppedRecords(nullptr, 0, &dropped));
    EXPECT_EQ(dropped, 0u);
  });
  EXPECT_EQ(ReadLedger(ledger).size(), 8000u);
}

}  // namespace
}  // namespace simgpu::test
