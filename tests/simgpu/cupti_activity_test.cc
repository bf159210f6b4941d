// SPDX-License-Identifier: Apache-2.0
// Activity records: that they say what was executed, and what each kind contains.
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cupti.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/simgpu/activity_recorder.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

void Enable(std::initializer_list<CUpti_ActivityKind> kinds) {
  for (const CUpti_ActivityKind kind : kinds) EXPECT_CUPTI(cuptiActivityEnable(kind)) << kind;
}

// What a record of work and a line of the ledger have in common.
struct Fact {
  std::string kind;
  uint64_t start_ns, end_ns;
  uint32_t correlation_id, stream;
  uint64_t bytes, graph_node_id;

  auto operator<=>(const Fact&) const = default;
};

template <class Record>
void AppendFacts(const ActivityRecorder& recorder, CUpti_ActivityKind kind, const char* name,
                 std::vector<Fact>* facts) {
  for (const Record& record : recorder.Records<Record>(kind)) {
    uint64_t bytes = 0;
    if constexpr (requires { record.bytes; }) bytes = record.bytes;
    facts->push_back(
        {name, record.start, record.end, record.correlationId, record.streamId, bytes, record.graphNodeId});
  }
}

void ExpectRecordsEqualLedger(const ActivityRecorder& recorder, const std::string& ledger) {
  std::vector<Fact> recorded, executed;
  AppendFacts<CUpti_ActivityKernel10>(recorder, CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, "kernel", &recorded);
  AppendFacts<CUpti_ActivityMemcpy6>(recorder, CUPTI_ACTIVITY_KIND_MEMCPY, "memcpy", &recorded);
  AppendFacts<CUpti_ActivityMemcpyPtoP4>(recorder, CUPTI_ACTIVITY_KIND_MEMCPY2, "memcpy", &recorded);
  AppendFacts<CUpti_ActivityMemset4>(recorder, CUPTI_ACTIVITY_KIND_MEMSET, "memset", &recorded);
  for (const LedgerLine& line : ReadLedger(ledger)) {
    executed.push_back(
        {line.kind, line.start_ns, line.end_ns, line.correlation_id, line.stream, line.bytes, line.graph_node_id});
  }
  std::sort(recorded.begin(), recorded.end());
  std::sort(executed.begin(), executed.end());
  EXPECT_FALSE(executed.empty());
  EXPECT_EQ(recorded, executed);
}

// A bit of everything that ends up in the ledger.
void RunMixedWork(const GpuProgram& gpu) {
  CUstream side;
  EXPECT_CUDA(cuStreamCreate(&side, CU_STREAM_NON_BLOCKING));
  const CUdeviceptr memory = gpu.Allocate(4096);
  std::vector<uint8_t> host(4096);
  CUgraph graph;
  CUgraphExec exec;
  EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 500));
  EXPECT_CUDA(cuMemsetD8Async(memory, 3, 100, gpu.stream));
  EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
  EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 20; ++i) {
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 1000, 256));
    EXPECT_CUDA(gpu.Launch(gpu.beta, side, 100, 64));
    EXPECT_CUDA(cuMemcpyHtoDAsync(memory, host.data(), 4096, side));
    EXPECT_CUDA(cuMemcpyDtoH(host.data(), memory, 1000));
    EXPECT_CUDA(cuMemcpyDtoD(memory, memory + 2048, 2048));
    EXPECT_CUDA(cuMemsetD32(memory, 1, 7));
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
  }
  EXPECT_CUDA(cuCtxSynchronize());
}

TEST(CuptiActivity, RecordsAreExactlyWhatTheLedgerSays) {
  for (const char* const clock : {"virtual", "real"}) {
    const std::string ledger = TemporaryFile(".jsonl");
    InChild({{"SIMGPU_LEDGER", ledger}, {"SIMGPU_CLOCK", clock}}, [&] {
      const ActivityRecorder recorder(4096);
      Enable({CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMCPY2,
              CUPTI_ACTIVITY_KIND_MEMSET});
      const GpuProgram gpu;
      RunMixedWork(gpu);
      EXPECT_CUPTI(cuptiActivityFlushAll(0));
      ExpectRecordsEqualLedger(recorder, ledger);
      EXPECT_GT(recorder.Buffers().size(), 3u) << "split over buffers";
    });
  }
}

