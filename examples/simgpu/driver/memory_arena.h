// SPDX-License-Identifier: Apache-2.0
// The memory of one device: host memory that is only committed where it is touched, so a 40 GB slice can be filled with
// allocations.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace simgpu::driver {

class MemoryArena {
 public:
  // Every allocation starts at a multiple of this, as on a real GPU.
  static constexpr size_t kAlignment = 512;

  explicit MemoryArena(uint64_t capacity) : capacity_(capacity / kAlignment * kAlignment) {}
  ~MemoryArena();
  MemoryArena(const MemoryArena&) = delete;
  MemoryArena& operator=(const MemoryArena&) = delete;

  // Null when no gap is large enough. Any thread.
  void* Allocate(size_t bytes);
  // `address` must come from Allocate. Gives the pages back, so the next owner reads zeros.
  void Free(void* address);

  uint64_t capacity() const { return capacity_; }
  uint64_t used() const;
  // Every change of used() is written there too. To be called before anything is allocated.
  void PostUsedTo(std::atomic<uint64_t>* posted) { posted_used_ = posted; }

 private:
  bool Reserve();

  mutable std::mutex mutex_;
  const uint64_t capacity_;
  uint64_t used_ = 0;
  std::atomic<uint64_t>* posted_used_ = nullptr;
  char* base_ = nullptr;
  std::map<uint64_t, uint64_t> gaps_;    // offset → bytes
  std::map<uint64_t, uint64_t> blocks_;  // offset → bytes
};

}  // namespace simgpu::driver
