// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/thread_slot.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>

#include "libmigprof/base/cancellation.h"
#include "libmigprof/base/clock.h"

namespace migprof::record {
namespace {

// The only thread-local variable of the recorder: trivial, so that nothing runs at thread end, and in the initial TLS
// block, so that touching it never allocates.
__attribute__((tls_model("initial-exec"))) thread_local ThreadSlot* t_slot = nullptr;

// Stands for a thread for which there was no slot. It stays untracked: searching again at every call would make the
// calls slow.
ThreadSlot* const kUntracked = reinterpret_cast<ThreadSlot*>(alignof(ThreadSlot));

pthread_key_t g_thread_end_key;

}  // namespace

Error ThreadSlots::Init(uint64_t ring_bytes) {
  ring_bytes_ = ring_bytes;
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

__attribute__((cold)) ThreadSlot* ThreadSlots::Acquire() noexcept {
  const CancellationOff off;
  ThreadSlot* mine = nullptr;
  const size_t count = count_.load(std::memory_order_acquire);
  for (size_t i = 0; i < count && i < kMaxSlots && mine == nullptr; ++i) {
    ThreadSlot* slot = slots_[i].load(std::memory_order_acquire);
    ThreadSlot::State free = ThreadSlot::State::kFree;
    // Acquire pairs with the drain thread's release: it is done with the previous owner's records.
    if (slot != nullptr && slot->state.load(std::memory_order_relaxed) == free &&
        slot->state.compare_exchange_strong(free, ThreadSlot::State::kActive, std::memory_order_acquire)) {
      mine = slot;
    }
  }
  if (mine == nullptr) mine = Map();
  if (mine == nullptr) {
    t_slot = kUntracked;
    return nullptr;
  }
  mine->system_thread_id = static_cast<uint32_t>(syscall(SYS_gettid));
  mine->in_use = false;
  mine->open_correlation = 0;
  mine->sent_stacks.Clear();
  TakeOver(&mine->native_stack);
  mine->sent_python_stacks.Clear();
  mine->sent_ranges.Clear();
  // The drain thread reads owner and id after it has seen the first record, which is committed with release after this.
  mine->random = 0x9e3779b97f4a7c15 * (mine->system_thread_id + 1);
  mine->until_timed = mine->timed_singly = 0;
  mine->timed_weight = 1;
  mine->life.Begin(MonotonicNs());
  mine->serial = next_serial_.fetch_add(1, std::memory_order_relaxed);
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

ThreadSlot* ThreadSlots::Map() noexcept {
  const size_t index = count_.fetch_add(1, std::memory_order_acq_rel);
  if (index >= kMaxSlots) {
    count_.store(kMaxSlots, std::memory_order_relaxed);
    return nullptr;
  }
  const size_t slot_bytes = (sizeof(ThreadSlot) + 4095) / 4096 * 4096;
  void* memory = mmap(nullptr, slot_bytes + ring_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* slot = new (memory) ThreadSlot;
  slot->ring.Init(static_cast<uint8_t*>(memory) + slot_bytes, ring_bytes_);
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
