// SPDX-License-Identifier: Apache-2.0
// Bounds-checked reading of fixed-width little-endian values from bytes nobody vouches for.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace migprof::format {

static_assert(std::endian::native == std::endian::little, "the codec copies integers as they are");

// Walks over `bytes`, which must outlive it. A read past the end returns false (or an empty span), changes nothing
// else, and makes every later read fail too.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const uint8_t> bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return rest_.size(); }

  template <typename T>
  bool Read(T* out) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::span<const uint8_t> bytes = Take(sizeof(T));
    if (!ok_) return false;
    std::memcpy(out, bytes.data(), sizeof(T));
    return true;
  }

  std::span<const uint8_t> Take(size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::span<const uint8_t> taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

 private:
  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace migprof::format
