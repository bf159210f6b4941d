// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/activity_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "libmigprof/base/memory_use.h"

namespace migprof::record {
namespace {

// What the calling thread has taken in a round. Trivial and in the initial TLS block, so that touching it never
// allocates.
struct Taken {
  uint32_t round;
  size_t next_capacity;
};
__attribute__((tls_model("initial-exec"))) thread_local Taken t_taken = {0, 0};

// What records of `bytes` make of a buffer's memory, in whole pages.
constexpr size_t PagesFor(size_t bytes) { return (ActivityBuffer::kControlBytes + bytes + 4095) / 4096 * 4096; }

// Of a cell whose buffer is gone: others may lie behind it.
ActivityBuffer* const kGone = reinterpret_cast<ActivityBuffer*>(1);

size_t HomeOf(const ActivityBuffer* buffer) { return reinterpret_cast<uintptr_t>(buffer) * 0x9E3779B97F4A7C15u >> 32; }

}  // namespace

void ActivityBuffers::Init(size_t buffer_bytes, size_t most, size_t most_bytes, LentMemory* lent) {
  buffer_bytes_ = buffer_bytes;
  most_ = most;
  most_bytes_ = most_bytes;
  lent_ = lent;
}

size_t ActivityBuffers::MostNow() const noexcept {
  return most_bytes_ + (lent_ != nullptr ? lent_->offered.load(std::memory_order_relaxed) : 0);
}

void ActivityBuffers::NoteLent() noexcept {
  if (lent_ == nullptr) return;
  const size_t used = used_bytes_.load(std::memory_order_relaxed);
  lent_->taken.store(used - std::min(used, most_bytes_), std::memory_order_relaxed);
}

bool ActivityBuffers::Charge(ActivityBuffer* buffer, size_t bytes, bool is_small) noexcept {
  if (bytes <= buffer->charged) return true;
  const size_t most_bytes = is_small ? MostNow() : MostNow() / 4 * 3;
  const size_t more = bytes - buffer->charged;
  size_t used = used_bytes_.load(std::memory_order_relaxed);
  do {
    if (used > most_bytes || most_bytes - used < more) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + more, std::memory_order_relaxed));
  MemoryUse::Add(more);
  buffer->charged = bytes;
  NoteLent();
  return true;
}

void ActivityBuffers::Discharge(ActivityBuffer* buffer, size_t bytes) noexcept {
  if (bytes >= buffer->charged) return;
  used_bytes_.fetch_sub(buffer->charged - bytes, std::memory_order_relaxed);
  MemoryUse::Remove(buffer->charged - bytes);
  buffer->charged = bytes;
  NoteLent();
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
  auto* const buffer = new (memory) ActivityBuffer;
  buffer->touched = PagesFor(0);
  if (Charge(buffer, buffer->touched, /*is_small=*/true) && Register(buffer)) return buffer;
  Unmap(buffer);
  return nullptr;
}

bool ActivityBuffers::Register(ActivityBuffer* buffer) noexcept {
  const size_t home = HomeOf(buffer);
  for (size_t i = 0; i < kRegistered; ++i) {
    std::atomic<ActivityBuffer*>& cell = registered_[(home + i) % kRegistered];
    ActivityBuffer* found = cell.load(std::memory_order_relaxed);
    while (found == nullptr || found == kGone) {
      if (cell.compare_exchange_weak(found, buffer, std::memory_order_release, std::memory_order_relaxed)) return true;
    }
  }
  return false;
}

bool ActivityBuffers::Owns(const uint8_t* data) const noexcept {
  const auto* const buffer = reinterpret_cast<const ActivityBuffer*>(data - ActivityBuffer::kControlBytes);
  const size_t home = HomeOf(buffer);
  for (size_t i = 0; i < kRegistered; ++i) {
    const ActivityBuffer* const found = registered_[(home + i) % kRegistered].load(std::memory_order_acquire);
    if (found == buffer) return true;
    if (found == nullptr) return false;
  }
  return false;
}

void ActivityBuffers::Unmap(ActivityBuffer* buffer) noexcept {
  Discharge(buffer, 0);
  const size_t home = HomeOf(buffer);
  for (size_t i = 0; i < kRegistered; ++i) {
    std::atomic<ActivityBuffer*>& cell = registered_[(home + i) % kRegistered];
    ActivityBuffer* const found = cell.load(std::memory_order_relaxed);
    if (found == buffer) cell.store(kGone, std::memory_order_relaxed);
    if (found == buffer || found == nullptr) break;
  }
  munmap(buffer, buffer_bytes_);
  existing_.fetch_sub(1, std::memory_order_relaxed);
}

