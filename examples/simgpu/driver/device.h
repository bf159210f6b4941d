// SPDX-License-Identifier: Apache-2.0
// One CUDA device of this process.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/process_board.h"
#include "base/topology.h"
#include "driver/memory_arena.h"
#include "driver/use_meter.h"

namespace simgpu::driver {

struct Context;
struct MemoryPool;

// What the hardware of a compute capability allows. The numbers are those of NVIDIA's programming guide.
struct Limits {
  uint32_t threads_per_sm = 2048;
  uint32_t blocks_per_sm = 32;
  uint32_t registers_per_sm = 65536;
  uint32_t threads_per_block = 1024;
  uint32_t shared_per_sm = 0;
  uint32_t shared_per_block = 48 * 1024;  // without opting in
  uint32_t shared_per_block_optin = 0;
  uint32_t shared_reserved_per_block = 1024;
  uint32_t clusters_max_blocks = 0;  // 0: no clusters
};

struct Device {
  Device(uint32_t device_ordinal, const DeviceRef& device_ref);
  ~Device();

  const uint32_t ordinal;
  const DeviceRef ref;
  const std::string slice;  // "MIG-…" or "GPU-…": how the ledger calls it
  const Limits limits;
  MemoryArena arena;
  PostedUse* posted = nullptr;  // what other processes see; null when there is no board
  mutable UseMeter meter;

  // Guards the three that follow. Held while a profiler is told of the context, whose callback may ask for it again.
  std::recursive_mutex primary_mutex;
  Context* primary = nullptr;
  uint32_t primary_retained = 0;
  unsigned primary_flags = 0;

  std::mutex pool_mutex;  // guards what follows
  MemoryPool* default_pool = nullptr;
  MemoryPool* current_pool = nullptr;
};

// The value of an attribute; 0 for those that do not apply.
int DeviceAttribute(CUdevice_attribute attribute, const Device& device);

}  // namespace simgpu::driver
