// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/topology_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/mig/fake_nvml.h"

namespace migprof::mig {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class TopologyReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    nvml_ = {};
    nvml_.gpus = {SampleMigGpu()};
  }
  void TearDown() override { EXPECT_EQ(nvml_.open, 0) << "NVML must not stay open"; }

  Host Read() { return ReadTopology(api_, ProcessNames("/nonexistent")); }
  // The one GPU, whatever else is wrong.
  Gpu ReadGpu() {
    const Host host = Read();
    EXPECT_EQ(host.problem, "");
    return host.gpus.size() == 1 ? host.gpus[0] : Gpu();
  }

  FakeNvml& nvml_ = FakeNvml::Get();
  NvmlApi api_ = FakeNvml::Api();
};

TEST_F(TopologyReaderTest, SlicedGpu_IsReadWhole) {
  const Host host = Read();
  EXPECT_FALSE(host.simulated);
  EXPECT_EQ(host.driver_version, "570.1");
  EXPECT_EQ(host.cuda_version, "12.8");
  ASSERT_THAT(host.gpus, SizeIs(1));
  const Gpu& gpu = host.gpus[0];
  EXPECT_EQ(gpu.uuid, "GPU-11111111-1111-1111-1111-111111111111");
  EXPECT_EQ(gpu.name, "NVIDIA H200");
  EXPECT_EQ(gpu.pci_bus_id, "00000000:4E:00.0");
  EXPECT_EQ(gpu.mode, MigMode::kOn);
  EXPECT_EQ(gpu.pending, MigMode::kOn);
  EXPECT_EQ(gpu.compute_slices, 7u);
  EXPECT_EQ(gpu.memory_slices, 8u);
  EXPECT_EQ(gpu.listing_refusal, 0);
  EXPECT_EQ(gpu.sm_count, std::nullopt);
  EXPECT_EQ(gpu.memory_bytes, std::nullopt) << "refused in MIG mode";
  ASSERT_THAT(gpu.gpu_instances, SizeIs(2));

  const GpuInstance& first = gpu.gpu_instances[0];
  EXPECT_EQ(first.id, 3u) << "as they lie on the GPU, not by id";
  EXPECT_EQ(first.profile, "2g.35gb");
  EXPECT_EQ(first.slices, 2u);
  EXPECT_EQ(first.memory_bytes, uint64_t{33024} << 20);
  EXPECT_EQ(first.memory_used_bytes, 5'000'000'000u);
  ASSERT_TRUE(first.placement);
  EXPECT_EQ(first.placement->start, 0u);
  EXPECT_EQ(first.placement->size, 2u);
  ASSERT_THAT(first.compute_instances, SizeIs(1));
  EXPECT_EQ(first.compute_instances[0].uuid, "MIG-a");
  EXPECT_EQ(first.compute_instances[0].profile, "2g.35gb");
  EXPECT_EQ(first.compute_instances[0].sm_count, 32u);
  ASSERT_THAT(first.compute_instances[0].use.processes, SizeIs(1));
  EXPECT_EQ(first.compute_instances[0].use.processes[0].pid, 41u);
  EXPECT_EQ(first.compute_instances[0].use.processes[0].memory_bytes, 1'000'000u);

  const GpuInstance& second = gpu.gpu_instances[1];
  EXPECT_EQ(second.id, 1u);
  EXPECT_EQ(second.profile, "3g.71gb");
  ASSERT_THAT(second.compute_instances, SizeIs(2)) << "behind holes in the indices";
  EXPECT_EQ(second.compute_instances[1].id, 1u);
  EXPECT_EQ(second.compute_instances[1].slices, 2u);
  EXPECT_EQ(second.compute_instances[1].sm_count, 44u);
  ASSERT_TRUE(second.compute_instances[1].placement);
  EXPECT_EQ(second.compute_instances[1].placement->start, 1u);
}

TEST_F(TopologyReaderTest, WholeGpu_HasItsSmsAndProcesses) {
  nvml_.gpus = {SampleWholeGpu()};
  nvml_.gpus[0].processes = {{7, kNvmlValueNotAvailable}, {5, 12}};
  const Gpu gpu = ReadGpu();
  EXPECT_EQ(gpu.mode, MigMode::kOff);
  EXPECT_EQ(gpu.sm_count, 132u);
  EXPECT_EQ(gpu.memory_bytes, 150'000'000'000u);
  EXPECT_EQ(gpu.memory_used_bytes, 1'000'000'000u);
  ASSERT_THAT(gpu.use.processes, SizeIs(2));
  EXPECT_EQ(gpu.use.processes[0].pid, 5u);
  EXPECT_EQ(gpu.use.processes[1].memory_bytes, std::nullopt);
  EXPECT_EQ(SharingOf(gpu.use), Sharing::kTimeSlicing);
}

TEST_F(TopologyReaderTest, MemoryThatTheDriverKeeps_IsNotUsed) {
  nvml_.gpus = {SampleWholeGpu()};
  api_.device_get_memory_info_v2 = [](NvmlDevice, NvmlMemoryV2* memory) {
    if (memory->version != 0x02000028) return 25;
    *memory = {memory->version, 100, 30, 60, 10};
    return kNvmlSuccess;
  };
  EXPECT_EQ(ReadGpu().memory_bytes, 100u);
  EXPECT_EQ(ReadGpu().memory_used_bytes, 10u);
}

TEST_F(TopologyReaderTest, CoresThatDoNotDivide_GiveNoSms) {
  nvml_.gpus = {SampleWholeGpu()};
  nvml_.gpus[0].cores = 1000;
  EXPECT_EQ(ReadGpu().sm_count, std::nullopt);
}

TEST_F(TopologyReaderTest, GpuWithoutMig_IsNotOff) {
  nvml_.gpus = {SampleWholeGpu()};
  nvml_.failures["DeviceGetMigMode"] = kNvmlNotSupported;
  EXPECT_EQ(ReadGpu().mode, MigMode::kUnsupported);
  nvml_.failures["DeviceGetMigMode"] = kNvmlNoPermission;
  EXPECT_EQ(ReadGpu().mode, MigMode::kUnknown);
}

TEST_F(TopologyReaderTest, PendingMode_IsKept) {
  nvml_.gpus = {SampleWholeGpu()};
  nvml_.gpus[0].pending = 1;
  const Gpu gpu = ReadGpu();
  EXPECT_EQ(gpu.mode, MigMode::kOff);
  EXPECT_EQ(gpu.pending, MigMode::kOn);
}

TEST_F(TopologyReaderTest, NoPermission_LeavesSlicesWithoutPlacements) {
  nvml_.failures["DeviceGetGpuInstances"] = kNvmlNoPermission;
  const Gpu gpu = ReadGpu();
  EXPECT_EQ(gpu.refusal, 0);
  EXPECT_EQ(gpu.listing_refusal, kNvmlNoPermission);
  EXPECT_EQ(gpu.compute_slices, 7u) << "profiles need no privilege";
  EXPECT_EQ(gpu.memory_slices, std::nullopt);
  ASSERT_THAT(gpu.gpu_instances, SizeIs(2));
  EXPECT_EQ(gpu.gpu_instances[0].id, 1u) << "by id, where placements are not known";
  EXPECT_EQ(gpu.gpu_instances[0].profile, "3g.71gb");
  EXPECT_FALSE(gpu.gpu_instances[0].placement);
  EXPECT_FALSE(gpu.gpu_instances[0].compute_instances[0].placement);
  EXPECT_EQ(UncoveredComputeSlices(gpu), 2u);
}

TEST_F(TopologyReaderTest, GpuInstanceWithoutComputeInstance_IsThere) {
  nvml_.gpus[0].mig_devices.clear();
  const Gpu gpu = ReadGpu();
  ASSERT_THAT(gpu.gpu_instances, SizeIs(2));
  EXPECT_EQ(gpu.gpu_instances[0].profile, "2g.35gb");
  EXPECT_EQ(gpu.gpu_instances[0].memory_bytes, uint64_t{2000} << 20) << "of the profile";
  EXPECT_THAT(gpu.gpu_instances[0].compute_instances, SizeIs(0));
}

TEST_F(TopologyReaderTest, EmptyMigGpu_HasNoInstances) {
  nvml_.gpus[0].mig_devices.clear();
  nvml_.gpus[0].gpu_instances.clear();
  const Gpu gpu = ReadGpu();
  EXPECT_THAT(gpu.gpu_instances, SizeIs(0));
  EXPECT_EQ(UncoveredComputeSlices(gpu), 7u);
  EXPECT_THAT(FreeMemorySlices(gpu), SizeIs(8));
}

TEST_F(TopologyReaderTest, ProcessesOfSiblings_AreLeftOut) {
  nvml_.gpus[0].mig_devices[1].processes = {{42, 2, 1, 0}, {43, 2, 1, 1}, {44, 2, 3, 0}, {45, 2}};
  const Gpu gpu = ReadGpu();
  const Use& use = gpu.gpu_instances[1].compute_instances[0].use;
  ASSERT_THAT(use.processes, SizeIs(2));
  EXPECT_EQ(use.processes[0].pid, 42u);
  EXPECT_EQ(use.processes[1].pid, 45u) << "not attributed to any";
}

TEST_F(TopologyReaderTest, MpsClients_AreToldApart) {
  nvml_.gpus[0].mig_devices[0].processes = {{50, 1, 3, 0}, {51, 1, 3, 0}};
  nvml_.gpus[0].mig_devices[0].mps_processes = {{51, 1, 3, 0}, {52, 1, 3, 0}};
  const Use use = ReadGpu().gpu_instances[0].compute_instances[0].use;
  ASSERT_THAT(use.processes, SizeIs(3)) << "each once";
  EXPECT_FALSE(use.processes[0].mps_client);
  EXPECT_TRUE(use.processes[1].mps_client);
  EXPECT_TRUE(use.processes[2].mps_client);
  EXPECT_EQ(SharingOf(use), Sharing::kMps);
}

TEST_F(TopologyReaderTest, ProcessesThatStartMeanwhile_AreAskedForAgain) {
  nvml_.most_room_missing = 2;
  EXPECT_THAT(ReadGpu().gpu_instances[0].compute_instances[0].use.processes, SizeIs(1));
  nvml_.most_room_missing = 100;
  EXPECT_EQ(ReadGpu().gpu_instances[0].compute_instances[0].use.refusal, kNvmlInsufficientSize) << "but not for ever";
}

TEST_F(TopologyReaderTest, ProcessesThatAreRefused_AreUnknownAndNotNone) {
  nvml_.failures["DeviceGetComputeRunningProcesses_v3"] = kNvmlNoPermission;
  const Use use = ReadGpu().gpu_instances[0].compute_instances[0].use;
  EXPECT_EQ(use.refusal, kNvmlNoPermission);
  EXPECT_EQ(SharingOf(use), Sharing::kUnknown);
}

TEST_F(TopologyReaderTest, LostGpu_IsAnAnswer_AndTheOthersAreRead) {
  nvml_.gpus = {SampleMigGpu(), SampleWholeGpu()};
  nvml_.failures["DeviceGetHandleByIndex_v2:0"] = kNvmlGpuIsLost;
  const Host host = Read();
  ASSERT_THAT(host.gpus, SizeIs(2));
  EXPECT_EQ(host.gpus[0].refusal, kNvmlGpuIsLost);
  EXPECT_EQ(host.gpus[0].uuid, "");
  EXPECT_EQ(host.gpus[1].refusal, 0);
  EXPECT_EQ(host.gpus[1].index, 1u);
}

TEST_F(TopologyReaderTest, GpuLostOnTheWay_IsNotTakenForAnEmptyOne) {
  for (const char* function : {"DeviceGetMigMode", "DeviceGetGpuInstanceProfileInfoV", "DeviceGetGpuInstances",
                               "DeviceGetMaxMigDeviceCount", "DeviceGetMigDeviceHandleByIndex"}) {
    nvml_.failures = {{function, kNvmlGpuIsLost}};
    EXPECT_EQ(ReadGpu().refusal, kNvmlGpuIsLost) << function;
  }
}

TEST_F(TopologyReaderTest, DriversThatCannotBeAsked_AreExplained) {
  const struct {
    int code;
    const char* words;
  } kCases[] = {{kNvmlNoPermission, "no permission"},
                {kNvmlDriverNotLoaded, "modprobe"},
                {kNvmlLibRmVersionMismatch, "different versions"},
                {kNvmlGpuIsLost, "dmesg"},
                {kNvmlOperatingSystem, "cgroup"},
                {999, "NVML error 999"}};
  for (const auto& [code, words] : kCases) {
    nvml_.failures = {{"Init_v2", code}};
    const Host host = Read();
    EXPECT_EQ(host.problem_code, code);
    EXPECT_THAT(host.problem, HasSubstr(words));
    EXPECT_THAT(host.gpus, SizeIs(0));
  }
  nvml_.failures = {{"DeviceGetCount_v2", kNvmlNoPermission}};
  EXPECT_THAT(Read().problem, HasSubstr("no permission"));
}

TEST_F(TopologyReaderTest, NoGpu_IsNoProblem) {
  nvml_.gpus.clear();
  const Host host = Read();
  EXPECT_EQ(host.problem, "");
  EXPECT_THAT(host.gpus, SizeIs(0));
}

// Whatever single function is missing or fails, the rest is there and nothing crashes.
TEST_F(TopologyReaderTest, EachFunctionMayFail) {
  for (const char* function :
       {"SystemGetDriverVersion", "SystemGetCudaDriverVersion_v2", "DeviceGetUUID", "DeviceGetName",
        "DeviceGetPciInfo_v3", "DeviceGetMemoryInfo", "DeviceGetMPSComputeRunningProcesses_v3",
        "DeviceGetGpuInstanceId", "DeviceGetComputeInstanceId", "DeviceGetAttributes_v2",
        "DeviceGetGpuInstanceProfileInfoV", "DeviceGetGpuInstances", "GpuInstanceGetInfo",
        "GpuInstanceGetComputeInstanceById", "ComputeInstanceGetInfo_v2",
        "DeviceGetGpuInstancePossiblePlacements_v2"}) {
    nvml_.failures = {{function, 999}};
    const Gpu gpu = ReadGpu();
    size_t slices = 0;
    for (const GpuInstance& instance : gpu.gpu_instances) slices += instance.compute_instances.size();
    EXPECT_EQ(slices, 3u) << function;
  }
}

TEST_F(TopologyReaderTest, EveryFunctionMissing_LeavesTheCount) {
  const NvmlApi all = api_;
  api_ = {};
  api_.init = all.init;
  api_.shutdown = all.shutdown;
  api_.device_get_count = all.device_get_count;
  api_.device_get_handle_by_index = all.device_get_handle_by_index;
  const Gpu gpu = ReadGpu();
  EXPECT_EQ(gpu.name, "");
  EXPECT_EQ(gpu.mode, MigMode::kUnsupported);
  EXPECT_EQ(gpu.use.refusal, kNvmlFunctionNotFound);
}

TEST_F(TopologyReaderTest, OldUuid_TellsTheInstances) {
  api_.device_get_gpu_instance_id = nullptr;
  api_.device_get_compute_instance_id = nullptr;
  api_.device_get_attributes = nullptr;
  nvml_.gpus[0].mig_devices.resize(1);
  nvml_.gpus[0].mig_devices[0].uuid = "MIG-GPU-11111111-1111-1111-1111-111111111111/3/0";
  const Gpu gpu = ReadGpu();
  EXPECT_EQ(gpu.gpu_instances[0].id, 3u);
  EXPECT_EQ(gpu.gpu_instances[0].compute_instances[0].id, 0u);
  EXPECT_EQ(gpu.gpu_instances[0].compute_instances[0].slices, 2u) << "of the profile's name";
  EXPECT_EQ(gpu.gpu_instances[0].compute_instances[0].sm_count, std::nullopt);
}

TEST_F(TopologyReaderTest, SimulatedLibrary_IsCalledSimulated) {
  api_.simulator_version = [] { return "1"; };
  EXPECT_TRUE(Read().simulated);
  nvml_.failures["Init_v2"] = kNvmlNoPermission;
  EXPECT_TRUE(Read().simulated);
}

}  // namespace
}  // namespace migprof::mig
