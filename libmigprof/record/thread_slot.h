// SPDX-License-Identifier: Apache-2.0
// One slot per thread that calls CUDA: its ring, and everything the hot path needs, in one mapping.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "libmigprof/base/error.h"
#include "libmigprof/record/memory_shares.h"
#include "libmigprof/record/native_stack.h"
#include "libmigprof/record/python_stack.h"
#include "libmigprof/record/ring_records.h"
#include "libmigprof/record/spsc_ring.h"

namespace migprof::record {

// Losses are counted per device, so that every slice knows its own. Devices beyond the last share the last counter;
// what has no context that is known has one of its own.
inline constexpr size_t kCountedDevices = 64;
inline constexpr size_t kUnknownDevice = kCountedDevices;
inline constexpr size_t CountedDevice(std::optional<uint32_t> ordinal) {
  return !ordinal ? kUnknownDevice : *ordinal < kCountedDevices ? *ordinal : kCountedDevices - 1;
}
// One number for each.
template <typename Number>
using PerDevice = std::array<Number, kCountedDevices + 1>;

// Calls that are not recorded and count for that.
struct LostCalls {
  PerDevice<std::atomic<uint64_t>> of_device{};         // those that give it work
  PerDevice<std::atomic<uint64_t>> others_of_device{};  // allocations, synchronization, loading, …
};

// Remembers the stacks a thread has sent lately. Forgetting one costs a few hundred bytes of ring and nothing else, so
// a direct-mapped table without any upkeep is enough.
class SentStacks {
 public:
  // `hashes`: room for `size` of them, a power of two, all 0.
  void Init(uint64_t* hashes, size_t size) {
    hashes_ = hashes;
    mask_ = size - 1;
  }
  bool Contains(uint64_t hash) const { return hashes_[hash & mask_] == hash; }
  void Insert(uint64_t hash) { hashes_[hash & mask_] = hash; }
  void Clear() { std::fill_n(hashes_, mask_ + 1, 0); }

 private:
  uint64_t* hashes_ = nullptr;
  uint64_t mask_ = 0;
};

// The same for ranges, of which there are fewer.
class SentRanges {
 public:
  bool Contains(uint64_t hash) const { return hashes_[hash / 2 % kSize] == hash; }  // the lowest bit is always set
  void Insert(uint64_t hash) { hashes_[hash / 2 % kSize] = hash; }
  void Clear() { hashes_.fill(0); }

 private:
  static constexpr size_t kSize = 512;
  std::array<uint64_t, kSize> hashes_{};
};

// For how long a slot has had owners, in one word, so that what the drain thread reads is of one moment.
class SlotLife {
 public:
  // The owner. `now_ns`: CLOCK_MONOTONIC.
  void Begin(uint64_t now_ns) { Store(Ns() - now_ns, kRunning); }
  void End(uint64_t now_ns) { Store(Ns() + now_ns, kOver); }
  // Any thread: the lives of all owners until now, added up; 0 where that is in the future.
  uint64_t NsUntil(uint64_t now_ns) const {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    const uint64_t ns = (word & 1) == kRunning ? (word >> 1) + now_ns : word >> 1;
    // The sums are right modulo 2^63.
    return ns >> 62 & 1 ? 0 : ns << 1 >> 1;
  }

 private:
  static constexpr uint64_t kOver = 0;
  static constexpr uint64_t kRunning = 1;

  uint64_t Ns() const { return word_.load(std::memory_order_relaxed) >> 1; }
  void Store(uint64_t ns, uint64_t state) { word_.store(ns << 1 | state, std::memory_order_relaxed); }

  std::atomic<uint64_t> word_{0};  // while an owner lives: what came before it, less its beginning
};

struct ThreadSlot {
  // kActive -> kRetired by the owner as it ends; kRetired -> kFree by the drain thread once the ring is empty; either
  // -> kActive by the next owner. Who takes a slot that is not free yet writes behind what its last owner left.
  enum class State : uint32_t { kFree, kActive, kRetired };

  SpscRing ring;
  std::atomic<State> state{State::kFree};
  uint32_t system_thread_id = 0;  // of the owner; written before the slot becomes active
  uint32_t serial = 0;            // unique per owner within the process, from 1

  // The drain thread's alone: whose records it reads at the moment.
  uint32_t read_thread_id = 0;
  uint32_t read_serial = 0;

  // The owner's alone.
  bool in_use = false;            // see SlotUse
  uint32_t open_correlation = 0;  // of the recorded call that this thread is inside of; 0 outside
  uint32_t open_epoch = 0;        // of the recording in which it was entered
  uint32_t open_context = 0;
  uint32_t open_callback_id = 0;
  uint64_t open_time_ns = 0;         // of its entry, on CUPTI's clock
  uint32_t until_timed = 0;          // calls before the next whose recording is timed
  uint32_t timed_weight = 1;         // for how many calls that one stands
  uint32_t timed_singly = 0;         // calls of this owner that were each timed, at its beginning
  uint64_t random = 0;               // state of a generator
  bool open_captured = false;        // it was said that the open call was captured
  GraphNodesRecord pending_nodes{};  // not in the ring yet, because it may grow; count 0: none
  uint32_t generation = 0;           // of the code and the definitions that the tables of what was sent are about
  SentStacks sent_stacks;
  SentRanges sent_ranges;
  NativeStackState native_stack;
  SentStacks sent_python_stacks;
  PythonStackState python_stack;  // what it knows of code stays true for the next owner

