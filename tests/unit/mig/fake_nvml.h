// SPDX-License-Identifier: Apache-2.0
// An NVML without a library or a GPU, which says what a test tells it to say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libmigprof/mig/nvml_api.h"

namespace migprof::mig {

struct FakeProcess {
  uint32_t pid;
  uint64_t bytes;
  uint32_t gpu_instance = kNvmlNoInstance;
  uint32_t compute_instance = kNvmlNoInstance;
};

// What a handle of a GPU or of a MIG device points to.
struct FakeDevice {
  std::string uuid;
  std::string name;
  NvmlMemory memory{};
  std::vector<FakeProcess> processes;
  std::vector<FakeProcess> mps_processes;
  // Of a MIG device.
  unsigned index = 0;
  uint32_t gpu_instance = 0;
  uint32_t compute_instance = 0;
  NvmlDeviceAttributes attributes{};
};

struct FakeGpuInstance {
  uint32_t id;
  uint32_t profile_id;
  NvmlPlacement placement;
};

struct FakeProfile {
  uint32_t number;
  uint32_t id;
  uint32_t slices;
  const char* name;
};

struct FakeGpu : FakeDevice {
  uint32_t mig = 0;
  uint32_t pending = 0;
  uint32_t most_mig_devices = 7;
  uint32_t cores = 16896;  // 132 SMs of compute capability 9.0
  std::vector<FakeProfile> profiles;
  std::vector<FakeGpuInstance> gpu_instances;
  std::vector<FakeDevice> mig_devices;
};

struct FakeNvml {
  std::vector<FakeGpu> gpus;
  std::map<std::string, int> failures;  // by NVML's name of the function, without "nvml": what it returns
  int open = 0;                         // initialisations without their shutdown
  int most_room_missing = 0;            // how often a list of processes grows between two questions

  static FakeNvml& Get();  // the one that the functions of Api() ask
  static NvmlApi Api();
};

// An H200 with a 2g.35gb at 0 and, after a hole, a 3g.71gb at 4 with two compute instances; one process on each but the
// last.
FakeGpu SampleMigGpu();
// An H200 with MIG off.
FakeGpu SampleWholeGpu();

}  // namespace migprof::mig
