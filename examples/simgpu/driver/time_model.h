// SPDX-License-Identifier: Apache-2.0
// How long things take on the simulated GPU. README.md states the model; the numbers are in the topology.
#pragma once

#include <cstdint>

#include "driver/device.h"
#include "driver/module.h"
#include "simgpu_private.h"

namespace simgpu::driver {

// The model of the topology, or its defaults where there is none.
const TimeModel& Model();

// The first kernel rule that finds itself in `kernel_name`; null when none does.
const KernelRule* RuleFor(const char* kernel_name);

// Blocks of a kernel that fit on one SM at a time; 0 when not even one does.
uint32_t BlocksPerSm(const Limits& limits, const image::Kernel& kernel, uint32_t threads_per_block,
                     uint32_t dynamic_shared_bytes);

// base + waves × time of a wave, where a wave is as many blocks as the device holds at a time.
uint64_t KernelNs(const Device& device, const Function& function, const KernelWork& work);

// latency + bytes over the bandwidth of PCIe, or of the slice's share of the memory when nothing leaves the device.
uint64_t CopyNs(const Device& device, uint8_t copy_kind, uint64_t bytes);
uint64_t MemsetNs(const Device& device, uint64_t bytes);

}  // namespace simgpu::driver
