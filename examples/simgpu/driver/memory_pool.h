// SPDX-License-Identifier: Apache-2.0
// Pools of stream-ordered memory.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <mutex>

#include "driver/device.h"
#include "simgpu_private.h"

namespace simgpu::driver {

struct MemoryPool {
  explicit MemoryPool(Device* pool_device) : device(pool_device) {}

  Device* const device;
  std::mutex mutex;  // guards what follows
  uint64_t release_threshold = 0;
  uint64_t used_bytes = 0;
  uint64_t used_high_bytes = 0;
  // Freed memory the pool keeps for itself. It is only a number: the device has the pages back.
  uint64_t reserved_bytes = 0;
  uint64_t reserved_high_bytes = 0;
  int reuse_follow_event_dependencies = 1;
  int reuse_allow_opportunistic = 1;
  int reuse_allow_internal_dependencies = 1;
};

inline CUmemoryPool HandleOf(MemoryPool* pool) { return reinterpret_cast<CUmemoryPool>(pool); }
MemoryPool* FindPool(CUmemoryPool handle);

MemoryPool* DefaultPool(Device* device);
MemoryPool* CurrentPool(Device* device);
PoolState StateOf(MemoryPool& pool);

// Account for an allocation of the pool.
void AddUse(MemoryPool* pool, uint64_t bytes);
void RemoveUse(MemoryPool* pool, uint64_t bytes);

}  // namespace simgpu::driver