TEST(CuptiActivity, KernelRecordTellsTheLaunch) {
  InChild([] {
    const ActivityRecorder recorder;
    Enable({CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL});
    EXPECT_CUPTI(cuptiActivityEnableLatencyTimestamps(1));
    const GpuProgram gpu(1);
    EXPECT_CUDA(cuLaunchCooperativeKernel(gpu.beta, 2, 3, 4, 8, 2, 1, 256, gpu.stream, nullptr));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto kernels = recorder.Records<CUpti_ActivityKernel10>(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    ASSERT_EQ(kernels.size(), 2u);
    const CUpti_ActivityKernel10& kernel = kernels[0];
    EXPECT_STREQ(kernel.name, "beta");
    EXPECT_EQ(kernel.gridX, 2);
    EXPECT_EQ(kernel.gridY, 3);
    EXPECT_EQ(kernel.gridZ, 4);
    EXPECT_EQ(kernel.blockX, 8);
    EXPECT_EQ(kernel.blockY, 2);
    EXPECT_EQ(kernel.staticSharedMemory, 1024);
    EXPECT_EQ(kernel.dynamicSharedMemory, 256);
    EXPECT_EQ(kernel.registersPerThread, 32);
    EXPECT_EQ(kernel.deviceId, 1u);
    EXPECT_EQ(kernel.contextId, 1u);
    EXPECT_EQ(kernel.streamId, 13u);
    EXPECT_EQ(kernel.launchType, CUPTI_ACTIVITY_LAUNCH_TYPE_COOPERATIVE_SINGLE_DEVICE);
    EXPECT_EQ(kernel.completed, kernel.end);
    EXPECT_LT(kernel.queued, kernel.start);
    EXPECT_EQ(kernel.channelType, CUPTI_CHANNEL_TYPE_COMPUTE);
    EXPECT_EQ(kernel.graphNodeId, 0u);
    EXPECT_NE(kernels[1].gridId, kernel.gridId);
    uint32_t stream_id = 0;
    EXPECT_CUPTI(cuptiGetStreamIdEx(gpu.context, gpu.stream, 0, &stream_id));
    EXPECT_EQ(stream_id, 13u);
    EXPECT_CUPTI(cuptiGetStreamIdEx(nullptr, nullptr, 0, &stream_id));
    EXPECT_EQ(stream_id, 7u);
  });
}

TEST(CuptiActivity, MigDevicesIncludingThoseThatAreNotVisible) {
  InChild({{"CUDA_VISIBLE_DEVICES", "1"}}, [] {
    const ActivityRecorder recorder;
    Enable({CUPTI_ACTIVITY_KIND_DEVICE, CUPTI_ACTIVITY_KIND_CONTEXT, CUPTI_ACTIVITY_KIND_STREAM});
    const GpuProgram gpu;
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto devices = recorder.Records<CUpti_ActivityDevice5>(CUPTI_ACTIVITY_KIND_DEVICE);
    ASSERT_EQ(devices.size(), 3u);
    const CUpti_ActivityDevice5& device = devices[0];
    EXPECT_STREQ(device.name, "NVIDIA H100 80GB HBM3 MIG 2g.20gb");
    EXPECT_EQ(device.isCudaVisible, 1);
    EXPECT_EQ(device.isMigEnabled, 1);
    EXPECT_EQ(device.gpuInstanceId, 5u);
    EXPECT_EQ(device.computeInstanceId, 0u);
    EXPECT_EQ(device.numMultiprocessors, 32u);
    EXPECT_EQ(device.globalMemorySize >> 20, 20096u);
    EXPECT_EQ(device.computeCapabilityMajor, 9u);
    CUuuid uuid;
    EXPECT_CUDA(cuDeviceGetUuid_v2(&uuid, 0));
    const CUuuid mig_uuid = device.migUuid;
    EXPECT_EQ(std::memcmp(&uuid, &mig_uuid, sizeof(uuid)), 0);
    EXPECT_EQ(devices[1].isCudaVisible, 0);
    EXPECT_EQ(devices[2].gpuInstanceId, 14u);
    for (const CUpti_ActivityDevice5& each : devices) free(const_cast<char*>(each.name));

    const auto contexts = recorder.Records<CUpti_ActivityContext3>(CUPTI_ACTIVITY_KIND_CONTEXT);
    ASSERT_EQ(contexts.size(), 1u);
    EXPECT_EQ(contexts[0].nullStreamId, 7);
    EXPECT_EQ(contexts[0].numMultiprocessors, 32);
    const auto streams = recorder.Records<CUpti_ActivityStream>(CUPTI_ACTIVITY_KIND_STREAM);
    ASSERT_EQ(streams.size(), 1u);
    EXPECT_EQ(streams[0].streamId, 13u);
    EXPECT_EQ(streams[0].flag, CUPTI_ACTIVITY_STREAM_CREATE_FLAG_DEFAULT);
  });
}

TEST(CuptiActivity, LateClientGetsWhatIsThere) {
  InChild([] {
    const GpuProgram gpu;
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_DEVICE));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    EXPECT_EQ(recorder.CountAll(), 0u) << "device records only come with cuInit";
    EXPECT_CUPTI(cuptiActivityEnableAndDump(CUPTI_ACTIVITY_KIND_DEVICE));
    EXPECT_CUPTI(cuptiActivityEnableAndDump(CUPTI_ACTIVITY_KIND_CONTEXT));
    EXPECT_CUPTI(cuptiActivityEnableAndDump(CUPTI_ACTIVITY_KIND_STREAM));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto devices = recorder.Records<CUpti_ActivityDevice5>(CUPTI_ACTIVITY_KIND_DEVICE);
    EXPECT_EQ(devices.size(), 3u);
    for (const CUpti_ActivityDevice5& each : devices) free(const_cast<char*>(each.name));
    EXPECT_EQ(recorder.Records<CUpti_ActivityContext3>(CUPTI_ACTIVITY_KIND_CONTEXT).size(), 1u);
    EXPECT_EQ(recorder.Records<CUpti_ActivityStream>(CUPTI_ACTIVITY_KIND_STREAM).size(), 2u) << "the default one too";
  });
}

