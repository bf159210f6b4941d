// SPDX-License-Identifier: Apache-2.0
// Every fault that SIMGPU_FAULTS can cause, seen by a client of CUPTI. Those of NVML are in nvml_test.cc.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cupti.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

void WithFaults(const std::string& faults, const std::function<void()>& body) {
  InChild({{"SIMGPU_FAULTS", faults}}, body);
}

std::vector<CUpti_ActivityKernel10> Kernels(const ActivityRecorder& recorder) {
  return recorder.Records<CUpti_ActivityKernel10>(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
}

// Records of `launches` launches of one stream.
void RunKernels(const GpuProgram& gpu, int launches) {
  for (int i = 0; i < launches; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
  EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  EXPECT_CUPTI(cuptiActivityFlushAll(0));
}

void RecordKernels(int launches) {
  EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
  RunKernels(GpuProgram(), launches);
}

void CountCall(void* count, CUpti_CallbackDomain, CUpti_CallbackId, const void*) { ++*static_cast<int*>(count); }

TEST(FunctionFault, AnyFunctionAlwaysOnceOrFromSomeCallOn) {
  WithFaults("cuInit=100", [] { EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE); });
  WithFaults("cuMemAlloc_v2:2=2,cudaMalloc:3+=46", [] {
    const GpuProgram gpu;
    CUdeviceptr address = 0;
    EXPECT_CUDA(cuMemAlloc(&address, 64));
    EXPECT_EQ(cuMemAlloc(&address, 64), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_CUDA(cuMemAlloc(&address, 64));
    void* memory = nullptr;
    for (int i = 1; i <= 4; ++i)
      EXPECT_EQ(cudaMalloc(&memory, 64), i < 3 ? cudaSuccess : cudaErrorDevicesUnavailable) << i;
  });
  WithFaults("cuptiSubscribe=39,cuptiActivityEnable:2=15,cuptiActivityFlushAll:1=999", [] {
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_EQ(cuptiSubscribe(&subscriber, &CountCall, nullptr), CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY));
    EXPECT_EQ(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMSET), CUPTI_ERROR_NOT_INITIALIZED);
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMSET));
    EXPECT_EQ(cuptiActivityFlushAll(0), CUPTI_ERROR_UNKNOWN);
  });
  // A failed call does nothing, but a profiler sees it.
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_FAULTS", "cuLaunchKernel:2=719"}, {"SIMGPU_LEDGER", ledger}}, [] {
    int calls = 0;
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_CUPTI(cuptiSubscribe(&subscriber, &CountCall, &calls));
    EXPECT_CUPTI(
        cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel));
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_EQ(gpu.Launch(gpu.alpha, gpu.stream), CUDA_ERROR_LAUNCH_FAILED);
    EXPECT_EQ(calls, 4);
  });
  EXPECT_EQ(ReadLedger(ledger).size(), 1u);
}

TEST(FunctionFault, OfOneThread) {
  WithFaults("cuMemGetInfo_v2@worker-1:2=999", [] {
    const GpuProgram gpu;
    size_t left = 0, total = 0;
    const auto ask_twice = [&](CUresult second) {
      EXPECT_CUDA(cuCtxSetCurrent(gpu.context));
      EXPECT_CUDA(cuMemGetInfo(&left, &total));
      EXPECT_EQ(cuMemGetInfo(&left, &total), second);
    };
    ask_twice(CUDA_SUCCESS);
    std::thread([&] {
      pthread_setname_np(pthread_self(), "worker-1");
      ask_twice(CUDA_ERROR_UNKNOWN);
    }).join();
  });
}

TEST(FunctionFault, CallsAreCounted) {
  const std::string counts = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_CALL_COUNTS", counts}}, [] {
    pthread_setname_np(pthread_self(), "counted");
    const GpuProgram gpu;
    for (int i = 0; i < 3; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
  });
  std::ifstream file(counts);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(text.find(R"({"function":"cuLaunchKernel","thread":"counted","calls":3})"), std::string::npos) << text;
}

