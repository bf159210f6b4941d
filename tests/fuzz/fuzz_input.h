// SPDX-License-Identifier: Apache-2.0
// What the targets share: taking an input apart, and saying which property did not hold.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

// Ends the target, which is how libFuzzer learns of a finding, unless `holds`.
inline void Check(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

// Hands out an input piece by piece. Past its end everything is 0 or empty, so that every input means something.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : at_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  size_t left() const { return left_; }

  template <typename T>
  T Number() {
    T value{};
    const size_t size = std::min(sizeof(T), left_);
    if (size > 0) std::memcpy(&value, at_, size);
    Skip(size);
    return value;
  }
  uint8_t Byte() { return Number<uint8_t>(); }
  bool Bool() { return (Byte() & 1) != 0; }

  // Up to `most` bytes.
  std::string_view Text(size_t most) {
    const std::string_view text(reinterpret_cast<const char*>(at_), std::min(most, left_));
    Skip(text.size());
    return text;
  }
  // A text that is preceded by its length of one byte.
  std::string_view ShortText() {
    const size_t length = Byte();
    return Text(length);
  }
  std::string_view Rest() { return Text(left_); }

 private:
  void Skip(size_t size) {
    at_ += size;
    left_ -= size;
  }

  const uint8_t* at_;
  size_t left_;
};
