// SPDX-License-Identifier: Apache-2.0
// 64-bit hashing of bytes, in process and on disk: XXH3, seed 0, as published at xxhash.com.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstdint>

namespace migprof {

inline uint64_t HashBytes(const void* bytes, size_t size) { return XXH3_64bits(bytes, size); }
inline uint64_t HashBytes(const void* bytes, size_t size, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace migprof