  // Written by the owner, read by the drain thread, never reset: what found the ring full.
  LostCalls dropped_calls;
  // Time of its owners that recording took: each one's first calls, and then estimated from one call in a few.
  std::atomic<uint64_t> own_ns{0};
  SlotLife life;
  std::atomic<uint64_t> dropped_outcomes{0};
  std::atomic<uint64_t> dropped_graph_nodes{0};
  std::atomic<uint64_t> dropped_ranges{0};
};

// While it lives, its thread changes what is in its slot. A signal handler that interrupts the thread there, and calls
// CUDA, must leave the slot alone: granted() is false for it.
class SlotUse {
 public:
  explicit SlotUse(ThreadSlot* slot) : slot_(slot), granted_(!slot->in_use) {
    slot->in_use = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~SlotUse() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    slot_->in_use = !granted_;
  }
  SlotUse(const SlotUse&) = delete;
  SlotUse& operator=(const SlotUse&) = delete;

  bool granted() const { return granted_; }

 private:
  ThreadSlot* const slot_;
  const bool granted_;
};

// What a slot consists of. The tables have powers of two of entries.
struct SlotSizes {
  uint64_t ring_bytes;
  size_t sent_stacks;
  size_t known_code;

  // Of the whole mapping.
  size_t bytes() const;
};

// Of a slot with a ring of `ring_bytes`, a power of two.
SlotSizes SizesOfSlot(uint64_t ring_bytes);

// Of the next slot when slots take `used_bytes` of `most_bytes`, of which something else has `lent_bytes`, and rings
// are to have `ring_bytes`: the first have them, later ones less and less, so that there is room for many; nothing when
// there is none left.
std::optional<SlotSizes> SizesOfNextSlot(size_t used_bytes, size_t most_bytes, size_t lent_bytes, uint64_t ring_bytes);

// All slots of the process. Slots are mapped once, reused, and never unmapped: a thread may still be inside one at any
// time.
class ThreadSlots {
 public:
  // More than have room below any MIGPROF_MAX_MEMORY but those of several gigabytes. Looking for a free slot takes time
  // in proportion to those that there are.
  static constexpr size_t kMostSlots = 8192;
  static constexpr size_t kNoLimit = SIZE_MAX / 32;

  // `ring_bytes`: a power of two of at least 16 KiB. All slots together take at most `most_bytes`, less what is taken
  // of `lent`. Before any Mine(). Claims the pthread key that tells of thread ends.
  Error Init(uint64_t ring_bytes, size_t most_bytes = kNoLimit, LentMemory* lent = nullptr,
             size_t most_slots = kMostSlots);

  // Threads for which there was no slot; never reset.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // Slots whose ring is smaller than was asked for.
  uint64_t small_rings() const { return small_rings_.load(std::memory_order_relaxed); }

  // Calls `hook` on each thread as it gets its slot, which is the place for what only a thread's first event may do.
  // Before any Mine().
  void SetFirstEventHook(void (*hook)(void* context, ThreadSlot* slot) noexcept, void* context) {
    first_event_hook_ = hook;
    first_event_context_ = context;
  }

  // The calling thread's slot. The first call of a thread takes a free slot or maps a new one; null when neither can be
  // had. noexcept, no lock, and no allocation beyond that first call.
  ThreadSlot* Mine() noexcept;

  // Drain thread: visits every slot that was ever used.
  template <typename Visitor>
  void ForEach(Visitor&& visit) {
    const size_t count = count_.load(std::memory_order_acquire);
    for (size_t i = 0; i < count && i < most_slots_; ++i) {
      if (ThreadSlot* slot = slots_[i].load(std::memory_order_acquire)) visit(slot);
    }
  }

 private:
  ThreadSlot* Acquire() noexcept;
  ThreadSlot* Map() noexcept;
  // A slot whose owner is gone and whose ring is full to at most `most_used`, with the record of its new owner sent.
  ThreadSlot* TakeSlot(uint64_t most_used, const OwnerRecord& owner) noexcept;
  // Sets aside room for one more slot.
  std::optional<SlotSizes> TakeRoom() noexcept;
  static void Retire(void* slot);

  uint64_t ring_bytes_ = 0;
  size_t most_bytes_ = kNoLimit;
  LentMemory* lent_ = nullptr;
  std::atomic<size_t> used_bytes_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> small_rings_{0};
  void (*first_event_hook_)(void* context, ThreadSlot* slot) noexcept = nullptr;
  void* first_event_context_ = nullptr;
  std::atomic<size_t> count_{0};
  std::atomic<uint32_t> next_serial_{1};
  size_t most_slots_ = 0;
  std::atomic<ThreadSlot*>* slots_ = nullptr;  // of which only what was used takes memory
};

}  // namespace migprof::record
