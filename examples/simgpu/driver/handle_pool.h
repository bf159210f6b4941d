// SPDX-License-Identifier: Apache-2.0
// Memory for the objects behind CUDA handles.
//
// A handle is a pointer that the program may keep after it destroyed the object, so the memory of a destroyed object is
// only ever used for another one of the same type: a stale handle is recognised, and so is any other pointer. As in a
// real driver, a new object is likely to get the address of the last one destroyed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

namespace simgpu::driver {

template <class T>
class HandlePool {
 public:
  template <class... Arguments>
  static T* New(Arguments&&... arguments) {
    Slot* const slot = Take();
    T* const object = new (slot->bytes) T(std::forward<Arguments>(arguments)...);
    slot->live.store(true, std::memory_order_release);
    return object;
  }

  static void Delete(T* object) {
    Slot* const slot = reinterpret_cast<Slot*>(reinterpret_cast<unsigned char*>(object) - offsetof(Slot, bytes));
    slot->live.store(false, std::memory_order_release);
    object->~T();
    const std::lock_guard lock(mutex_);
    slot->next_free = free_;
    free_ = slot;
  }

  // The object of a handle; null when it is none, or no longer one. Looks at no memory but its own.
  static T* Find(const void* handle) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(handle);
    for (size_t i = block_count_.load(std::memory_order_acquire); i-- > 0;) {
      const uintptr_t offset = address - reinterpret_cast<uintptr_t>(blocks_[i].load(std::memory_order_relaxed));
      if (offset >= SlotsOfBlock(i) * sizeof(Slot)) continue;
      Slot* const slot = blocks_[i].load(std::memory_order_relaxed) + offset / sizeof(Slot);
      const bool is_object =
          offset % sizeof(Slot) == offsetof(Slot, bytes) && slot->live.load(std::memory_order_acquire);
      return is_object ? reinterpret_cast<T*>(slot->bytes) : nullptr;
    }
    return nullptr;
  }

 private:
  struct Slot {
    std::atomic<bool> live{false};
    Slot* next_free = nullptr;
    alignas(16) unsigned char bytes[sizeof(T)];
  };

  // Each block has twice the slots of the one before, so that a search has few to go through.
  static constexpr size_t kMaxBlocks = 32;
  static constexpr size_t SlotsOfBlock(size_t index) { return size_t{64} << index; }

  static Slot* Take() {
    const std::lock_guard lock(mutex_);
    if (free_ == nullptr) AddBlock();
    Slot* const slot = free_;
    free_ = slot->next_free;
    return slot;
  }

  static void AddBlock() {
    const size_t index = block_count_.load(std::memory_order_relaxed);
    if (index == kMaxBlocks) throw std::bad_alloc();
    Slot* const slots = new Slot[SlotsOfBlock(index)];  // for the life of the process
    for (size_t i = SlotsOfBlock(index); i-- > 0;) {
      slots[i].next_free = free_;
      free_ = &slots[i];
    }
    blocks_[index].store(slots, std::memory_order_relaxed);
    block_count_.store(index + 1, std::memory_order_release);
  }

  // Nothing of this is destroyed at exit: threads may still be running.
  inline static constinit std::mutex mutex_;
  inline static constinit Slot* free_ = nullptr;
  inline static constinit std::atomic<size_t> block_count_{0};
  inline static constinit std::atomic<Slot*> blocks_[kMaxBlocks] = {};
};

}  // namespace simgpu::driver
