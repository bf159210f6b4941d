// SPDX-License-Identifier: Apache-2.0
#include "driver/memory_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "base/complain.h"

namespace simgpu::driver {

MemoryArena::~MemoryArena() {
  if (base_ != nullptr) munmap(base_, capacity_);
}

bool MemoryArena::Reserve() {
  if (base_ != nullptr) return true;
  void* const memory =
      mmap(nullptr, capacity_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    Complain("no address space for %llu bytes of device memory: %s", static_cast<unsigned long long>(capacity_),
             std::strerror(errno));
    return false;
  }
  base_ = static_cast<char*>(memory);
  gaps_[0] = capacity_;
  return true;
}

void* MemoryArena::Allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes == 0 || bytes > capacity_ || !Reserve()) return nullptr;
  const uint64_t wanted = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const auto gap =
      std::find_if(gaps_.begin(), gaps_.end(), [&](const auto& candidate) { return candidate.second >= wanted; });
  if (gap == gaps_.end()) return nullptr;
  const auto [offset, gap_bytes] = *gap;
  gaps_.erase(gap);
  if (gap_bytes > wanted) gaps_[offset + wanted] = gap_bytes - wanted;
  blocks_[offset] = wanted;
  used_ += wanted;
  if (posted_used_ != nullptr) posted_used_->store(used_);
  return base_ + offset;
}

void MemoryArena::Free(void* address) {
  const std::lock_guard lock(mutex_);
  const auto block = blocks_.find(static_cast<uint64_t>(static_cast<char*>(address) - base_));
  if (block == blocks_.end()) return;
  auto [offset, bytes] = *block;
  blocks_.erase(block);
  used_ -= bytes;
  if (posted_used_ != nullptr) posted_used_->store(used_);

  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t first_page = (offset + page - 1) / page * page;
  const uint64_t end_page = (offset + bytes) / page * page;
  if (end_page > first_page) madvise(base_ + first_page, end_page - first_page, MADV_DONTNEED);

  auto after = gaps_.lower_bound(offset);
  if (after != gaps_.end() && after->first == offset + bytes) {
    bytes += after->second;
    after = gaps_.erase(after);
  }
  if (after != gaps_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      before->second += bytes;
      return;
    }
  }
  gaps_[offset] = bytes;
}

uint64_t MemoryArena::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

}  // namespace simgpu::driver
