// SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/topology.h"
#include "base/uuid.h"
#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

extern "C" const char* simgpu_version(void);

namespace simgpu::test {
namespace {

struct Expected {
  const char* name;
  int sm_count;
  size_t mebibytes;
  const char* uuid;
};

void ExpectDevice(CUdevice device, const Expected& expected) {
  char name[96];
  EXPECT_CUDA(cuDeviceGetName(name, sizeof(name), device));
  EXPECT_STREQ(name, expected.name);
  int sm_count = 0;
  EXPECT_CUDA(cuDeviceGetAttribute(&sm_count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device));
  EXPECT_EQ(sm_count, expected.sm_count);
  size_t bytes = 0;
  EXPECT_CUDA(cuDeviceTotalMem(&bytes, device));
  EXPECT_EQ(bytes >> 20, expected.mebibytes);
  CUuuid uuid;
  EXPECT_CUDA(cuDeviceGetUuid_v2(&uuid, device));
  Uuid bytes_of_uuid;
  std::memcpy(bytes_of_uuid.data(), uuid.bytes, sizeof(uuid.bytes));
  EXPECT_EQ(FormatUuid(std::string(expected.uuid, 4), bytes_of_uuid), expected.uuid);
}

int DeviceCount() {
  EXPECT_CUDA(cuInit(0));
  int count = 0;
  EXPECT_CUDA(cuDeviceGetCount(&count));
  return count;
}

TEST(Device, DefaultTopologyIsFoundBesideTheLibrary) {
  InChild([] {
    ASSERT_EQ(DeviceCount(), 3);
    ExpectDevice(0, {"NVIDIA H100 80GB HBM3 MIG 4g.40gb", 64, 40448, "MIG-91ade5ba-cfcc-568c-9be5-7f4247bddeee"});
    ExpectDevice(1, {"NVIDIA H100 80GB HBM3 MIG 2g.20gb", 32, 20096, "MIG-a5eed862-9b03-5b5b-aa31-c00d4c24efc7"});
    ExpectDevice(2, {"NVIDIA H100 80GB HBM3 MIG 1g.10gb", 16, 9984, "MIG-cabc21e5-1f29-5572-b6f2-3bc3875bf4c5"});
  });
}

TEST(Device, SlicesAndWholeGpuTogether) {
  InChild({Topology("two-gpus")}, [] {
    ASSERT_EQ(DeviceCount(), 7);
    ExpectDevice(6, {"NVIDIA H200", 132, 143771, "GPU-7355037b-1b39-58e9-bea3-90b49d250a8e"});
    int access = 1;
    EXPECT_CUDA(cuDeviceCanAccessPeer(&access, 0, 6));
    EXPECT_EQ(access, 0) << "a MIG device has no peers";
  });
}

TEST(Device, SevenSlicesOfAnA100) {
  InChild({Topology("a100-seven-1g")}, [] {
    ASSERT_EQ(DeviceCount(), 7);
    for (CUdevice device = 0; device < 7; ++device) {
      int sm_count = 0, major = 0, minor = 9;
      EXPECT_CUDA(cuDeviceGetAttribute(&sm_count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device));
      EXPECT_CUDA(cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device));
      EXPECT_CUDA(cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
      EXPECT_EQ(sm_count, 14);
      EXPECT_EQ(major * 10 + minor, 80);
    }
  });
}

TEST(Device, VisibleDevicesChooseAndRenumber) {
  InChild({{"CUDA_VISIBLE_DEVICES", "MIG-cabc21e5-1f29-5572-b6f2-3bc3875bf4c5,0"}}, [] {
    ASSERT_EQ(DeviceCount(), 2);
    ExpectDevice(0, {"NVIDIA H100 80GB HBM3 MIG 1g.10gb", 16, 9984, "MIG-cabc21e5-1f29-5572-b6f2-3bc3875bf4c5"});
    ExpectDevice(1, {"NVIDIA H100 80GB HBM3 MIG 4g.40gb", 64, 40448, "MIG-91ade5ba-cfcc-568c-9be5-7f4247bddeee"});
  });
}

TEST(Device, OldUuidFunctionNamesThePhysicalGpu) {
  InChild([] {
    ASSERT_EQ(DeviceCount(), 3);
    CUuuid first, second, mig;
    // The header only names the newer one.
    const auto old_function = reinterpret_cast<decltype(&cuDeviceGetUuid_v2)>(dlsym(RTLD_DEFAULT, "cuDeviceGetUuid"));
    ASSERT_NE(old_function, nullptr);
    EXPECT_CUDA(old_function(&first, 0));
    EXPECT_CUDA(old_function(&second, 1));
    EXPECT_CUDA(cuDeviceGetUuid_v2(&mig, 0));
    EXPECT_EQ(std::memcmp(&first, &second, sizeof(first)), 0);
    EXPECT_NE(std::memcmp(&first, &mig, sizeof(first)), 0);
  });
}

TEST(Device, PciBusIdIsThatOfTheParent) {
  InChild([] {
    ASSERT_EQ(DeviceCount(), 3);
    char first[32], second[32];
    EXPECT_CUDA(cuDeviceGetPCIBusId(first, sizeof(first), 0));
    EXPECT_CUDA(cuDeviceGetPCIBusId(second, sizeof(second), 2));
    EXPECT_STREQ(first, "0000:1b:00.0");
    EXPECT_STREQ(first, second);
    int device_id = 0;
    EXPECT_CUDA(cuDeviceGetAttribute(&device_id, CU_DEVICE_ATTRIBUTE_GPU_PCI_DEVICE_ID, 0));
    EXPECT_EQ(device_id, 0x233010de);
  });
}

TEST(Device, MemorySystemScalesWithTheSlice) {
  InChild([] {
    ASSERT_EQ(DeviceCount(), 3);
    int large = 0, small = 0;
    EXPECT_CUDA(cuDeviceGetAttribute(&large, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 0));
    EXPECT_CUDA(cuDeviceGetAttribute(&small, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 2));
    EXPECT_EQ(large, 4 * small);
  });
}

TEST(Device, EveryKnownAttributeHasAnAnswer) {
  InChild([] {
    ASSERT_EQ(DeviceCount(), 3);
    for (int attribute = 1; attribute < CU_DEVICE_ATTRIBUTE_MAX; ++attribute) {
      int value = 0;
      EXPECT_CUDA(cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(attribute), 0)) << attribute;
    }
    int value = 0;
    EXPECT_EQ(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 3), CUDA_ERROR_INVALID_DEVICE);
  });
}

