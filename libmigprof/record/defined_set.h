// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace migprof::record {

// Which ids a file has defined already.
class DefinedSet {
 public:
  // Forgets all, and from then on says of ids up to `last_forgotten` that they are defined: nothing is known of them
  // any more.
  void Reset(uint32_t last_forgotten) {
    bits_ = {};
    base_ = last_forgotten;
  }

  // True the first time an id is seen.
  bool Insert(uint32_t id) {
    if (id <= base_ && base_ != 0) return false;
    id -= base_;
    if (id / 64 >= bits_.size()) bits_.resize(id / 64 * 2 + 16);
    uint64_t& word = bits_[id / 64];
    const uint64_t bit = uint64_t{1} << (id % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    return true;
  }

 private:
  std::vector<uint64_t> bits_;
  uint32_t base_ = 0;
};

}  // namespace migprof::record
