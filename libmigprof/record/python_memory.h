// SPDX-License-Identifier: Apache-2.0
// Reading an interpreter's memory without its API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libmigprof/record/python_layout.h"

namespace migprof::record {

// Unaligned loads are fine; the address must be readable.
template <typename T>
T LoadFrom(uint64_t address) {
  T value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof(value));
  return value;
}

// Whether `address` can be that of an object: aligned, not in the first page, in the user's half.
inline bool IsPlausibleAddress(uint64_t address) { return address >= 4096 && (address & 7) == 0 && address >> 47 == 0; }

// What cannot be read, or is no str.
inline constexpr size_t kUnreadable = SIZE_MAX;

// No name or path is longer (in characters), and no line table (in bytes): beyond it a length is not believed, so that
// a broken one does not make anybody read far behind an object.
inline constexpr uint64_t kLongestText = uint64_t{1} << 16;
inline constexpr uint64_t kLongestTable = uint64_t{1} << 20;

// Where the characters of a str are: behind its head, or, of an instance of a subclass of str, elsewhere.
struct PythonText {
  uint64_t data;
  uint64_t length;  // in characters, at most kLongestText
  uint32_t kind;    // bytes per character: 1, 2 or 4
};

// False when the object at `text` is no str that is understood.
bool FindPythonText(const PythonLayout& layout, uint64_t text, PythonText* found) noexcept;

// Writes characters that were found, and can be read, as UTF-8, as CopyPythonText does.
size_t EncodePythonText(const PythonText& text, char* out, size_t capacity) noexcept;

// Copies a str as UTF-8 into `out`, at most `capacity` bytes and no part of a character. Returns the bytes written.
// Lone surrogates become "?".
size_t CopyPythonText(const PythonLayout& layout, uint64_t text, char* out, size_t capacity) noexcept;

// The bytes of a bytes object: sets `*data` and returns their number, or kUnreadable.
size_t FindPythonBytes(const PythonLayout& layout, uint64_t object, const uint8_t** data) noexcept;

}  // namespace migprof::record