TEST(CuptiActivity, ApiRecordsAndWhatPrecedesThem) {
  InChild([] {
    const ActivityRecorder recorder;
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, 64), cudaSuccess);
    Enable({CUPTI_ACTIVITY_KIND_DRIVER, CUPTI_ACTIVITY_KIND_RUNTIME, CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION});
    EXPECT_CUPTI(cuptiSetThreadIdType(CUPTI_ACTIVITY_THREAD_ID_TYPE_SYSTEM));
    EXPECT_CUPTI(cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM2, 1));
    EXPECT_CUPTI(cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM2, 77));
    EXPECT_EQ(cudaMemset(memory, 0, 64), cudaSuccess);
    uint64_t last = 0;
    EXPECT_CUPTI(cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM2, &last));
    EXPECT_EQ(last, 77u);
    EXPECT_CUPTI(cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM2, &last));
    EXPECT_EQ(cuptiActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM2, &last),
              CUPTI_ERROR_QUEUE_EMPTY);
    EXPECT_EQ(cuptiActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CORRELATION_KIND_INVALID, 1),
              CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_DRIVER));
    EXPECT_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_RUNTIME));
    EXPECT_EQ(cudaMemset(memory, 0, 64), cudaSuccess);
    EXPECT_CUPTI(cuptiActivityFlushAll(0));

    const auto driver = recorder.Records<CUpti_ActivityAPI>(CUPTI_ACTIVITY_KIND_DRIVER);
    const auto runtime = recorder.Records<CUpti_ActivityAPI>(CUPTI_ACTIVITY_KIND_RUNTIME);
    const auto external = recorder.Records<CUpti_ActivityExternalCorrelation>(CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION);
    ASSERT_EQ(driver.size(), 1u);
    ASSERT_EQ(runtime.size(), 1u);
    ASSERT_EQ(external.size(), 2u);
    EXPECT_EQ(driver[0].cbid, uint32_t{CUPTI_DRIVER_TRACE_CBID_cuMemsetD8_v2});
    EXPECT_EQ(runtime[0].cbid, uint32_t{CUPTI_RUNTIME_TRACE_CBID_cudaMemset_v3020});
    EXPECT_EQ(driver[0].correlationId, runtime[0].correlationId);
    EXPECT_EQ(driver[0].end - driver[0].start, 1500u);
    EXPECT_EQ(runtime[0].end - runtime[0].start, 2000u);
    EXPECT_EQ(driver[0].processId, static_cast<uint32_t>(getpid()));
    EXPECT_EQ(driver[0].threadId, static_cast<uint32_t>(syscall(SYS_gettid)));
    for (const CUpti_ActivityExternalCorrelation& each : external) {
      EXPECT_EQ(each.externalId, 77u);
      EXPECT_EQ(each.correlationId, driver[0].correlationId);
    }
  });
}

