// SPDX-License-Identifier: Apache-2.0
// The simulated NVML, found by dlopen as a tool would.
#include "nvml/nvml_abi.h"

#include <cuda.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

// The library at `path`, opened when it is first asked for.
class Nvml {
 public:
  explicit Nvml(const std::string& folder = LibraryFolder())
      : library_(dlopen((folder + "/libnvidia-ml.so.1").c_str(), RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << dlerror();
  }

  bool Has(const char* name) const { return dlsym(library_, name) != nullptr; }

  template <class... Arguments>
  nvmlReturn_t operator()(const char* name, Arguments... arguments) const {
    const auto function = reinterpret_cast<nvmlReturn_t (*)(Arguments...)>(dlsym(library_, name));
    return function != nullptr ? function(arguments...) : NVML_ERROR_UNKNOWN;
  }

  nvmlDevice_t Gpu(unsigned index) const {
    nvmlDevice_t device = nullptr;
    EXPECT_EQ((*this)("nvmlDeviceGetHandleByIndex_v2", index, &device), NVML_SUCCESS);
    return device;
  }

  // The MIG device that is `position`-th on a GPU, whatever its index.
  nvmlDevice_t Mig(unsigned gpu, unsigned position) const {
    for (unsigned index = 0; index < 7; ++index) {
      nvmlDevice_t device = nullptr;
      if ((*this)("nvmlDeviceGetMigDeviceHandleByIndex", Gpu(gpu), index, &device) == NVML_SUCCESS && position-- == 0)
        return device;
    }
    return nullptr;
  }

  std::string Text(const char* function, nvmlDevice_t device) const {
    char text[128] = "";
    EXPECT_EQ((*this)(function, device, &text[0], static_cast<unsigned>(sizeof(text))), NVML_SUCCESS);
    return text;
  }

 private:
  void* const library_;
};

void WithNvml(const Environment& environment, const std::function<void(const Nvml&)>& body) {
  InChild(environment, [&] {
    const Nvml nvml;
    ASSERT_EQ(nvml("nvmlInit_v2"), NVML_SUCCESS);
    body(nvml);
    EXPECT_EQ(nvml("nvmlShutdown"), NVML_SUCCESS);
  });
}

TEST(Nvml, HasToBeInitialised) {
  InChild([] {
    const Nvml nvml;
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvml("nvmlShutdown"), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(nvml("nvmlInit_v2"), NVML_SUCCESS);
    EXPECT_EQ(nvml("nvmlInit_v2"), NVML_SUCCESS);
    EXPECT_EQ(nvml("nvmlShutdown"), NVML_SUCCESS);
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), NVML_SUCCESS) << "one of two is still there";
    EXPECT_EQ(count, 1u);
  });
  InChild({{"SIMGPU_TOPOLOGY", "/nowhere"}}, [] { EXPECT_EQ(Nvml()("nvmlInit_v2"), NVML_ERROR_DRIVER_NOT_LOADED); });
}

TEST(Nvml, GpusAndTheirNames) {
  WithNvml({Topology("two-gpus")}, [](const Nvml& nvml) {
    unsigned count = 0, current = 9, pending = 9;
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), NVML_SUCCESS);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(nvml.Text("nvmlDeviceGetUUID", nvml.Gpu(0)).substr(0, 4), "GPU-");
    EXPECT_EQ(nvml("nvmlDeviceGetMigMode", nvml.Gpu(0), &current, &pending), NVML_SUCCESS);
    EXPECT_EQ(current, 1u);
    EXPECT_EQ(nvml("nvmlDeviceGetMigMode", nvml.Gpu(1), &current, &pending), NVML_SUCCESS);
    EXPECT_EQ(current, 0u);
    EXPECT_EQ(nvml("nvmlDeviceGetMaxMigDeviceCount", nvml.Gpu(0), &count), NVML_SUCCESS);
    EXPECT_EQ(count, 7u);
    EXPECT_EQ(nvml("nvmlDeviceGetMaxMigDeviceCount", nvml.Gpu(1), &count), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
    nvmlPciInfo_t pci;
    EXPECT_EQ(nvml("nvmlDeviceGetPciInfo_v3", nvml.Gpu(1), &pci), NVML_SUCCESS);
    nvmlDevice_t same = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetHandleByPciBusId_v2", static_cast<const char*>(pci.busId), &same), NVML_SUCCESS);
    EXPECT_EQ(same, nvml.Gpu(1));
    char version[80];
    EXPECT_EQ(nvml("nvmlSystemGetDriverVersion", &version[0], 80u), NVML_SUCCESS);
    EXPECT_EQ(std::string(version).substr(0, 7), "580.159");
    EXPECT_EQ(nvml("nvmlSystemGetDriverVersion", &version[0], 3u), NVML_ERROR_INSUFFICIENT_SIZE);
    nvmlDevice_t none = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetHandleByIndex_v2", 2u, &none), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(nvml("nvmlDeviceGetName", reinterpret_cast<nvmlDevice_t>(&none), &version[0], 80u),
              NVML_ERROR_INVALID_ARGUMENT);
  });
}

