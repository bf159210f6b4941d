// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/thread_slot.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "libmigprof/base/cancellation.h"
#include "libmigprof/base/clock.h"
#include "libmigprof/base/memory_use.h"

namespace migprof::record {
namespace {

// The only thread-local variable of the recorder: trivial, so that nothing runs at thread end, and in the initial TLS
// block, so that touching it never allocates.
__attribute__((tls_model("initial-exec"))) thread_local ThreadSlot* t_slot = nullptr;

// Stands for a thread for which there was no slot. It stays untracked: searching again at every call would make the
// calls slow.
ThreadSlot* const kUntracked = reinterpret_cast<ThreadSlot*>(alignof(ThreadSlot));

pthread_key_t g_thread_end_key;

constexpr size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// The head of a slot's mapping; its tables follow, and then its ring.
constexpr size_t kHeadBytes = RoundUp(sizeof(ThreadSlot), 64);

size_t TableBytes(const SlotSizes& sizes) {
  return 2 * sizes.sent_stacks * sizeof(uint64_t) + sizes.known_code * sizeof(KnownCode::Entry);
}

// False when the ring has no room for it.
bool SendOwner(ThreadSlot* slot, const OwnerRecord& owner) {
  uint8_t* const room = slot->ring.Reserve(sizeof(owner));
  if (room == nullptr) return false;
  std::memcpy(room, &owner, sizeof(owner));
  slot->ring.Commit();
  return true;
}

size_t BytesBeforeRing(const SlotSizes& sizes) { return RoundUp(kHeadBytes + TableBytes(sizes), 4096); }

// How far slots may fill the memory that there is for them, in sixteenths of it, before their rings get smaller. Most
// processes launch from a few threads, which get what was asked for; the last half is for programs with very many.
struct Zone {
  size_t end;
  uint64_t largest_ring;
  uint64_t smallest_ring;
};
constexpr uint64_t kKiB = 1024;
constexpr Zone kZones[] = {{5, UINT64_MAX, 512 * kKiB},
                           {7, 1024 * kKiB, 512 * kKiB},
                           {8, 256 * kKiB, 256 * kKiB},
                           {9, 64 * kKiB, 64 * kKiB},
                           {16, 16 * kKiB, 16 * kKiB}};

}  // namespace

size_t SlotSizes::bytes() const { return BytesBeforeRing(*this) + ring_bytes; }

SlotSizes SizesOfSlot(uint64_t ring_bytes) {
  const auto entries = static_cast<size_t>(std::clamp<uint64_t>(ring_bytes / 128, 256, 4096));
  return {.ring_bytes = ring_bytes, .sent_stacks = entries, .known_code = entries / 2};
}

std::optional<SlotSizes> SizesOfNextSlot(size_t used_bytes, size_t most_bytes, size_t lent_bytes, uint64_t ring_bytes) {
  for (const Zone& zone : kZones) {
    const size_t end = most_bytes / 16 * zone.end;
    for (uint64_t ring = std::min(ring_bytes, zone.largest_ring); ring >= std::min(ring_bytes, zone.smallest_ring);
         ring /= 2) {
      const SlotSizes sizes = SizesOfSlot(ring);
      const size_t used = used_bytes + sizes.bytes();
      if (used <= end && used + lent_bytes <= most_bytes) return sizes;
    }
  }
  return std::nullopt;
}

Error ThreadSlots::Init(uint64_t ring_bytes, size_t most_bytes, LentMemory* lent, size_t most_slots) {
  const size_t table_bytes = most_slots * sizeof(*slots_);
  void* const table = mmap(nullptr, table_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED) return {"out of memory", errno};
  MemoryUse::Add(table_bytes);
  slots_ = static_cast<std::atomic<ThreadSlot*>*>(table);  // zeros are null pointers
  most_slots_ = most_slots;
  ring_bytes_ = ring_bytes;
  most_bytes_ = most_bytes;
  lent_ = lent;
  if (lent_ != nullptr) lent_->offered.store(most_bytes_ / 2, std::memory_order_relaxed);
  if (const int error = pthread_key_create(&g_thread_end_key, &ThreadSlots::Retire); error != 0) {
    return {"no thread-specific key is left", error};
  }
  return Error::None();
}

ThreadSlot* ThreadSlots::Mine() noexcept {
  if (t_slot != nullptr) [[likely]]
    return t_slot != kUntracked ? t_slot : nullptr;
  return Acquire();
}

ThreadSlot* ThreadSlots::TakeSlot(uint64_t most_used, const OwnerRecord& owner) noexcept {
  const size_t count = count_.load(std::memory_order_acquire);
  for (size_t i = 0; i < count && i < most_slots_; ++i) {
    ThreadSlot* const slot = slots_[i].load(std::memory_order_acquire);
    if (slot == nullptr) continue;
    ThreadSlot::State state = slot->state.load(std::memory_order_relaxed);
    if (state == ThreadSlot::State::kActive || slot->ring.used() > most_used) continue;
    // Acquire pairs with the release of the last owner, whose writing end of the ring this is from now on.
    if (!slot->state.compare_exchange_strong(state, ThreadSlot::State::kActive, std::memory_order_acquire)) continue;
    if (SendOwner(slot, owner)) return slot;
    slot->state.store(state, std::memory_order_release);
  }
  return nullptr;
}

__attribute__((cold)) ThreadSlot* ThreadSlots::Acquire() noexcept {
  const CancellationOff off;
  const OwnerRecord owner = {.header = {sizeof(OwnerRecord), RingRecordKind::kOwner, 0, 0},
                             .serial = next_serial_.fetch_add(1, std::memory_order_relaxed),
                             .system_thread_id = static_cast<uint32_t>(syscall(SYS_gettid))};
  // Threads that come and go faster than the drain thread looks must not take a slot each.
  ThreadSlot* mine = TakeSlot(0, owner);
  if (mine == nullptr) mine = TakeSlot(ring_bytes_ / 64, owner);
  bool is_new = false;
  if (mine == nullptr) {
    mine = Map();
    is_new = mine != nullptr;
    if (is_new) SendOwner(mine, owner);
  }
  if (mine == nullptr) mine = TakeSlot(UINT64_MAX, owner);
  if (mine == nullptr) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    t_slot = kUntracked;
    return nullptr;
  }
  mine->system_thread_id = owner.system_thread_id;
  mine->in_use = false;
  mine->open_correlation = 0;
  if (!is_new) {  // the memory of a new one is not even touched
    mine->sent_stacks.Clear();
    mine->sent_python_stacks.Clear();
    mine->sent_ranges.Clear();
  }
  TakeOver(&mine->native_stack);
  mine->random = 0x9e3779b97f4a7c15 * (mine->system_thread_id + 1);
  mine->until_timed = mine->timed_singly = 0;
  mine->timed_weight = 1;
  mine->life.Begin(MonotonicNs());
  mine->serial = owner.serial;
  // Tells of the thread's end. A launch from a later destructor of the dying thread finds no slot, takes one again, and
  // the key's destructor runs once more; past the last round the slot stays active and its records are still drained.
  pthread_setspecific(g_thread_end_key, mine);
  t_slot = mine;
  if (first_event_hook_ != nullptr) {
    const SlotUse use(mine);
    first_event_hook_(first_event_context_, mine);
  }
  return mine;
}