TEST(CuptiActivity, SingleFunctionsCanBeRecorded) {
  InChild([] {
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiActivityEnableDriverApi(CUPTI_DRIVER_TRACE_CBID_cuCtxSynchronize, 1));
    const GpuProgram gpu;
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto calls = recorder.Records<CUpti_ActivityAPI>(CUPTI_ACTIVITY_KIND_DRIVER);
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0].threadId, static_cast<uint32_t>(pthread_self())) << "the default is half a pointer";
    EXPECT_EQ(cuptiActivityEnableDriverApi(0, 1), CUPTI_ERROR_INVALID_PARAMETER);
  });
}

TEST(CuptiActivity, MemoryEventsAndWaits) {
  InChild([] {
    const ActivityRecorder recorder;
    Enable({CUPTI_ACTIVITY_KIND_MEMORY2, CUPTI_ACTIVITY_KIND_MEMORY_POOL, CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
            CUPTI_ACTIVITY_KIND_CUDA_EVENT});
    EXPECT_CUPTI(cuptiActivityEnableCudaEventDeviceTimestamps(1));
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(5000);
    EXPECT_CUDA(cuMemFree(memory));
    CUdeviceptr pooled = 0;
    EXPECT_CUDA(cuMemAllocAsync(&pooled, 6000, gpu.stream));
    EXPECT_CUDA(cuMemFreeAsync(pooled, gpu.stream));
    CUmemPoolProps props = {};
    props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    props.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    CUmemoryPool pool;
    EXPECT_CUDA(cuMemPoolCreate(&pool, &props));
    EXPECT_CUDA(cuMemPoolTrimTo(pool, 0));
    EXPECT_CUDA(cuMemPoolDestroy(pool));
    CUevent event;
    EXPECT_CUDA(cuEventCreate(&event, CU_EVENT_DEFAULT));
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream, 10000));
    EXPECT_CUDA(cuEventRecord(event, gpu.stream));
    EXPECT_CUDA(cuStreamWaitEvent(nullptr, event, 0));
    EXPECT_CUDA(cuEventSynchronize(event));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));

    const auto operations = recorder.Records<CUpti_ActivityMemory4>(CUPTI_ACTIVITY_KIND_MEMORY2);
    ASSERT_EQ(operations.size(), 4u);
    EXPECT_EQ(operations[0].memoryOperationType, CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_ALLOCATION);
    EXPECT_EQ(operations[0].address, memory);
    EXPECT_EQ(operations[0].bytes, 5000u);
    EXPECT_EQ(operations[0].isAsync, 0u);
    EXPECT_EQ(operations[1].memoryOperationType, CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE);
    EXPECT_EQ(operations[2].isAsync, 1u);
    EXPECT_EQ(operations[2].streamId, 13u);
    EXPECT_EQ(operations[2].memoryPoolConfig.memoryPoolType, CUPTI_ACTIVITY_MEMORY_POOL_TYPE_LOCAL);
    EXPECT_EQ(operations[2].memoryPoolConfig.utilizedSize, 6000u);

    const auto pools = recorder.Records<CUpti_ActivityMemoryPool3>(CUPTI_ACTIVITY_KIND_MEMORY_POOL);
    ASSERT_EQ(pools.size(), 3u);
    EXPECT_EQ(pools[1].memoryPoolOperationType, CUPTI_ACTIVITY_MEMORY_POOL_OPERATION_TYPE_TRIMMED);

    const auto waits = recorder.Records<CUpti_ActivitySynchronization2>(CUPTI_ACTIVITY_KIND_SYNCHRONIZATION);
    ASSERT_EQ(waits.size(), 4u);
    EXPECT_EQ(waits[0].type, CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT);
    EXPECT_EQ(waits[1].type, CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_EVENT_SYNCHRONIZE);
    EXPECT_GT(waits[1].end - waits[1].start, 10000u) << "the host waited for the kernel";
    EXPECT_EQ(waits[2].type, CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE);
    EXPECT_EQ(waits[3].type, CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE);
    const auto events = recorder.Records<CUpti_ActivityCudaEvent2>(CUPTI_ACTIVITY_KIND_CUDA_EVENT);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].eventId, waits[0].cudaEventId);
    EXPECT_EQ(events[0].deviceTimestamp, waits[1].end) << "when the work before it was done";
  });
}

