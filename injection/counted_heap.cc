// SPDX-License-Identifier: Apache-2.0
// This library's operator new and delete: what they hand out is counted, so that the recorder can say, and tests can
// check, how much memory it takes. They are hidden, as all of this library: the application keeps its own.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "libmigprof/base/memory_use.h"

namespace {

// In front of each block. As large as the alignment that operator new promises.
struct alignas(16) Head {
  size_t bytes;   // as they were counted
  size_t before;  // the head and what precedes it
};

// Large blocks are mappings of their own, so that they are given back at once and whole: the tables that grow by
// doubling would leave the application's heap full of holes of megabytes.
constexpr size_t kMappedBytes = 128 * 1024;

void* Allocate(size_t bytes, size_t alignment) noexcept {
  const size_t before = std::max(sizeof(Head), alignment);
  if (bytes > SIZE_MAX / 2 || alignment > 4096) return nullptr;
  size_t total = bytes + before;
  void* block;
  if (total >= kMappedBytes) {
    total = (total + 4095) / 4096 * 4096;
    block = mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return nullptr;
  } else if (alignment <= sizeof(Head)) {
    block = std::malloc(total);
  } else {
    total = (total + alignment - 1) / alignment * alignment;
    block = std::aligned_alloc(alignment, total);
  }
  if (block == nullptr) return nullptr;
  migprof::MemoryUse::Add(total);
  auto* const memory = static_cast<uint8_t*>(block) + before;
  const Head head{total, before};
  std::memcpy(memory - sizeof(head), &head, sizeof(head));
  return memory;
}

void Free(void* memory) noexcept {
  if (memory == nullptr) return;
  Head head;
  std::memcpy(&head, static_cast<uint8_t*>(memory) - sizeof(head), sizeof(head));
  void* const block = static_cast<uint8_t*>(memory) - head.before;
  migprof::MemoryUse::Remove(head.bytes);
  if (head.bytes >= kMappedBytes) {
    munmap(block, head.bytes);
  } else {
    std::free(block);
  }
}

void* AllocateOrThrow(size_t bytes, size_t alignment) {
  void* const memory = Allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

constexpr size_t kOrdinary = alignof(Head);
size_t Number(std::align_val_t alignment) { return static_cast<size_t>(alignment); }

}  // namespace

void* operator new(size_t bytes) { return AllocateOrThrow(bytes, kOrdinary); }
void* operator new[](size_t bytes) { return AllocateOrThrow(bytes, kOrdinary); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes, kOrdinary); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes, kOrdinary); }
void* operator new(size_t bytes, std::align_val_t alignment) { return AllocateOrThrow(bytes, Number(alignment)); }
void* operator new[](size_t bytes, std::align_val_t alignment) { return AllocateOrThrow(bytes, Number(alignment)); }
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Allocate(bytes, Number(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Allocate(bytes, Number(alignment));
}

void operator delete(void* memory) noexcept { Free(memory); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t) noexcept { Free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { Free(memory); }