TEST(Device, CallsBeforeInitFail) {
  InChild([] {
    int count = 0, version = 0;
    CUcontext context = nullptr;
    EXPECT_EQ(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_EQ(cuCtxGetCurrent(&context), CUDA_ERROR_NOT_INITIALIZED);
    EXPECT_CUDA(cuDriverGetVersion(&version));
    EXPECT_EQ(version, 13000);
    EXPECT_EQ(cuInit(1), CUDA_ERROR_INVALID_VALUE);
  });
}

TEST(Device, NoVisibleDevice_InitSaysSo) {
  InChild({{"CUDA_VISIBLE_DEVICES", ""}}, [] {
    int count = 7;
    EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
    EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
    EXPECT_EQ(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
  });
}

TEST(Device, BadTopology_OneLineNamesFileAndProblem) {
  const std::string file = TemporaryFile(".json");
  std::ofstream(file) << "{\"driver\": {\"version\": \"580\", \"cuda\": 13000}}";
  const ChildResult result = RunInChild({{"SIMGPU_TOPOLOGY", file}}, [] {
    EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
    EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
  });
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.errors.find("simgpu: topology " + file + ": \"gpus\" is missing"), std::string::npos)
      << result.errors;
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;

  const ChildResult missing =
      RunInChild({{"SIMGPU_TOPOLOGY", "/nowhere.json"}}, [] { EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE); });
  EXPECT_NE(missing.errors.find("/nowhere.json: cannot be opened"), std::string::npos) << missing.errors;
}

TEST(Device, SimulatorShowsItself) {
  EXPECT_NE(dlsym(RTLD_DEFAULT, "simgpu_version"), nullptr);
  EXPECT_STRNE(simgpu_version(), "");
}

}  // namespace
}  // namespace simgpu::test
