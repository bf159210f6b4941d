// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace migprof::record {

// A hash table from 64-bit keys to 32-bit values, grown by doubling, without removal. The standard one allocates per
// entry, and Abseil's cannot be linked into a library that others preload (its thread-local storage is not made for
// that). Drain thread only.
class U64Map {
 public:
  // The value of `key`, or null. Valid until the next Insert.
  const uint32_t* Find(uint64_t key) const {
    if (entries_.empty()) return nullptr;
    for (size_t i = Slot(key);; i = (i + 1) & (entries_.size() - 1)) {
      if (!entries_[i].used) return nullptr;
      if (entries_[i].key == key) return &entries_[i].value;
    }
  }

  // Adds `key`, which must not be there.
  void Insert(uint64_t key, uint32_t value) {
    if (2 * (size_ + 1) > entries_.size()) Grow();
    Place({key, value, true});
    ++size_;
  }

  size_t size() const { return size_; }
  // Memory it takes once it has `more` entries more.
  size_t BytesWith(size_t more) const {
    size_t capacity = entries_.size();
    while (2 * (size_ + more) > capacity) capacity = capacity == 0 ? 64 : 2 * capacity;
    return capacity * sizeof(Entry);
  }
  void Clear() {
    entries_.clear();
    size_ = 0;
  }

 private:
  struct Entry {
    uint64_t key = 0;
    uint32_t value = 0;
    bool used = false;
  };

  // Fibonacci hashing: keys have regular bits, also two ids in one word, of which the upper says nothing in the lower
  // half of the product. Its highest bits depend on all bits of the key.
  size_t Slot(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }

  void Place(const Entry& entry) {
    size_t i = Slot(entry.key);
    while (entries_[i].used) i = (i + 1) & (entries_.size() - 1);
    entries_[i] = entry;
  }

  void Grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : entries_.size() * 2);
    old.swap(entries_);
    shift_ = 64 - std::countr_zero(entries_.size());
    for (const Entry& entry : old) {
      if (entry.used) Place(entry);
    }
  }

  std::vector<Entry> entries_;  // a power of two of them
  int shift_ = 0;
  size_t size_ = 0;
};

// The same of a vector that grows by doubling.
template <typename Element>
size_t BytesWith(const std::vector<Element>& elements, size_t more) {
  const size_t size = elements.size() + more;
  size_t capacity = elements.capacity();
  if (size > capacity) capacity = std::max(2 * capacity, size);
  return capacity * sizeof(Element);
}

}  // namespace migprof::record