TEST(Nvml, MigDevicesHaveHolesBetweenThem) {
  WithNvml({}, [](const Nvml& nvml) {
    std::set<unsigned> found;
    for (unsigned index = 0; index < 7; ++index) {
      nvmlDevice_t device = nullptr;
      const nvmlReturn_t result = nvml("nvmlDeviceGetMigDeviceHandleByIndex", nvml.Gpu(0), index, &device);
      if (result == NVML_SUCCESS) {
        found.insert(index);
        unsigned again = 99;
        EXPECT_EQ(nvml("nvmlDeviceGetIndex", device, &again), NVML_SUCCESS);
        EXPECT_EQ(again, index);
      } else {
        EXPECT_EQ(result, NVML_ERROR_NOT_FOUND);
      }
    }
    EXPECT_EQ(found.size(), 3u);
    EXPECT_GT(*found.rbegin(), 2u) << "indices follow the placement";
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetMigDeviceHandleByIndex", nvml.Gpu(0), 7u, &device), NVML_ERROR_INVALID_ARGUMENT);
  });
}

TEST(Nvml, MigDeviceTellsWhatItIs) {
  WithNvml({Topology("shared-gi")}, [](const Nvml& nvml) {
    const nvmlDevice_t mig = nvml.Mig(0, 2);
    ASSERT_NE(mig, nullptr);
    unsigned is_mig = 0, gpu_instance = 0, compute_instance = 0;
    EXPECT_EQ(nvml("nvmlDeviceIsMigDeviceHandle", mig, &is_mig), NVML_SUCCESS);
    EXPECT_EQ(is_mig, 1u);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceId", mig, &gpu_instance), NVML_SUCCESS);
    EXPECT_EQ(nvml("nvmlDeviceGetComputeInstanceId", mig, &compute_instance), NVML_SUCCESS);
    EXPECT_EQ(compute_instance, 1u) << "the second of its GPU instance";
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceId", nvml.Gpu(0), &gpu_instance), NVML_ERROR_INVALID_ARGUMENT);
    nvmlDevice_t parent = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", mig, &parent), NVML_SUCCESS);
    EXPECT_EQ(parent, nvml.Gpu(0));
    nvmlDeviceAttributes_t attributes = {};
    EXPECT_EQ(nvml("nvmlDeviceGetAttributes_v2", mig, &attributes), NVML_SUCCESS);
    EXPECT_EQ(attributes.gpuInstanceSliceCount, 3u);
    EXPECT_EQ(attributes.computeInstanceSliceCount, 2u);
    EXPECT_EQ(attributes.multiprocessorCount, 28u);
    EXPECT_EQ(nvml("nvmlDeviceGetAttributes_v2", nvml.Gpu(0), &attributes), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_NE(nvml.Text("nvmlDeviceGetName", mig).find(" MIG 2c.3g."), std::string::npos);
    nvmlUtilization_t utilization;
    EXPECT_EQ(nvml("nvmlDeviceGetUtilizationRates", mig, &utilization), NVML_ERROR_NOT_SUPPORTED);
  });
}

TEST(Nvml, UuidsInBothForms) {
  WithNvml({}, [](const Nvml& nvml) {
    const nvmlDevice_t mig = nvml.Mig(0, 0);
    const std::string uuid = nvml.Text("nvmlDeviceGetUUID", mig);
    EXPECT_EQ(uuid.substr(0, 4), "MIG-");
    unsigned gpu_instance = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceId", mig, &gpu_instance), NVML_SUCCESS);
    const std::string old_form =
        "MIG-" + nvml.Text("nvmlDeviceGetUUID", nvml.Gpu(0)) + "/" + std::to_string(gpu_instance) + "/0";
    for (const std::string& name : {uuid, old_form}) {
      nvmlDevice_t found = nullptr;
      EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUID", name.c_str(), &found), NVML_SUCCESS) << name;
      EXPECT_EQ(found, mig) << name;
    }
    nvmlDevice_t none = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUID", "MIG-00000000-0000-0000-0000-000000000000", &none),
              NVML_ERROR_NOT_FOUND);
  });
}

