// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/activity_translate.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

namespace migprof::record {
namespace {

// Sizes of the running fake library, by kind.
std::map<uint32_t, size_t> g_sizes;

CuptiApi FakeCupti() {
  CuptiApi api;
  api.activity_get_next_record = [](uint8_t* buffer, size_t valid, CUpti_Activity** record) {
    uint8_t* next = buffer;
    if (*record != nullptr) next = reinterpret_cast<uint8_t*>(*record) + g_sizes.at((*record)->kind);
    if (next >= buffer + valid) return CUPTI_ERROR_MAX_LIMIT_REACHED;
    uint32_t kind = 0;
    std::memcpy(&kind, next, 4);
    if (g_sizes.find(kind) == g_sizes.end()) return CUPTI_ERROR_INVALID_KIND;
    *record = reinterpret_cast<CUpti_Activity*>(next);
    return CUPTI_SUCCESS;
  };
  return api;
}

class Collector : public ActivitySink {
 public:
  void OnKernel(const KernelActivity& activity) override { kernels.push_back(activity); }
  void OnTransfer(const TransferActivity& activity) override { transfers.push_back(activity); }
  void OnGraphRun(const GraphRunActivity& activity) override { graph_runs.push_back(activity); }
  void OnAllocation(const AllocationActivity& activity) override { allocations.push_back(activity); }
  void OnSynchronization(const SynchronizationActivity& activity) override { synchronizations.push_back(activity); }
  void OnContext(const ContextActivity& activity) override { contexts.push_back(activity); }
  void OnMigDevice(const DeviceActivity& activity) override { devices.push_back(activity); }
  void OnUnknownRecord() override { ++unknown; }

