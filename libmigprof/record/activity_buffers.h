// SPDX-License-Identifier: Apache-2.0
// The buffers CUPTI writes GPU activity into: handed out to CUPTI, taken back full, read by the drain thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "libmigprof/record/memory_shares.h"

namespace migprof::record {

// Lives in the first bytes of its own mapping; the activity records follow.
struct ActivityBuffer {
  static constexpr size_t kControlBytes = 64;

  ActivityBuffer* next = nullptr;  // in the list of completed buffers
  size_t capacity = 0;             // bytes of records
  size_t valid = 0;                // bytes of records that CUPTI wrote
  size_t touched = 0;              // bytes of the mapping that were ever written to, in whole pages
  size_t charged = 0;              // bytes of it that count as taken: what was written to, or may be

  uint8_t* data() { return reinterpret_cast<uint8_t*>(this) + kControlBytes; }
  static ActivityBuffer* FromData(uint8_t* data) { return reinterpret_cast<ActivityBuffer*>(data - kControlBytes); }
};
static_assert(sizeof(ActivityBuffer) <= ActivityBuffer::kControlBytes);

// Take and Complete are called by CUPTI on any thread, application threads included, and neither lock nor allocate
// while the stock lasts; Restock, TakeCompleted and Recycle belong to the drain thread.
class ActivityBuffers {
 public:
  // `buffer_bytes` per buffer, `most` buffers at once, which take at most `most_bytes` of memory: with CUPTI, waiting
  // for the drain thread, and in stock. A buffer takes memory only as far as it may be written to, and CUPTI 13 keeps
  // one per thread, so `most` may be large. What is offered of `lent` may be taken besides. Before any other call.
  void Init(size_t buffer_bytes, size_t most, size_t most_bytes, LentMemory* lent = nullptr);

  // An empty, zeroed buffer, or null beyond those limits or without memory. CUPTI holds a buffer back until all the
  // work in it is done, which on a GPU that always has work to do means until it is full: in a large buffer records
  // would wait for longer than a kill may cost. So the first that a thread takes between two rounds of the drain thread
  // is small, and each further one larger, up to `buffer_bytes`. The last quarter of the memory is for small ones, so
  // that buffers go round also when the drain thread is late: a refused request loses records.
  ActivityBuffer* Take() noexcept;

  // A buffer that CUPTI is done with.
  void Complete(ActivityBuffer* buffer, size_t valid_bytes) noexcept;

  // All completed buffers, oldest first. Begins a round of the drain thread.
  ActivityBuffer* TakeCompleted() noexcept;

  // Makes a drained buffer available again.
  void Recycle(ActivityBuffer* buffer) noexcept;

  // Maps buffers until enough are in stock, so that Take need not: as many as CUPTI ever held, because a flush takes
  // those of all threads at once, and each thread then asks for another.
  void Restock() noexcept;

  // Buffers that are mapped.
  size_t existing() const { return existing_.load(std::memory_order_relaxed); }

  // Memory that buffers take.
  size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

  // Room in the buffers that CUPTI has, in bytes. And: how often it took one or gave one back.
  uint64_t held_bytes() const { return held_bytes_.load(std::memory_order_relaxed); }
  uint64_t transfers() const { return transfers_.load(std::memory_order_relaxed); }

  // Whether `data` is in a buffer of these. One of another client, which registered before and whose buffer CUPTI still
  // had, is not for this one to touch. Any thread.
  bool Owns(const uint8_t* data) const noexcept;

  // Requests that got no buffer; never reset.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kStockSlots = 128;
  static constexpr size_t kLeastStock = 16;
  // Beyond this many in stock, buffers with more than so much memory in them are given back to the system.
  static constexpr size_t kKeptStock = 16;
  static constexpr size_t kLightBytes = 64 * 1024;

  static constexpr size_t kFirstCapacity = 8 * 1024;  // some 35 kernels
  static constexpr size_t kGrowth = 4;

  ActivityBuffer* Map() noexcept;
  ActivityBuffer* TakeAny() noexcept;
  size_t NextCapacity() noexcept;
  // Counts more of a buffer as taken, if there is room for it; and less.
  bool Charge(ActivityBuffer* buffer, size_t bytes, bool is_small) noexcept;
  size_t MostNow() const noexcept;
  void NoteLent() noexcept;
  void Discharge(ActivityBuffer* buffer, size_t bytes) noexcept;
  size_t InStock() const noexcept;
  bool Register(ActivityBuffer* buffer) noexcept;
  void Unmap(ActivityBuffer* buffer) noexcept;
  size_t StockLevel(size_t in_stock) noexcept;
  bool Store(ActivityBuffer* buffer) noexcept;

  size_t buffer_bytes_ = 0;
  size_t most_ = 0;
  size_t most_bytes_ = 0;
  LentMemory* lent_ = nullptr;
  std::atomic<size_t> existing_{0};
  std::atomic<size_t> used_bytes_{0};
  std::atomic<uint64_t> held_bytes_{0};
  std::atomic<uint64_t> transfers_{0};
  size_t most_out_ = 0;  // of stock at once; the drain thread's own
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint32_t> round_{1};
  // A few cells that are each taken or filled with one exchange: no list, so no ABA problem.
  std::array<std::atomic<ActivityBuffer*>, kStockSlots> stock_{};
  // All that are mapped, where their addresses say or soon after; as many cells as twice the most that may be.
  static constexpr size_t kRegistered = 8192;
  std::array<std::atomic<ActivityBuffer*>, kRegistered> registered_{};
  std::atomic<ActivityBuffer*> completed_{nullptr};
};

}  // namespace migprof::record