TEST(FunctionFault, MistakesAreNamed) {
  const ChildResult result = RunInChild({{"SIMGPU_FAULTS", "shufle,cuInit=never,cuMemAlloc_v2:0=2,,tiny-buffers"}},
                                        [] { EXPECT_CUDA(cuInit(0)); });
  EXPECT_EQ(result.exit_code, 0);
  for (const char* const entry : {"shufle", "cuInit=never", "cuMemAlloc_v2:0=2"}) {
    EXPECT_NE(result.errors.find(entry), std::string::npos) << result.errors;
  }
  EXPECT_EQ(result.errors.find("tiny-buffers"), std::string::npos);
}

TEST(Fault, SecondClient) {
  WithFaults("second-client=Nsight Systems", [] {
    CUpti_SubscriberHandle subscriber = nullptr;
    char holder[64] = "";
    CUpti_SubscriberParams params = {CUpti_SubscriberParams_STRUCT_SIZE, "Tests", holder, sizeof(holder)};
    EXPECT_EQ(cuptiSubscribe_v2(&subscriber, &CountCall, nullptr, &params),
              CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
    EXPECT_STREQ(holder, "CUPTI for Nsight Systems");
  });
}

TEST(Fault, StealBuffers) {
  WithFaults("steal-buffers=4", [] {
    const ActivityRecorder recorder(3 * sizeof(CUpti_ActivityKernel10));
    RecordKernels(10);
    EXPECT_LT(Kernels(recorder).size(), 10u) << "the other client got the rest";
    size_t dropped = 1;
    EXPECT_CUPTI(cuptiActivityGetNumDroppedRecords(nullptr, 0, &dropped));
    EXPECT_EQ(dropped, 0u) << "and nothing says so";
  });
}

TEST(Fault, ZeroStamps) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_FAULTS", "zero-stamps=3"}, {"SIMGPU_LEDGER", ledger}}, [] {
    const ActivityRecorder recorder;
    RecordKernels(9);
    const auto kernels = Kernels(recorder);
    ASSERT_EQ(kernels.size(), 9u);
    for (size_t i = 0; i < kernels.size(); ++i) {
      EXPECT_EQ(kernels[i].start == 0, i % 3 == 2) << i;
      EXPECT_EQ(kernels[i].end == 0, i % 3 == 2) << i;
    }
  });
  for (const LedgerLine& line : ReadLedger(ledger)) EXPECT_GT(line.start_ns, 0u) << "the truth is not touched";
}

TEST(Fault, IdsOfNobody) {
  WithFaults("zero-correlations=3,foreign-contexts=2", [] {
    const ActivityRecorder recorder;
    RecordKernels(6);
    const auto kernels = Kernels(recorder);
    ASSERT_EQ(kernels.size(), 6u);
    for (size_t i = 0; i < kernels.size(); ++i) {
      EXPECT_EQ(kernels[i].correlationId == 0, i % 3 == 2) << i;
      EXPECT_EQ(kernels[i].contextId != kernels[0].contextId, i % 2 == 1) << i;
    }
  });
}

TEST(Fault, DuplicateRecords) {
  WithFaults("duplicate-records=4", [] {
    const ActivityRecorder recorder;
    RecordKernels(8);
    const auto kernels = Kernels(recorder);
    ASSERT_EQ(kernels.size(), 10u);
    EXPECT_EQ(kernels[3].correlationId, kernels[4].correlationId);
    EXPECT_NE(kernels[4].correlationId, kernels[5].correlationId);
  });
}

TEST(Fault, SwapStamps) {
  WithFaults("swap-stamps=4", [] {
    const ActivityRecorder recorder;
    RecordKernels(8);
    const auto kernels = Kernels(recorder);
    const auto swapped = [](const CUpti_ActivityKernel10& kernel) { return kernel.end < kernel.start; };
    EXPECT_EQ(std::count_if(kernels.begin(), kernels.end(), swapped), 2);
  });
}

TEST(Fault, Shuffle) {
  const auto order = [](const char* faults) {
    std::vector<uint32_t> ids(50);
    const std::string file = TemporaryFile(".ids");
    WithFaults(faults, [&] {
      const ActivityRecorder recorder;
      RecordKernels(50);
      FILE* const out = std::fopen(file.c_str(), "wb");
      for (const CUpti_ActivityKernel10& kernel : Kernels(recorder)) std::fwrite(&kernel.correlationId, 4, 1, out);
      std::fclose(out);
    });
    FILE* const in = std::fopen(file.c_str(), "rb");
    EXPECT_EQ(std::fread(ids.data(), 4, 50, in), 50u) << "all of them";
    std::fclose(in);
    return ids;
  };
  const std::vector<uint32_t> straight = order("");
  EXPECT_TRUE(std::is_sorted(straight.begin(), straight.end()));
  std::vector<uint32_t> shuffled = order("shuffle");
  EXPECT_NE(shuffled, straight);
  EXPECT_EQ(shuffled, order("shuffle"));
  EXPECT_NE(shuffled, order("shuffle=2"));
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, straight);
}