  std::vector<KernelActivity> kernels;
  std::vector<TransferActivity> transfers;
  std::vector<GraphRunActivity> graph_runs;
  std::vector<AllocationActivity> allocations;
  std::vector<SynchronizationActivity> synchronizations;
  std::vector<ContextActivity> contexts;
  std::vector<DeviceActivity> devices;
  int unknown = 0;
};

// Bytes of records, one after the other, as the library whose sizes are in g_sizes would write them.
class Buffer {
 public:
  template <typename Record>
  void Add(const Record& record) {
    std::vector<uint8_t> bytes(g_sizes.at(record.kind));
    std::memcpy(bytes.data(), &record, std::min(sizeof(record), bytes.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  Collector Translate() {
    const CuptiApi api = FakeCupti();
    RecordSizes sizes;
    sizes.Probe(api);
    Collector collector;
    count = TranslateActivities(api, sizes, bytes_.data(), bytes_.size(), &collector);
    return collector;
  }
  uint64_t count = 0;

 private:
  std::vector<uint8_t> bytes_;
};

CUpti_ActivityKernel10 MakeKernel(uint32_t correlation) {
  CUpti_ActivityKernel10 kernel{};
  kernel.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL;
  kernel.start = 1'000;
  kernel.end = 4'500;
  kernel.deviceId = 2;
  kernel.contextId = 3;
  kernel.streamId = 7;
  kernel.gridX = 100, kernel.gridY = 2, kernel.gridZ = 3;
  kernel.blockX = 256, kernel.blockY = 4, kernel.blockZ = 5;
  kernel.registersPerThread = 40;
  kernel.staticSharedMemory = 11;
  kernel.dynamicSharedMemory = 12;
  kernel.localMemoryPerThread = 13;
  kernel.correlationId = correlation;
  kernel.name = "axpy";
  kernel.graphNodeId = 0x1'0000'0005;
  kernel.graphId = 9;
  kernel.clusterX = 2, kernel.clusterY = 1, kernel.clusterZ = 1;
  return kernel;
}

TEST(ActivityTranslate, KernelRecordsOf11_8And12_4And13_0_AreAlike) {
  for (const size_t size : {200u, 208u, 216u, 264u}) {  // the last: some later version
    g_sizes = {{CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, size}};
    Buffer buffer;
    buffer.Add(MakeKernel(41));
    buffer.Add(MakeKernel(42));
    const Collector got = buffer.Translate();
    ASSERT_EQ(got.kernels.size(), 2u) << size;
    for (uint32_t i = 0; i < 2; ++i) {
      const KernelActivity& kernel = got.kernels[i];
      EXPECT_EQ(kernel.correlation, 41 + i) << size;
      EXPECT_EQ(kernel.start_ns, 1'000u);
      EXPECT_EQ(kernel.duration_ns, 3'500u);
      EXPECT_FALSE(kernel.untimed);
      EXPECT_EQ(kernel.device, 2u);
      EXPECT_EQ(kernel.context, 3u);
      EXPECT_EQ(kernel.stream, 7u);
      EXPECT_STREQ(kernel.name, "axpy");
      EXPECT_EQ(kernel.graph_node, 0x1'0000'0005u);
      EXPECT_EQ(kernel.graph, 9u);
      const KernelShape& shape = kernel.shape;
      EXPECT_EQ(std::vector<uint32_t>(shape.grid, shape.grid + 3), (std::vector<uint32_t>{100, 2, 3}));
      EXPECT_EQ(std::vector<uint32_t>(shape.block, shape.block + 3), (std::vector<uint32_t>{256, 4, 5}));
      EXPECT_EQ(std::vector<uint32_t>(shape.cluster, shape.cluster + 3), (std::vector<uint32_t>{2, 1, 1}));
      EXPECT_EQ(shape.registers, 40u);
      EXPECT_EQ(shape.static_shared, 11u);
      EXPECT_EQ(shape.dynamic_shared, 12u);
      EXPECT_EQ(shape.local_per_thread, 13u);
    }
  }
}

TEST(ActivityTranslate, TooShortARecord_IsCountedNotRead) {
  g_sizes = {{CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, 160}};
  Buffer buffer;
  buffer.Add(MakeKernel(1));
  const Collector got = buffer.Translate();
  EXPECT_TRUE(got.kernels.empty());
  EXPECT_EQ(got.unknown, 1);
}

TEST(ActivityTranslate, UnusableTimes_AreMarked) {
  g_sizes = {{CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, 216}};
  Buffer buffer;
  for (const auto& [start, end] :
       {std::pair(0u, 0u), std::pair(500u, 0u), std::pair(500u, 400u), std::pair(0u, 100u)}) {
    CUpti_ActivityKernel10 kernel = MakeKernel(1);
    kernel.start = start;
    kernel.end = end;
    buffer.Add(kernel);
  }
  const Collector got = buffer.Translate();
  ASSERT_EQ(got.kernels.size(), 4u);
  for (const KernelActivity& kernel : got.kernels) {
    EXPECT_TRUE(kernel.untimed);
    EXPECT_EQ(kernel.start_ns, 0u);
    EXPECT_EQ(kernel.duration_ns, 0u);
  }
}

TEST(ActivityTranslate, CopiesAndMemsets_AreTransfers) {
  g_sizes = {{CUPTI_ACTIVITY_KIND_MEMCPY, 88}, {CUPTI_ACTIVITY_KIND_MEMCPY2, 96}, {CUPTI_ACTIVITY_KIND_MEMSET, 88}};
  Buffer buffer;
  CUpti_ActivityMemcpy6 copy{};
  copy.kind = CUPTI_ACTIVITY_KIND_MEMCPY;
  copy.copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_DTOH;
  copy.bytes = 1 << 20, copy.start = 10, copy.end = 30, copy.contextId = 3, copy.streamId = 7, copy.correlationId = 5;
  copy.graphNodeId = 8;
  buffer.Add(copy);
  CUpti_ActivityMemcpyPtoP4 peer{};
  peer.kind = CUPTI_ACTIVITY_KIND_MEMCPY2;
  peer.copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_PTOP;
  peer.bytes = 4096, peer.start = 40, peer.end = 41, peer.correlationId = 6, peer.contextId = 4;
  buffer.Add(peer);
  CUpti_ActivityMemset4 memset_record{};
  memset_record.kind = CUPTI_ACTIVITY_KIND_MEMSET;
  memset_record.bytes = 64, memset_record.start = 50, memset_record.end = 52, memset_record.correlationId = 7;
  buffer.Add(memset_record);
  const Collector got = buffer.Translate();
  ASSERT_EQ(got.transfers.size(), 3u);
  EXPECT_EQ(got.transfers[0].what, 2u);
  EXPECT_EQ(got.transfers[0].bytes, 1u << 20);
  EXPECT_EQ(got.transfers[0].duration_ns, 20u);
  EXPECT_EQ(got.transfers[0].correlation, 5u);
  EXPECT_EQ(got.transfers[0].graph_node, 8u);
  EXPECT_EQ(got.transfers[1].what, 10u);
  EXPECT_EQ(got.transfers[1].correlation, 6u);
  EXPECT_EQ(got.transfers[1].context, 4u);
  EXPECT_EQ(got.transfers[2].what, format::kMemset);
  EXPECT_EQ(got.transfers[2].correlation, 7u);
}

TEST(ActivityTranslate, MemorySynchronizationAndContext_AreRead) {
  g_sizes = {
      {CUPTI_ACTIVITY_KIND_MEMORY2, 120}, {CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, 40}, {CUPTI_ACTIVITY_KIND_CONTEXT, 16}};
  Buffer buffer;
  CUpti_ActivityMemory4 memory{};
  memory.kind = CUPTI_ACTIVITY_KIND_MEMORY2;
  memory.memoryOperationType = CUPTI_ACTIVITY_MEMORY_OPERATION_TYPE_RELEASE;
  memory.memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
  memory.correlationId = 4, memory.address = 0x7000'0000, memory.bytes = 512, memory.timestamp = 99;
  buffer.Add(memory);
  CUpti_ActivitySynchronization2 synchronization{};
  synchronization.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION;
  synchronization.type = CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE;
  synchronization.start = 5, synchronization.end = 25, synchronization.correlationId = 6, synchronization.streamId = 13;
  buffer.Add(synchronization);
  CUpti_ActivityContext3 context{};
  context.kind = CUPTI_ACTIVITY_KIND_CONTEXT;
  context.contextId = 2, context.deviceId = 1;
  buffer.Add(context);
  const Collector got = buffer.Translate();
  ASSERT_EQ(got.allocations.size(), 1u);
  EXPECT_EQ(got.allocations[0].operation, format::AllocationOperation::kRelease);
  EXPECT_EQ(got.allocations[0].address, 0x7000'0000u);
  EXPECT_EQ(got.allocations[0].bytes, 512u);
  EXPECT_EQ(got.allocations[0].time_ns, 99u);
  ASSERT_EQ(got.synchronizations.size(), 1u);
  EXPECT_EQ(got.synchronizations[0].duration_ns, 20u);
  EXPECT_EQ(got.synchronizations[0].stream, 13u);
  EXPECT_EQ(got.synchronizations[0].what, 3u);
  ASSERT_EQ(got.contexts.size(), 1u);
  EXPECT_EQ(got.contexts[0].context, 2u);
  EXPECT_EQ(got.contexts[0].device, 1u);
}

TEST(ActivityTranslate, DeviceRecords_CountOnlyForVisibleSlices) {
  g_sizes = {{CUPTI_ACTIVITY_KIND_DEVICE, 184}};
  Buffer buffer;
  for (const bool visible : {true, false}) {
    for (const bool mig : {true, false}) {
      CUpti_ActivityDevice5 device{};
      device.kind = CUPTI_ACTIVITY_KIND_DEVICE;
      device.id = 1;
      device.isCudaVisible = visible;
      device.isMigEnabled = mig;
      device.gpuInstanceId = 7;
      device.computeInstanceId = 0;
      std::memset(&device.migUuid, 0x5A, 16);
      buffer.Add(device);
    }
  }
  const Collector got = buffer.Translate();
  ASSERT_EQ(got.devices.size(), 1u);
  EXPECT_EQ(got.devices[0].ordinal, 1u);
  EXPECT_EQ(got.devices[0].gpu_instance_id, 7u);
  EXPECT_EQ(got.devices[0].mig_uuid[15], 0x5A);
  EXPECT_EQ(got.unknown, 0);
}

TEST(RecordSizes, Probe_LearnsWhatTheLibrarySteps) {
  g_sizes = {{3, 208}, {10, 208}, {1, 88}};
  RecordSizes sizes;
  sizes.Probe(FakeCupti());
  EXPECT_EQ(sizes.of(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), 208u);
  EXPECT_EQ(sizes.of(CUPTI_ACTIVITY_KIND_MEMCPY), 88u);
  EXPECT_EQ(sizes.of(CUPTI_ACTIVITY_KIND_MEMSET), 0u);
  EXPECT_EQ(sizes.of(static_cast<CUpti_ActivityKind>(1000)), 0u);
}

}  // namespace
}  // namespace migprof::record
