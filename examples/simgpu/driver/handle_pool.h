// SPDX-License-Identifier: Apache-2.0
// Memory for the objects behind CUDA handles.
//
// A handle is a pointer that the program may keep after it destroyed the object, so the memory of a destroyed object is only ever
// used for another one of the same type: a stale handle can be looked at and is recognised. As in a real driver, a new object is
// likely to get the address of the last one destroyed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace simgpu::driver {

template <class T>
class HandlePool {
 public:
  template <class... Arguments>
  static T* New(Arguments&&... arguments) {
    Slot* const slot = Instance().Take();
    T* const object = new (slot->bytes) T(std::forward<Arguments>(arguments)...);
    slot->live.store(kLive, std::memory_order_release);
    return object;
  }

  static void Delete(T* object) {
    Slot* const slot = SlotOf(object);
    slot->live.store(0, std::memory_order_release);
    object->~T();
    Instance().Return(slot);
  }

  // The object of a handle; null when it is none, or no longer one. A pointer that never was a handle of any kind must at least be
  // readable memory, as with the real driver.
  static T* Find(const void* handle) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(handle);
    if (address < 4096 || address % alignof(Slot) != offsetof(Slot, bytes) % alignof(Slot)) return nullptr;
    Slot* const slot = SlotOf(const_cast<void*>(handle));
    return slot->live.load(std::memory_order_acquire) == kLive ? reinterpret_cast<T*>(slot->bytes) : nullptr;
  }

 private:
  static constexpr size_t kSlotsPerBlock = 64;
  // Tells this type from others: the address is unique to the type.
  inline static char type_marker_;
  inline static const uintptr_t kLive = reinterpret_cast<uintptr_t>(&type_marker_);

  struct Slot {
    std::atomic<uintptr_t> live{0};
    alignas(16) unsigned char bytes[sizeof(T)];
  };

  static Slot* SlotOf(void* object) {
    return reinterpret_cast<Slot*>(static_cast<unsigned char*>(object) - offsetof(Slot, bytes));
  }

  static HandlePool& Instance() {
    static HandlePool& pool = *new HandlePool;  // for the life of the process
    return pool;
  }

  Slot* Take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      blocks_.push_back(std::make_unique<Slot[]>(kSlotsPerBlock));
      for (size_t i = kSlotsPerBlock; i-- > 0;) free_.push_back(&blocks_.back()[i]);
    }
    Slot* const slot = free_.back();
    free_.pop_back();
    return slot;
  }

  void Return(Slot* slot) {
    const std::lock_guard lock(mutex_);
    free_.push_back(slot);
  }

  std::mutex mutex_;
  std::vector<Slot*> free_;
  std::vector<std::unique_ptr<Slot[]>> blocks_;
};

}  // namespace simgpu::driver