TEST(Fault, TinyBuffers) {
  for (const auto& [faults, bytes] : {std::pair{"tiny-buffers", 512u}, {"tiny-buffers=1", 216u}}) {
    WithFaults(faults, [bytes = bytes] {
      const ActivityRecorder recorder;
      RecordKernels(20);
      EXPECT_EQ(Kernels(recorder).size(), 20u);
      EXPECT_GE(recorder.Buffers().size(), 10u);
      for (const RecordedBuffer& buffer : recorder.Buffers()) EXPECT_LE(buffer.bytes.size(), bytes);
    });
  }
}

TEST(Fault, DropRecords) {
  WithFaults("drop-records=5", [] {
    const ActivityRecorder recorder;
    RecordKernels(25);
    EXPECT_EQ(Kernels(recorder).size(), 20u);
    size_t dropped = 0;
    EXPECT_CUPTI(cuptiActivityGetNumDroppedRecords(nullptr, 0, &dropped));
    EXPECT_EQ(dropped, 5u);
  });
}

TEST(Fault, NullSymbol) {
  WithFaults("null-symbol", [] {
    const ActivityRecorder recorder;
    static bool named = false;
    CUpti_SubscriberHandle subscriber = nullptr;
    const auto callback = [](void*, CUpti_CallbackDomain, CUpti_CallbackId, const void* data) {
      named |= static_cast<const CUpti_CallbackData*>(data)->symbolName != nullptr;
    };
    EXPECT_CUPTI(cuptiSubscribe(&subscriber, callback, nullptr));
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API));
    RecordKernels(1);
    EXPECT_FALSE(named);
    ASSERT_EQ(Kernels(recorder).size(), 1u);
    EXPECT_EQ(Kernels(recorder)[0].name, nullptr);
  });
}

TEST(Fault, UnknownKind) {
  WithFaults("unknown-kind=3", [] {
    const ActivityRecorder recorder;
    RecordKernels(9);
    EXPECT_EQ(Kernels(recorder).size(), 9u);
    EXPECT_EQ(recorder.Records<CUpti_Activity>(static_cast<CUpti_ActivityKind>(120)).size(), 3u);
    EXPECT_EQ(recorder.CountAll(), 12u);
  });
}

TEST(Fault, LateWorker) {
  WithFaults("late-worker=200", [] {
    const ActivityRecorder recorder(sizeof(CUpti_ActivityKernel10));
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
    const GpuProgram gpu;
    for (int i = 0; i < 3; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    EXPECT_TRUE(recorder.Buffers().empty()) << "full and finished, but nobody came for them";
    for (int i = 0; i < 500 && recorder.Buffers().size() < 2; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(recorder.Buffers().size(), 2u);
  });
}

TEST(Fault, FlushHang) {
  WithFaults("flush-hang=150", [] {
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(150));
  });
}

TEST(Fault, StuckTimestamp) {
  WithFaults("stuck-timestamp=2", [] {
    const GpuProgram gpu;
    for (int i = 1; i <= 3; ++i) {
      uint64_t now = 0;
      const auto start = std::chrono::steady_clock::now();
      EXPECT_CUPTI(cuptiGetTimestamp(&now));
      EXPECT_EQ(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(400), i == 2);
    }
  });
}

TEST(Fault, LateCallbacks) {
  WithFaults("late-callbacks=3", [] {
    int calls = 0;
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_CUPTI(cuptiSubscribe(&subscriber, &CountCall, &calls));
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API));
    const GpuProgram gpu;
    EXPECT_CUPTI(cuptiUnsubscribe(subscriber));
    calls = 0;
    for (int i = 0; i < 10; ++i) EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_EQ(calls, 3);
  });
}