TEST(CuptiActivity, WholeGraphsInsteadOfTheirNodes) {
  InChild([] {
    const ActivityRecorder recorder;
    Enable({CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_GRAPH_TRACE});
    const GpuProgram gpu;
    CUgraph graph;
    CUgraphExec exec;
    EXPECT_CUDA(cuStreamBeginCapture(gpu.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    for (int i = 0; i < 3; ++i) EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamEndCapture(gpu.stream, &graph));
    EXPECT_CUDA(cuGraphInstantiate(&exec, graph, 0));
    EXPECT_CUDA(cuGraphLaunch(exec, gpu.stream));
    EXPECT_CUDA(gpu.Launch(gpu.gamma, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto graphs = recorder.Records<CUpti_ActivityGraphTrace2>(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
    const auto kernels = recorder.Records<CUpti_ActivityKernel10>(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    ASSERT_EQ(graphs.size(), 1u);
    ASSERT_EQ(kernels.size(), 1u);
    EXPECT_EQ(graphs[0].end - graphs[0].start, 3 * 5000u + 2 * 800);
    EXPECT_EQ(kernels[0].start, graphs[0].end + 800);
    uint32_t exec_id = 0;
    EXPECT_CUPTI(cuptiGetGraphExecId(exec, &exec_id));
    EXPECT_EQ(graphs[0].graphId, exec_id);
  });
}

TEST(CuptiActivity, PeerCopiesHaveAKindOfTheirOwn) {
  InChild([] {
    const ActivityRecorder recorder;
    Enable({CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMCPY2});
    const GpuProgram first(0);
    const CUdeviceptr a = first.Allocate(64);
    const GpuProgram second(1);
    const CUdeviceptr b = second.Allocate(64);
    EXPECT_CUDA(cuMemcpyPeer(b, second.context, a, first.context, 64));
    EXPECT_CUDA(cuMemcpyDtoD(b, b + 32, 32));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto peers = recorder.Records<CUpti_ActivityMemcpyPtoP4>(CUPTI_ACTIVITY_KIND_MEMCPY2);
    ASSERT_EQ(peers.size(), 1u);
    EXPECT_EQ(peers[0].srcDeviceId, 0u);
    EXPECT_EQ(peers[0].dstDeviceId, 1u);
    EXPECT_EQ(recorder.Records<CUpti_ActivityMemcpy6>(CUPTI_ACTIVITY_KIND_MEMCPY).size(), 1u);
  });
}

TEST(CuptiActivity, CopiesTellDirectionMemoryAndManner) {
  InChild([] {
    const ActivityRecorder recorder;
    Enable({CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET});
    const GpuProgram gpu;
    const CUdeviceptr memory = gpu.Allocate(64);
    void* pinned = nullptr;
    char pageable[64] = {};
    EXPECT_CUDA(cuMemHostAlloc(&pinned, 64, 0));
    EXPECT_CUDA(cuMemcpyHtoDAsync(memory, pinned, 64, gpu.stream));
    EXPECT_CUDA(cuMemcpyDtoH(pageable, memory, 32));
    EXPECT_CUDA(cuMemsetD16Async(memory, 0x1234, 8, gpu.stream));
    EXPECT_CUDA(cuCtxSynchronize());
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto copies = recorder.Records<CUpti_ActivityMemcpy6>(CUPTI_ACTIVITY_KIND_MEMCPY);
    ASSERT_EQ(copies.size(), 2u);
    EXPECT_EQ(copies[0].copyKind, CUPTI_ACTIVITY_MEMCPY_KIND_HTOD);
    EXPECT_EQ(copies[0].srcKind, CUPTI_ACTIVITY_MEMORY_KIND_PINNED);
    EXPECT_EQ(copies[0].dstKind, CUPTI_ACTIVITY_MEMORY_KIND_DEVICE);
    EXPECT_EQ(copies[0].flags, CUPTI_ACTIVITY_FLAG_MEMCPY_ASYNC);
    EXPECT_EQ(copies[1].copyKind, CUPTI_ACTIVITY_MEMCPY_KIND_DTOH);
    EXPECT_EQ(copies[1].dstKind, CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE);
    EXPECT_EQ(copies[1].flags, 0);
    const auto memsets = recorder.Records<CUpti_ActivityMemset4>(CUPTI_ACTIVITY_KIND_MEMSET);
    ASSERT_EQ(memsets.size(), 1u);
    EXPECT_EQ(memsets[0].value, 0x1234u);
    EXPECT_EQ(memsets[0].bytes, 16u);
  });
}

TEST(CuptiActivity, KindsThatCannotBeEnabled) {
  InChild([] {
    const ActivityRecorder recorder;
    for (const int kind : {14, 15, 16, 24, 29, 30, 31, 32}) {
      EXPECT_EQ(cuptiActivityEnable(static_cast<CUpti_ActivityKind>(kind)), CUPTI_ERROR_LEGACY_PROFILER_NOT_SUPPORTED)
          << kind;
    }
    for (const int kind : {6, 7, 21, 23, 27, 28}) {
      EXPECT_EQ(cuptiActivityEnable(static_cast<CUpti_ActivityKind>(kind)), CUPTI_ERROR_NOT_COMPATIBLE) << kind;
    }
    for (const int kind : {0, 56, 1000}) {
      EXPECT_EQ(cuptiActivityEnable(static_cast<CUpti_ActivityKind>(kind)), CUPTI_ERROR_INVALID_KIND) << kind;
    }
    Enable({CUPTI_ACTIVITY_KIND_KERNEL});
    EXPECT_EQ(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), CUPTI_ERROR_NOT_COMPATIBLE);
    EXPECT_CUPTI(cuptiActivityDisable(CUPTI_ACTIVITY_KIND_KERNEL));
    Enable({CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL});
  });
}

TEST(CuptiActivity, AttributesHaveTheirRealSizes) {
  InChild([] {
    size_t size = sizeof(size_t);
    size_t number = 0;
    uint8_t flag = 9;
    EXPECT_CUPTI(cuptiActivityGetAttribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE, &size, &number));
    EXPECT_EQ(number, 3'200'000u);
    number = 1 << 20;
    EXPECT_CUPTI(cuptiActivitySetAttribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE, &size, &number));
    number = 0;
    EXPECT_CUPTI(cuptiActivityGetAttribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE, &size, &number));
    EXPECT_EQ(number, size_t{1} << 20);
    size = 1;
    EXPECT_EQ(cuptiActivityGetAttribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_POOL_LIMIT, &size, &number),
              CUPTI_ERROR_PARAMETER_SIZE_NOT_SUFFICIENT);
    EXPECT_CUPTI(cuptiActivityGetAttribute(CUPTI_ACTIVITY_ATTR_PER_THREAD_ACTIVITY_BUFFER, &size, &flag));
    EXPECT_EQ(flag, 1);
    EXPECT_EQ(cuptiActivityGetAttribute(static_cast<CUpti_ActivityAttribute>(99), &size, &flag),
              CUPTI_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(cuptiActivitySetAttribute(CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE, nullptr, &number),
              CUPTI_ERROR_INVALID_PARAMETER);
  });
}

uint64_t ClientClock() { return 5'000'000'000; }

TEST(CuptiActivity, ClientsClockIsUsedForAllRecords) {
  InChild([] {
    const ActivityRecorder recorder;
    EXPECT_CUPTI(cuptiActivityRegisterTimestampCallback(&ClientClock));
    Enable({CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL});
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
    EXPECT_CUPTI(cuptiActivityFlushAll(0));
    const auto kernels = recorder.Records<CUpti_ActivityKernel10>(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    ASSERT_EQ(kernels.size(), 1u);
    EXPECT_GT(kernels[0].start, 5'000'000'000u);
    EXPECT_LT(kernels[0].start, 5'001'000'000u);
    uint64_t now_ns = 0;
    EXPECT_CUPTI(cuptiGetTimestamp(&now_ns));
    EXPECT_GE(now_ns, kernels[0].end);
  });
}

TEST(CuptiActivity, HardwareTraceIsNothingForMig) {
  InChild([] {
    EXPECT_CUDA(cuInit(0));
    EXPECT_EQ(cuptiActivityEnableHWTrace(1), CUPTI_ERROR_MIG_DEVICE_NOT_SUPPORTED);
  });
}

}  // namespace
}  // namespace simgpu::test
