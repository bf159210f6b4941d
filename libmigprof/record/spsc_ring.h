// SPDX-License-Identifier: Apache-2.0
// A byte ring with one writing thread and one reading thread: how records leave the threads of the application.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

namespace migprof::record {

enum class RingRecordKind : uint8_t {
  kPadding = 0,
  kCall = 1,
  kStack = 2,
  kOutcome = 3,
  kPythonCode = 4,
  kPythonLines = 5,
  kPythonStack = 6,
  kGraphNodes = 8,
  kRange = 9,
  kThreadName = 10,
  kOwner = 11,
};

// The first bytes of every record. `bytes` is a multiple of 8.
struct RingRecordHeader {
  uint16_t bytes;
  RingRecordKind kind;
  uint8_t flags;
  uint32_t correlation;
};
static_assert(sizeof(RingRecordHeader) == 8);

// Guarantees:
//  1. Reserve and Commit are for one producer thread, Drain for one consumer thread; neither ever waits for the other.
//  2. A record is seen whole or not at all, in the order of the commits.
//  3. When there is no room Reserve returns null and changes nothing; counting the loss is the caller's part.
// The memory is the caller's, so that it can come from mmap and outlive both threads.
class SpscRing {
 public:
  // `bytes` must be a power of two of at least 64 and `memory` aligned to 8. Before either thread starts.
  void Init(uint8_t* memory, uint64_t bytes) {
    memory_ = memory;
    size_ = bytes;
    head_.store(0, std::memory_order_relaxed);
    tail_.store(0, std::memory_order_relaxed);
    reserved_ = cached_tail_ = 0;
  }

  // Producer: contiguous room for one record of `bytes` (a multiple of 8, at most 65528), or null when the ring is
  // full. The record counts only after Commit, and a new Reserve without Commit takes it back.
  uint8_t* Reserve(uint32_t bytes) {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    const uint64_t offset = head & (size_ - 1);
    // A record never wraps: what is left at the end is filled with a padding record of its own.
    const uint64_t padding = size_ - offset < bytes ? size_ - offset : 0;
    const uint64_t end = head + padding + bytes;
    if (end - cached_tail_ > size_) {
      cached_tail_ =
          tail_.load(std::memory_order_acquire);  // pairs with the release in Drain: the bytes are free again
      if (end - cached_tail_ > size_) return nullptr;
    }
    if (padding != 0) WritePadding(memory_ + offset, padding);
    reserved_ = end;
    return memory_ + ((head + padding) & (size_ - 1));
  }

  // Producer: makes the last reserved record visible to the consumer.
  void Commit() { head_.store(reserved_, std::memory_order_release); }

  // Consumer: calls `visit(const RingRecordHeader*)` for every record that was committed when it started. Returns the
  // number of bytes freed. They are freed in pieces of an eighth of the ring, so that the producer need not wait for
  // the end of a visit that takes long. What `visit` throws passes through; the record it was about counts as visited.
  template <typename Visitor>
  uint64_t Drain(Visitor&& visit) {
    const uint64_t head = head_.load(std::memory_order_acquire);  // pairs with Commit: the records are complete
    const uint64_t start = tail_.load(std::memory_order_relaxed);
    struct Freed {
      std::atomic<uint64_t>* published;
      uint64_t tail;
      ~Freed() { published->store(tail, std::memory_order_release); }
    } freed{&tail_, start};
    uint64_t handed_back = start;
    while (freed.tail != head) {
      if (freed.tail - handed_back >= size_ / 8) {
        handed_back = freed.tail;
        tail_.store(handed_back, std::memory_order_release);
      }
      const auto* record = reinterpret_cast<const RingRecordHeader*>(memory_ + (freed.tail & (size_ - 1)));
      freed.tail += record->bytes;
      if (record->kind != RingRecordKind::kPadding) visit(record);
    }
    return freed.tail - start;
  }

  // Either side: bytes committed and not yet drained.
  uint64_t used() const { return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed); }
  uint64_t size() const { return size_; }

 private:
  // Shorter than the record that did not fit, so 16 bits hold its length too.
  static void WritePadding(uint8_t* at, uint64_t bytes) {
    const RingRecordHeader header{static_cast<uint16_t>(bytes), RingRecordKind::kPadding, 0, 0};
    std::memcpy(at, &header, sizeof(header));
  }

  // The two indices are written by different threads: each has its own cache line, and the producer keeps a copy of the
  // tail so that it reads the consumer's line only when the ring looks full. Both only grow; the position is the index
  // modulo the size.
  alignas(64) std::atomic<uint64_t> head_{0};
  uint64_t reserved_ = 0;
  uint64_t cached_tail_ = 0;
  uint8_t* memory_ = nullptr;
  uint64_t size_ = 0;
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace migprof::record