TEST(Nvml, SeesTheSameDevicesAsCuda) {
  WithNvml({Topology("two-gpus")}, [](const Nvml& nvml) {
    EXPECT_CUDA(cuInit(0));
    int count = 0;
    EXPECT_CUDA(cuDeviceGetCount(&count));
    for (CUdevice device = 0; device < count; ++device) {
      CUuuid uuid;
      EXPECT_CUDA(cuDeviceGetUuid_v2(&uuid, device));
      const bool is_mig = device < 6;
      char text[64];
      const auto* const b = reinterpret_cast<const unsigned char*>(uuid.bytes);
      std::snprintf(text, sizeof(text), "%s%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                    is_mig ? "MIG-" : "GPU-", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                    b[12], b[13], b[14], b[15]);
      EXPECT_EQ(nvml.Text("nvmlDeviceGetUUID", is_mig ? nvml.Mig(0, static_cast<unsigned>(device)) : nvml.Gpu(1)),
                text);
      char name[128];
      EXPECT_CUDA(cuDeviceGetName(name, sizeof(name), device));
      EXPECT_EQ(nvml.Text("nvmlDeviceGetName", is_mig ? nvml.Mig(0, static_cast<unsigned>(device)) : nvml.Gpu(1)),
                name);
    }
  });
}

TEST(Nvml, MemoryAndProcessesOfTheSlice) {
  WithNvml({}, [](const Nvml& nvml) {
    const nvmlDevice_t mig = nvml.Mig(0, 0), other = nvml.Mig(0, 1);
    nvmlMemory_t before, after, of_other;
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", mig, &before), NVML_SUCCESS);
    std::vector<nvmlProcessInfo_v2_t> processes(4);
    unsigned count = 4;
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", mig, &count, processes.data()), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
    const std::string uuid = nvml.Text("nvmlDeviceGetUUID", mig);
    setenv("CUDA_VISIBLE_DEVICES", uuid.c_str(), 1);
    const GpuProgram gpu;
    nvmlMemory_t with_module;
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", mig, &with_module), NVML_SUCCESS);
    EXPECT_GT(with_module.used, before.used) << "the variables of a module need memory as well";
    gpu.Allocate(size_t{1} << 30);
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", mig, &after), NVML_SUCCESS);
    EXPECT_EQ(after.used - with_module.used, 1ull << 30);
    EXPECT_EQ(after.total, before.total);
    EXPECT_EQ(after.used + after.free, after.total);
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", other, &of_other), NVML_SUCCESS);
    EXPECT_EQ(of_other.used, before.used);
    nvmlMemory_v2_t with_version = {};
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo_v2", mig, &with_version), NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    with_version.version = kNvmlMemoryV2;
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo_v2", mig, &with_version), NVML_SUCCESS);
    EXPECT_EQ(with_version.total, after.total);

    count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", mig, &count, processes.data()),
              NVML_ERROR_INSUFFICIENT_SIZE);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", mig, &count, processes.data()), NVML_SUCCESS);
    EXPECT_EQ(processes[0].pid, static_cast<unsigned>(getpid()));
    unsigned gpu_instance = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceId", mig, &gpu_instance), NVML_SUCCESS);
    EXPECT_EQ(processes[0].gpuInstanceId, gpu_instance);
    EXPECT_EQ(processes[0].usedGpuMemory, after.used - before.used);
  });
}

