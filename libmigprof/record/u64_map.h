// SPDX-License-Identifier: Apache-2.0
#pragma once

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

  // Fibonacci hashing: addresses and ids have regular low bits, their product's high bits do not.
  size_t Slot(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> 20 & (entries_.size() - 1); }

  void Place(const Entry& entry) {
    size_t i = Slot(entry.key);
    while (entries_[i].used) i = (i + 1) & (entries_.size() - 1);
    entries_[i] = entry;
  }

  void Grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.used) Place(entry);
    }
  }

  std::vector<Entry> entries_;
  size_t size_ = 0;
};

}  // namespace migprof::record
