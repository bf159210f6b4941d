// SPDX-License-Identifier: Apache-2.0
#include "driver/memory_pool.h"

#include <algorithm>

#include "driver/handle_pool.h"

namespace simgpu::driver {

MemoryPool* FindPool(CUmemoryPool handle) { return HandlePool<MemoryPool>::Find(handle); }

MemoryPool* DefaultPool(Device* device) {
  const std::lock_guard lock(device->pool_mutex);
  if (device->default_pool == nullptr) device->default_pool = HandlePool<MemoryPool>::New(device);
  return device->default_pool;
}

MemoryPool* CurrentPool(Device* device) {
  {
    const std::lock_guard lock(device->pool_mutex);
    if (device->current_pool != nullptr) return device->current_pool;
  }
  return DefaultPool(device);
}

PoolState StateOf(MemoryPool& pool) {
  const std::lock_guard lock(pool.mutex);
  return {true, reinterpret_cast<uint64_t>(&pool), pool.release_threshold, pool.reserved_bytes, pool.used_bytes};
}

void AddUse(MemoryPool* pool, uint64_t bytes) {
  const std::lock_guard lock(pool->mutex);
  pool->used_bytes += bytes;
  pool->used_high_bytes = std::max(pool->used_high_bytes, pool->used_bytes);
  pool->reserved_bytes = std::max(pool->reserved_bytes, pool->used_bytes);
  pool->reserved_high_bytes = std::max(pool->reserved_high_bytes, pool->reserved_bytes);
}

void RemoveUse(MemoryPool* pool, uint64_t bytes) {
  const std::lock_guard lock(pool->mutex);
  pool->used_bytes -= std::min(bytes, pool->used_bytes);
  pool->reserved_bytes = std::max(pool->used_bytes, std::min(pool->reserved_bytes, pool->release_threshold));
}

}  // namespace simgpu::driver