TEST(Nvml, InstancesAndProfiles) {
  WithNvml({}, [](const Nvml& nvml) {
    nvmlGpuInstanceProfileInfo_t profile = {};
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfo", nvml.Gpu(0), 1u, &profile), NVML_SUCCESS);
    EXPECT_EQ(profile.id, 14u) << "2g.20gb";
    EXPECT_EQ(profile.sliceCount, 2u);
    std::vector<nvmlGpuInstance_t> instances(7);
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstances", nvml.Gpu(0), profile.id, instances.data(), &count), NVML_SUCCESS);
    ASSERT_EQ(count, 1u);
    nvmlGpuInstanceInfo_t info = {};
    EXPECT_EQ(nvml("nvmlGpuInstanceGetInfo", instances[0], &info), NVML_SUCCESS);
    EXPECT_EQ(info.profileId, profile.id);
    EXPECT_EQ(info.placement.size, 2u);
    nvmlComputeInstance_t compute = nullptr;
    EXPECT_EQ(nvml("nvmlGpuInstanceGetComputeInstanceById", instances[0], 0u, &compute), NVML_SUCCESS);
    nvmlComputeInstanceInfo_t compute_info = {};
    EXPECT_EQ(nvml("nvmlComputeInstanceGetInfo_v2", compute, &compute_info), NVML_SUCCESS);
    EXPECT_EQ(compute_info.gpuInstance, instances[0]);
    EXPECT_EQ(nvml("nvmlGpuInstanceGetComputeInstanceById", instances[0], 5u, &compute), NVML_ERROR_NOT_FOUND);
  });
}

TEST(Nvml, LargestProfileIsKnownWithoutInstancesOfIt) {
  WithNvml({Topology("shared-gi")}, [](const Nvml& nvml) {
    nvmlGpuInstanceProfileInfo_v2_t profile = {};
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfoV", nvml.Gpu(0), 4u, &profile),
              NVML_ERROR_ARGUMENT_VERSION_MISMATCH);
    profile.version = kNvmlGpuInstanceProfileInfoV2;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfoV", nvml.Gpu(0), 4u, &profile), NVML_SUCCESS);
    EXPECT_EQ(profile.sliceCount, 7u);
    EXPECT_EQ(profile.multiprocessorCount, 98u) << "MIG cannot use all 108";
    EXPECT_EQ(profile.instanceCount, 0u);
    EXPECT_STREQ(profile.name, "MIG 7g.80gb");
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfoV", nvml.Gpu(0), 1u, &profile), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfoV", nvml.Gpu(0), 0x12u, &profile), NVML_ERROR_INVALID_ARGUMENT);
  });
}

TEST(Nvml, PossiblePlacementsAreThosePublished) {
  const auto starts = [](const Nvml& nvml, unsigned profile_id) {
    unsigned count = 0;
    const auto* const kAsk = "nvmlDeviceGetGpuInstancePossiblePlacements_v2";
    EXPECT_EQ(nvml(kAsk, nvml.Gpu(0), profile_id, static_cast<nvmlGpuInstancePlacement_t*>(nullptr), &count),
              NVML_SUCCESS);
    std::vector<nvmlGpuInstancePlacement_t> placements(count);
    EXPECT_EQ(nvml(kAsk, nvml.Gpu(0), profile_id, placements.data(), &count), NVML_SUCCESS);
    std::vector<unsigned> result;
    for (const nvmlGpuInstancePlacement_t& placement : placements) result.push_back(placement.start);
    return result;
  };
  WithNvml({}, [&](const Nvml& nvml) {
    EXPECT_EQ(starts(nvml, 19), (std::vector<unsigned>{0, 1, 2, 3, 4, 5, 6})) << "1g.10gb";
    EXPECT_EQ(starts(nvml, 14), (std::vector<unsigned>{0, 2, 4})) << "2g.20gb";
    EXPECT_EQ(starts(nvml, 5), (std::vector<unsigned>{0})) << "4g.40gb";
    EXPECT_EQ(starts(nvml, 0), (std::vector<unsigned>{0})) << "7g.80gb";
  });
}