TEST(Fault, GraphIdReuse) {
  const auto ids = [](bool* same) {
    EXPECT_CUDA(cuInit(0));
    CUgraph graph = nullptr;
    uint32_t first = 0, second = 0;
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    EXPECT_CUPTI(cuptiGetGraphId(graph, &first));
    EXPECT_CUDA(cuGraphDestroy(graph));
    EXPECT_CUDA(cuGraphCreate(&graph, 0));
    EXPECT_CUPTI(cuptiGetGraphId(graph, &second));
    *same = first == second;
  };
  WithFaults("graph-id-reuse", [&] {
    bool same = false;
    ids(&same);
    EXPECT_TRUE(same);
  });
  WithFaults("", [&] {
    bool same = true;
    ids(&same);
    EXPECT_FALSE(same);
  });
}

TEST(Fault, HighCorrelationIds) {
  WithFaults("high-correlation-ids", [] {
    const ActivityRecorder recorder;
    RecordKernels(400);
    const auto kernels = Kernels(recorder);
    ASSERT_EQ(kernels.size(), 400u);
    std::set<uint32_t> ids;
    for (const CUpti_ActivityKernel10& kernel : kernels) ids.insert(kernel.correlationId);
    EXPECT_EQ(ids.size(), 400u);
    EXPECT_FALSE(ids.contains(0)) << "which means no call";
    EXPECT_GT(*ids.rbegin(), UINT32_MAX - 100) << "the last before the end";
    EXPECT_LT(*ids.begin(), 100u) << "and then from the beginning again";
  });
}

TEST(Fault, OldDriver) {
  WithFaults("old-driver", [] {
    const ActivityRecorder recorder;
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_EQ(cuptiSubscribe(&subscriber, &CountCall, nullptr), CUPTI_ERROR_UNKNOWN);
    EXPECT_EQ(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY), CUPTI_ERROR_UNKNOWN);
    EXPECT_CUDA(cuInit(0)) << "the program is not disturbed";
  });
}

TEST(Fault, WrongInvisibleUuids) {
  for (const bool wrong : {false, true}) {
    InChild({{"SIMGPU_FAULTS", wrong ? "wrong-invisible-uuids" : ""}, {"CUDA_VISIBLE_DEVICES", "0"}}, [=] {
      const ActivityRecorder recorder;
      EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_DEVICE));
      EXPECT_CUDA(cuInit(0));
      EXPECT_CUPTI(cuptiActivityFlushAll(0));
      const auto devices = recorder.Records<CUpti_ActivityDevice5>(CUPTI_ACTIVITY_KIND_DEVICE);
      ASSERT_EQ(devices.size(), 3u);
      CUuuid uuid;
      EXPECT_CUDA(cuDeviceGetUuid_v2(&uuid, 0));
      const auto same = [](CUuuid a, CUuuid b) { return std::memcmp(&a, &b, sizeof(a)) == 0; };
      EXPECT_TRUE(same(devices[0].migUuid, uuid)) << "the visible one is right";
      EXPECT_EQ(same(devices[1].migUuid, devices[2].migUuid), wrong);
      EXPECT_EQ(same(devices[1].uuid, devices[0].uuid), !wrong);
      for (const CUpti_ActivityDevice5& each : devices) free(const_cast<char*>(each.name));
    });
  }
}

TEST(Fault, FatalError) {
  WithFaults("fatal-error=5", [] {
    static int state_calls = 0, api_calls = 0;
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL));
    const auto callback = [](void*, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* data) {
      api_calls += domain == CUPTI_CB_DOMAIN_DRIVER_API ? 1 : 0;
      if (domain != CUPTI_CB_DOMAIN_STATE) return;
      ++state_calls;
      EXPECT_EQ(id, uint32_t{CUPTI_CBID_STATE_FATAL_ERROR});
      EXPECT_EQ(static_cast<const CUpti_StateData*>(data)->notification.result, CUPTI_ERROR_UNKNOWN);
    };
    CUpti_SubscriberHandle subscriber = nullptr;
    EXPECT_CUPTI(cuptiSubscribe(&subscriber, callback, nullptr));
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_STATE));
    EXPECT_CUPTI(cuptiEnableDomain(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API));
    RunKernels(GpuProgram(), 10);
    EXPECT_EQ(state_calls, 1);
    EXPECT_EQ(api_calls, 10) << "five calls, and nothing after the error";
    EXPECT_TRUE(Kernels(recorder).empty());
  });
}

}  // namespace
}  // namespace simgpu::test
