// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/activity_buffers.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace migprof::record {

void ActivityBuffers::Init(size_t buffer_bytes, size_t most, size_t most_waiting_bytes) {
  buffer_bytes_ = buffer_bytes;
  most_ = most;
  most_waiting_bytes_ = most_waiting_bytes;
}

ActivityBuffer* ActivityBuffers::Map() noexcept {
  if (existing_.fetch_add(1, std::memory_order_relaxed) >= most_) {
    existing_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  void* memory = mmap(nullptr, buffer_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    existing_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  auto* buffer = new (memory) ActivityBuffer;
  buffer->capacity = buffer_bytes_ - ActivityBuffer::kControlBytes;
  return buffer;
}

ActivityBuffer* ActivityBuffers::Take() noexcept {
  if (waiting_bytes_.load(std::memory_order_relaxed) > most_waiting_bytes_) [[unlikely]] {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  for (std::atomic<ActivityBuffer*>& cell : stock_) {
    if (cell.load(std::memory_order_relaxed) == nullptr) continue;
    if (ActivityBuffer* buffer = cell.exchange(nullptr, std::memory_order_acquire)) return buffer;
  }
  // The stock ran out between two rounds of the drain thread: one mmap here is better than lost records.
  ActivityBuffer* buffer = Map();
  if (buffer == nullptr) refused_.fetch_add(1, std::memory_order_relaxed);
  return buffer;
}

void ActivityBuffers::Complete(ActivityBuffer* buffer, size_t valid_bytes) noexcept {
  buffer->valid = valid_bytes;
  waiting_bytes_.fetch_add(valid_bytes, std::memory_order_relaxed);
  ActivityBuffer* head = completed_.load(std::memory_order_relaxed);
  do {
    buffer->next = head;
  } while (!completed_.compare_exchange_weak(head, buffer, std::memory_order_release, std::memory_order_relaxed));
}

ActivityBuffer* ActivityBuffers::TakeCompleted() noexcept {
  ActivityBuffer* newest = completed_.exchange(nullptr, std::memory_order_acquire);
  ActivityBuffer* oldest = nullptr;
  while (newest != nullptr) {
    ActivityBuffer* const next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

void ActivityBuffers::Recycle(ActivityBuffer* buffer) noexcept {
  waiting_bytes_.fetch_sub(buffer->valid, std::memory_order_relaxed);
  std::memset(buffer->data(), 0, buffer->valid);  // CUPTI was told that buffers come zeroed
  buffer->valid = 0;
  buffer->next = nullptr;
  for (std::atomic<ActivityBuffer*>& cell : stock_) {
    ActivityBuffer* empty = nullptr;
    if (cell.compare_exchange_strong(empty, buffer, std::memory_order_release, std::memory_order_relaxed)) return;
  }
  munmap(buffer, buffer_bytes_);
  existing_.fetch_sub(1, std::memory_order_relaxed);
}

void ActivityBuffers::Restock() noexcept {
  size_t in_stock = 0;
  for (std::atomic<ActivityBuffer*>& cell : stock_) in_stock += cell.load(std::memory_order_relaxed) != nullptr;
  for (; in_stock < kStockLevel; ++in_stock) {
    ActivityBuffer* buffer = Map();
    if (buffer == nullptr) return;
    Recycle(buffer);
  }
}

}  // namespace migprof::record