TEST(Nvml, CoresAreToldOutsideMigModeOnly) {
  WithNvml({Topology("two-gpus")}, [](const Nvml& nvml) {
    unsigned cores = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetNumGpuCores", nvml.Gpu(1), &cores), NVML_SUCCESS);
    EXPECT_EQ(cores, 132u * 128);
    EXPECT_EQ(nvml("nvmlDeviceGetNumGpuCores", nvml.Gpu(0), &cores), NVML_ERROR_NOT_SUPPORTED);
  });
}

TEST(Nvml, SaysThatItIsSimulated) {
  InChild([] {
    EXPECT_TRUE(Nvml().Has("simgpu_version"));
    EXPECT_TRUE(Nvml(LibraryFolder() + "/nvml-450").Has("simgpu_version"));
  });
}

// A pipe would wait for a writer for ever.
TEST(Nvml, WhatIsNoBoardIsPassedOver) {
  char folder[] = "/tmp/simgpu-board-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string base = std::string(folder) + "/";
  ASSERT_EQ(mkfifo((base + "1000001").c_str(), 0600), 0);
  ASSERT_EQ(symlink("/dev/zero", (base + "1000002").c_str()), 0);
  ASSERT_EQ(mkdir((base + "1000003").c_str(), 0700), 0);
  WithNvml({{"SIMGPU_PROCESSES", folder}}, [](const Nvml& nvml) {
    alarm(10);
    std::vector<nvmlProcessInfo_v2_t> processes(4);
    unsigned count = 4;
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", nvml.Gpu(0), &count, processes.data()), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
  });
  std::filesystem::remove_all(folder);
}

// While it lives, and not after it was killed.
TEST(Nvml, OtherProcessesAreSeenOnTheBoard) {
  char folder[] = "/tmp/simgpu-board-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  WithNvml({{"SIMGPU_PROCESSES", folder}}, [](const Nvml& nvml) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t other = fork();
    if (other == 0) {
      const GpuProgram gpu;
      gpu.Allocate(size_t{1} << 20);
      if (write(ready[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    std::vector<nvmlProcessInfo_v2_t> processes(4);
    const auto list = [&](const char* function, nvmlDevice_t device) {
      unsigned count = 4;
      EXPECT_EQ(nvml(function, device, &count, processes.data()), NVML_SUCCESS);
      return count;
    };
    const auto* const kCompute = "nvmlDeviceGetComputeRunningProcesses_v3";
    EXPECT_EQ(list(kCompute, nvml.Mig(0, 0)) + list(kCompute, nvml.Mig(0, 1)) + list(kCompute, nvml.Mig(0, 2)), 1u);
    EXPECT_EQ(list("nvmlDeviceGetMPSComputeRunningProcesses_v3", nvml.Gpu(0)), 0u);
    EXPECT_EQ(list(kCompute, nvml.Gpu(0)), 1u) << "a privileged caller sees those of all slices";
    EXPECT_EQ(processes[0].pid, static_cast<unsigned>(other));
    EXPECT_NE(processes[0].gpuInstanceId, kNvmlNoInstance);
    EXPECT_GE(processes[0].usedGpuMemory, 1u << 20);
    {
      const GpuProgram own;
      EXPECT_EQ(list(kCompute, nvml.Gpu(0)), 2u);
      EXPECT_EQ(list(kCompute, nvml.Gpu(0)), 2u);
      kill(other, SIGKILL);
      EXPECT_EQ(waitpid(other, nullptr, 0), other);
      EXPECT_EQ(list(kCompute, nvml.Gpu(0)), 1u);
      EXPECT_EQ(processes[0].pid, static_cast<unsigned>(getpid()));
    }
  });
  std::filesystem::remove_all(folder);
}

TEST(Nvml, ContainerSeesItsSliceOnly) {
  const simgpu::test::Environment environment = {{"SIMGPU_VISIBLE_DEVICES", "MIG-b260b2f2-48cd-5e86-9b8b-88f4fb54f6c8"},
                                                 Topology("two-gpus")};
  WithNvml(environment, [](const Nvml& nvml) {
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), NVML_SUCCESS);
    EXPECT_EQ(count, 1u);
    EXPECT_NE(nvml.Mig(0, 0), nullptr);
    EXPECT_EQ(nvml.Mig(0, 1), nullptr);
    nvmlGpuInstance_t instance = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceById", nvml.Gpu(0), 3u, &instance), NVML_ERROR_NO_PERMISSION);
    EXPECT_CUDA(cuInit(0));
    int devices = 0;
    EXPECT_CUDA(cuDeviceGetCount(&devices));
    EXPECT_EQ(devices, 1) << "CUDA agrees";
  });
}

