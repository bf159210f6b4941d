// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace migprof::record {

// Which ids a file has defined already.
class DefinedSet {
 public:
  // True the first time an id is seen.
  bool Insert(uint32_t id) {
    if (id / 64 >= bits_.size()) bits_.resize(id / 64 * 2 + 16);
    uint64_t& word = bits_[id / 64];
    const uint64_t bit = uint64_t{1} << (id % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    return true;
  }

 private:
  std::vector<uint64_t> bits_;
};

}  // namespace migprof::record
