// SPDX-License-Identifier: Apache-2.0
// Who uses the simulated GPU, and how much of its memory.
#pragma once

#include <cstdint>
#include <vector>

#include "base/topology.h"

namespace simgpu::nvml {

struct ProcessUse {
  uint32_t pid = 0;
  DeviceRef device;  // the compute instance, or the whole GPU
  uint64_t bytes = 0;
  bool has_context = false;
  bool mps_client = false;
};

// Of `device` or, if it is a GPU in MIG mode, of all its compute instances: this process, and those that post what they
// use (base/process_board.h).
std::vector<ProcessUse> UsesOf(const DeviceRef& device);

// By all of them. The memory of a compute instance is that of its GPU instance, so its siblings count.
uint64_t MemoryInUse(const DeviceRef& device);

}  // namespace simgpu::nvml
