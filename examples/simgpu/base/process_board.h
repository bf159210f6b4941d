// SPDX-License-Identifier: Apache-2.0
// Where processes on the simulated GPU tell each other what they use, so that NVML can tell it to others: one file per
// process in the folder that SIMGPU_PROCESSES names. Without that variable each process knows only itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/topology.h"

namespace simgpu {

// Of one process and device, in memory that others map.
struct PostedUse {
  char device[48];  // "MIG-…" or "GPU-…"
  std::atomic<uint64_t> bytes;
  std::atomic<uint32_t> contexts;
  uint32_t mps_client;
};

// One for each device, in that order, for as long as this process lives, however it ends. Null when there is no board.
PostedUse* PostUse(const std::vector<DeviceRef>& devices);

struct ForeignUse {
  uint32_t pid = 0;
  std::string device;
  uint64_t bytes = 0;
  bool mps_client = false;
};

// What the other living processes have contexts on.
std::vector<ForeignUse> ReadForeignUse();

// As with the real driver: CUDA_MPS_PIPE_DIRECTORY names a folder in which a daemon has its pipe, "control".
bool IsMpsClient();

}  // namespace simgpu
