// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/identify.h"

#include <gtest/gtest.h>

#include <cstring>

namespace migprof::mig {
namespace {

constexpr char kMigUuid[] = "MIG-01010101-0101-0101-0101-010101010101";
constexpr char kGpuUuidOfBytes[] = "GPU-01010101-0101-0101-0101-010101010101";
constexpr char kParentUuid[] = "GPU-22222222-2222-2222-2222-222222222222";

// What the fake driver and the fake NVML answer.
const char* g_device_name;
bool g_nvml_knows_slice;
bool g_nvml_knows_gpu;
int g_nvml_init_result;
int g_nvml_open;

DriverApi FakeDriver() {
  DriverApi driver;
  driver.device_get = [](CuDevice* device, int ordinal) { return *device = ordinal, ordinal < 4 ? 0 : 101; };
  driver.device_get_name = [](char* name, int length, CuDevice) {
    return std::strncpy(name, g_device_name, static_cast<size_t>(length)), 0;
  };
  driver.device_get_uuid = [](unsigned char uuid[16], CuDevice) { return std::memset(uuid, 1, 16), 0; };
  driver.device_get_attribute = [](int* value, int attribute, CuDevice) {
    return *value = attribute == kAttributeMultiprocessorCount      ? 16
                    : attribute == kAttributeComputeCapabilityMajor ? 9
                                                                    : 0,
           0;
  };
  driver.device_total_memory = [](size_t* bytes, CuDevice) { return *bytes = 10'000'000'000, 0; };
  driver.device_get_pci_bus_id = [](char* id, int length, CuDevice) {
    return std::strncpy(id, "0000:3B:00.0", static_cast<size_t>(length)), 0;
  };
  return driver;
}

NvmlDevice const kSlice = reinterpret_cast<NvmlDevice>(1);
NvmlDevice const kGpu = reinterpret_cast<NvmlDevice>(2);

NvmlApi FakeNvml() {
  NvmlApi nvml;
  nvml.init = [] { return g_nvml_init_result == 0 ? ++g_nvml_open, 0 : g_nvml_init_result; };
  nvml.shutdown = [] { return --g_nvml_open, 0; };
  nvml.device_get_handle_by_uuid = [](const char* uuid, NvmlDevice* device) {
    if (g_nvml_knows_slice && std::strcmp(uuid, kMigUuid) == 0) return *device = kSlice, 0;
    if (g_nvml_knows_gpu && std::strcmp(uuid, kGpuUuidOfBytes) == 0) return *device = kGpu, 0;
    return 6;
  };
  nvml.device_get_gpu_instance_id = [](NvmlDevice device, uint32_t* id) { return *id = 7, device == kSlice ? 0 : 2; };
  nvml.device_get_compute_instance_id = [](NvmlDevice device, uint32_t* id) {
    return *id = 0, device == kSlice ? 0 : 2;
  };
  nvml.device_get_parent = [](NvmlDevice, NvmlDevice* gpu) { return *gpu = kGpu, 0; };
  nvml.device_get_uuid = [](NvmlDevice, char* uuid, uint32_t length) {
    return std::strncpy(uuid, kParentUuid, length), 0;
  };
  nvml.device_get_name = [](NvmlDevice device, char* name, uint32_t length) {
    return std::strncpy(name, device == kGpu ? "NVIDIA H100 80GB HBM3" : "NVIDIA H100 80GB HBM3 MIG 1g.10gb", length),
           0;
  };
  nvml.device_get_attributes = [](NvmlDevice, NvmlDeviceAttributes* attributes) {
    *attributes = {};
    attributes->multiprocessor_count = 99;
    return 0;
  };
  return nvml;
}

class IdentifyTest : public testing::Test {
 protected:
  void SetUp() override {
    g_device_name = "NVIDIA H100 80GB HBM3 MIG 1g.10gb";
    g_nvml_knows_slice = g_nvml_knows_gpu = true;
    g_nvml_init_result = g_nvml_open = 0;
  }
  void TearDown() override { EXPECT_EQ(g_nvml_open, 0) << "NVML must not stay open"; }
};

TEST_F(IdentifyTest, DriverAlone_TellsSliceProfileSmsAndMemory) {
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  EXPECT_TRUE(identity.is_mig());
  EXPECT_EQ(identity.mig_uuid, kMigUuid);
  EXPECT_EQ(identity.gpu_uuid, "");
  EXPECT_EQ(identity.gpu_name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(identity.profile, "1g.10gb");
  EXPECT_EQ(identity.sm_count, 16u);
  EXPECT_EQ(identity.compute_major, 9u);
  EXPECT_EQ(identity.memory_bytes, 10'000'000'000u);
  EXPECT_EQ(identity.pci_bus_id, "0000:3B:00.0");
  EXPECT_FALSE(identity.gpu_instance_id);
  EXPECT_EQ(identity.source, "driver");
  EXPECT_EQ(SliceLabel(identity), "1g.10gb-01010101");
}

TEST_F(IdentifyTest, Nvml_AddsInstancesAndParent) {
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  ASSERT_TRUE(AddFromNvml(FakeNvml(), &identity).ok());
  EXPECT_EQ(identity.gpu_uuid, kParentUuid);
  EXPECT_EQ(identity.gpu_instance_id, 7u);
  EXPECT_EQ(identity.compute_instance_id, 0u);
  EXPECT_EQ(identity.sm_count, 16u) << "the driver's live value wins";
  EXPECT_EQ(identity.source, "driver+nvml");
}

TEST_F(IdentifyTest, Placement_IsToldToThePrivilegedAlone) {
  NvmlApi nvml = FakeNvml();
  nvml.device_get_gpu_instance_by_id = [](NvmlDevice gpu, uint32_t id, NvmlGpuInstance* instance) {
    *instance = reinterpret_cast<NvmlGpuInstance>(3);
    return gpu == kGpu && id == 7 ? 0 : 6;
  };
  nvml.gpu_instance_get_info = [](NvmlGpuInstance, NvmlGpuInstanceInfo* info) {
    return *info = {kGpu, 7, 19, {6, 1}}, 0;
  };
  nvml.device_get_gpu_instance_profile_info = [](NvmlDevice, uint32_t number, NvmlGpuInstanceProfileInfo* info) {
    info->id = number;
    info->slice_count = number == 1 ? 7 : 1;
    return number < 2 ? 0 : 2;
  };
  nvml.device_get_gpu_instance_possible_placements = [](NvmlDevice, uint32_t profile, NvmlPlacement* placements,
                                                        uint32_t* count) {
    *count = 1;
    if (placements != nullptr) *placements = {0, profile == 1 ? 8u : 1u};
    return 0;
  };
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  ASSERT_TRUE(AddFromNvml(nvml, &identity).ok());
  EXPECT_EQ(identity.placement, (Placement{6, 1}));
  EXPECT_EQ(identity.memory_slices, 8u);

  nvml.device_get_gpu_instance_by_id = [](NvmlDevice, uint32_t, NvmlGpuInstance*) { return 4; };
  SliceIdentity refused;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &refused).ok());
  ASSERT_TRUE(AddFromNvml(nvml, &refused).ok());
  EXPECT_EQ(refused.placement, std::nullopt);
  EXPECT_EQ(refused.memory_slices, 0u);
}

TEST_F(IdentifyTest, WholeGpu_IsNoSlice) {
  g_device_name = "NVIDIA H200";
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  ASSERT_TRUE(AddFromNvml(FakeNvml(), &identity).ok());
  EXPECT_FALSE(identity.is_mig());
  EXPECT_EQ(identity.gpu_uuid, kGpuUuidOfBytes);
  EXPECT_FALSE(identity.gpu_instance_id);
  EXPECT_EQ(SliceLabel(identity), "gpu-01010101");
}

TEST_F(IdentifyTest, SliceWithAnUnusualName_IsFoundByNvml) {
  g_device_name = "Some future name";
  g_nvml_knows_gpu = false;
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  ASSERT_TRUE(AddFromNvml(FakeNvml(), &identity).ok());
  EXPECT_EQ(identity.mig_uuid, kMigUuid);
  EXPECT_EQ(identity.gpu_uuid, kParentUuid);
  EXPECT_EQ(identity.profile, "1g.10gb");
}

TEST_F(IdentifyTest, NvmlThatFails_LeavesWhatTheDriverSaid) {
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  g_nvml_init_result = 4;
  EXPECT_EQ(AddFromNvml(FakeNvml(), &identity).code, 4);
  g_nvml_init_result = 0;
  g_nvml_knows_slice = false;
  EXPECT_EQ(AddFromNvml(FakeNvml(), &identity).code, 6);
  EXPECT_EQ(identity.mig_uuid, kMigUuid);
  EXPECT_EQ(identity.source, "driver");
}

TEST_F(IdentifyTest, NvmlWithMissingFunctions_GivesTheRest) {
  SliceIdentity identity;
  ASSERT_TRUE(IdentifyFromDriver(FakeDriver(), 0, &identity).ok());
  NvmlApi nvml = FakeNvml();
  nvml.device_get_parent = nullptr;
  nvml.device_get_compute_instance_id = nullptr;
  nvml.device_get_name = nullptr;
  ASSERT_TRUE(AddFromNvml(nvml, &identity).ok());
  EXPECT_EQ(identity.gpu_instance_id, 7u);
  EXPECT_FALSE(identity.compute_instance_id);
  EXPECT_EQ(identity.gpu_uuid, "");
}

TEST_F(IdentifyTest, UnknownOrdinal_IsAnError) {
  SliceIdentity identity;
  EXPECT_EQ(IdentifyFromDriver(FakeDriver(), 9, &identity).code, 101);
}

}  // namespace
}  // namespace migprof::mig