std::optional<SlotSizes> ThreadSlots::TakeRoom() noexcept {
  size_t used = used_bytes_.load(std::memory_order_relaxed);
  for (;;) {
    const size_t lent = lent_ != nullptr ? lent_->taken.load(std::memory_order_relaxed) : 0;
    const std::optional<SlotSizes> sizes = SizesOfNextSlot(used, most_bytes_, lent, ring_bytes_);
    if (!sizes) return std::nullopt;
    const size_t after = used + sizes->bytes();
    if (!used_bytes_.compare_exchange_weak(used, after, std::memory_order_relaxed)) continue;
    if (lent_ != nullptr) lent_->offered.store((most_bytes_ - after) / 2, std::memory_order_relaxed);
    return sizes;
  }
}

ThreadSlot* ThreadSlots::Map() noexcept {
  const std::optional<SlotSizes> sizes = TakeRoom();
  if (!sizes) return nullptr;
  const size_t index = count_.fetch_add(1, std::memory_order_acq_rel);
  void* memory = MAP_FAILED;
  if (index >= most_slots_) {
    count_.store(most_slots_, std::memory_order_relaxed);
  } else {
    memory = mmap(nullptr, sizes->bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  if (memory == MAP_FAILED) {
    used_bytes_.fetch_sub(sizes->bytes(), std::memory_order_relaxed);
    return nullptr;
  }
  MemoryUse::Add(sizes->bytes());
  if (sizes->ring_bytes < ring_bytes_) small_rings_.fetch_add(1, std::memory_order_relaxed);
  auto* slot = new (memory) ThreadSlot;
  uint8_t* const start = static_cast<uint8_t*>(memory);
  auto* const hashes = reinterpret_cast<uint64_t*>(start + kHeadBytes);
  slot->sent_stacks.Init(hashes, sizes->sent_stacks);
  slot->sent_python_stacks.Init(hashes + sizes->sent_stacks, sizes->sent_stacks);
  auto* const code = reinterpret_cast<KnownCode::Entry*>(hashes + 2 * sizes->sent_stacks);
  slot->python_stack.known_code.Init(code, sizes->known_code);
  slot->ring.Init(start + BytesBeforeRing(*sizes), sizes->ring_bytes);
  slot->state.store(ThreadSlot::State::kActive, std::memory_order_relaxed);
  slots_[index].store(slot, std::memory_order_release);
  return slot;
}

void ThreadSlots::Retire(void* slot) {
  t_slot = nullptr;
  static_cast<ThreadSlot*>(slot)->life.End(MonotonicNs());
  // Release: everything this thread wrote is visible to whoever sees kRetired.
  static_cast<ThreadSlot*>(slot)->state.store(ThreadSlot::State::kRetired, std::memory_order_release);
}

}  // namespace migprof::record