TEST(NvmlFault, NoPermission) {
  WithNvml({{"SIMGPU_FAULTS", "nvml-no-permission"}}, [](const Nvml& nvml) {
    nvmlMemory_t memory;
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", nvml.Gpu(0), &memory), NVML_ERROR_NO_PERMISSION);
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", nvml.Mig(0, 0), &memory), NVML_SUCCESS) << "one's own slice is no secret";
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", nvml.Gpu(0), &count,
                   static_cast<nvmlProcessInfo_v2_t*>(nullptr)),
              NVML_ERROR_NO_PERMISSION);
    nvmlGpuInstance_t instance = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceById", nvml.Gpu(0), 5u, &instance), NVML_ERROR_NO_PERMISSION);
  });
}

TEST(NvmlFault, GpuLost) {
  WithNvml({{"SIMGPU_FAULTS", "nvml-gpu-lost=3"}}, [](const Nvml& nvml) {
    char name[96];
    const nvmlDevice_t gpu = nvml.Gpu(0);
    for (int call = 1; call <= 5; ++call) {
      EXPECT_EQ(nvml("nvmlDeviceGetName", gpu, &name[0], 96u), call < 3 ? NVML_SUCCESS : NVML_ERROR_GPU_IS_LOST)
          << call;
    }
  });
}

TEST(NvmlFault, AnyFunctionCanFail) {
  InChild({{"SIMGPU_FAULTS", "nvmlInit_v2:1=9,nvmlDeviceGetMigMode=3"}}, [] {
    const Nvml nvml;
    EXPECT_EQ(nvml("nvmlInit_v2"), NVML_ERROR_DRIVER_NOT_LOADED);
    EXPECT_EQ(nvml("nvmlInit_v2"), NVML_SUCCESS);
    unsigned current, pending;
    EXPECT_EQ(nvml("nvmlDeviceGetMigMode", nvml.Gpu(0), &current, &pending), NVML_ERROR_NOT_SUPPORTED);
  });
}

TEST(Nvml, OldLibraryLacksWhatCameLater) {
  InChild([] {
    const Nvml old(LibraryFolder() + "/nvml-450");
    EXPECT_EQ(old("nvmlInit_v2"), NVML_SUCCESS);
    EXPECT_NE(old.Mig(0, 0), nullptr);
    EXPECT_FALSE(old.Has("nvmlDeviceGetAttributes_v2"));
    EXPECT_FALSE(old.Has("nvmlDeviceGetGpuInstanceId"));
    const Nvml current;
    EXPECT_TRUE(current.Has("nvmlDeviceGetAttributes_v2"));
    EXPECT_FALSE(current.Has("nvmlDeviceGetFanSpeed")) << "what nobody asks for is not there";
  });
}

TEST(Nvml, ErrorsHaveTexts) {
  InChild([] {
    const auto text = reinterpret_cast<const char* (*)(nvmlReturn_t)>(
        dlsym(dlopen((LibraryFolder() + "/libnvidia-ml.so.1").c_str(), RTLD_NOW), "nvmlErrorString"));
    ASSERT_NE(text, nullptr);
    std::set<std::string> texts;
    for (const int code : {0, 1, 2, 3, 4, 6, 7, 9, 15, 25, 999}) texts.insert(text(code));
    EXPECT_EQ(texts.size(), 11u);
  });
}

}  // namespace
}  // namespace simgpu::test