size_t ActivityBuffers::NextCapacity() noexcept {
  const uint32_t round = round_.load(std::memory_order_relaxed);
  if (t_taken.round != round) t_taken = {round, kFirstCapacity};
  const size_t capacity = std::min(t_taken.next_capacity, buffer_bytes_ - ActivityBuffer::kControlBytes);
  t_taken.next_capacity = capacity * kGrowth;
  return capacity;
}

ActivityBuffer* ActivityBuffers::Take() noexcept {
  ActivityBuffer* const buffer = TakeAny();
  if (buffer != nullptr) {
    for (size_t capacity = NextCapacity();; capacity = std::max(capacity / kGrowth, kFirstCapacity)) {
      const bool is_small = capacity <= kFirstCapacity;
      if (Charge(buffer, PagesFor(capacity), is_small)) {
        buffer->capacity = capacity;
        held_bytes_.fetch_add(capacity, std::memory_order_relaxed);
        transfers_.fetch_add(1, std::memory_order_relaxed);
        return buffer;
      }
      if (is_small) break;
    }
    if (!Store(buffer)) Unmap(buffer);
  }
  refused_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

ActivityBuffer* ActivityBuffers::TakeAny() noexcept {
  for (std::atomic<ActivityBuffer*>& cell : stock_) {
    if (cell.load(std::memory_order_relaxed) == nullptr) continue;
    if (ActivityBuffer* buffer = cell.exchange(nullptr, std::memory_order_acquire)) return buffer;
  }
  // While there is no room nothing is mapped, only to be unmapped: this is asked again for each record.
  if (used_bytes_.load(std::memory_order_relaxed) + PagesFor(kFirstCapacity) > MostNow()) return nullptr;
  // The stock ran out between two rounds of the drain thread: one mmap here is better than lost records.
  return Map();
}

void ActivityBuffers::Complete(ActivityBuffer* buffer, size_t valid_bytes) noexcept {
  buffer->valid = valid_bytes;
  held_bytes_.fetch_sub(buffer->capacity, std::memory_order_relaxed);
  transfers_.fetch_add(1, std::memory_order_relaxed);
  buffer->touched = std::max(buffer->touched, PagesFor(valid_bytes));
  Discharge(buffer, buffer->touched);  // what CUPTI did not use
  ActivityBuffer* head = completed_.load(std::memory_order_relaxed);
  do {
    buffer->next = head;
  } while (!completed_.compare_exchange_weak(head, buffer, std::memory_order_release, std::memory_order_relaxed));
}

ActivityBuffer* ActivityBuffers::TakeCompleted() noexcept {
  round_.fetch_add(1, std::memory_order_relaxed);
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

size_t ActivityBuffers::InStock() const noexcept {
  return static_cast<size_t>(std::count_if(stock_.begin(), stock_.end(), [](const std::atomic<ActivityBuffer*>& cell) {
    return cell.load(std::memory_order_relaxed) != nullptr;
  }));
}

size_t ActivityBuffers::StockLevel(size_t in_stock) noexcept {
  const size_t existing = existing_.load(std::memory_order_relaxed);
  most_out_ = std::max(most_out_, existing - std::min(existing, in_stock));
  return std::clamp(most_out_, kLeastStock, kStockSlots);
}

bool ActivityBuffers::Store(ActivityBuffer* buffer) noexcept {
  for (std::atomic<ActivityBuffer*>& cell : stock_) {
    ActivityBuffer* empty = nullptr;
    if (cell.compare_exchange_strong(empty, buffer, std::memory_order_release, std::memory_order_relaxed)) return true;
  }
  return false;
}

void ActivityBuffers::Recycle(ActivityBuffer* buffer) noexcept {
  std::memset(buffer->data(), 0, buffer->valid);  // CUPTI was told that buffers come zeroed
  const size_t in_stock = InStock();
  const bool is_light = buffer->touched <= kLightBytes;
  const size_t level = is_light ? std::max(kKeptStock, StockLevel(in_stock)) : kKeptStock;
  // The stock must not take what buffers in use need.
  const bool is_room = is_light || used_bytes_.load(std::memory_order_relaxed) <= most_bytes_ / 2;
  buffer->valid = 0;
  buffer->next = nullptr;
  if (is_room && in_stock < level && Store(buffer)) return;
  Unmap(buffer);
}

void ActivityBuffers::Restock() noexcept {
  size_t in_stock = InStock();
  for (const size_t level = StockLevel(in_stock); in_stock < level; ++in_stock) {
    ActivityBuffer* const buffer = Map();
    if (buffer == nullptr) return;
    if (!Store(buffer)) return Unmap(buffer);
  }
}

}  // namespace migprof::record
