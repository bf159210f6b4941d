// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_memory.h"

namespace migprof::record {
namespace {

struct TextState {
  uint32_t kind;  // bytes per character; 0: not understood
  bool is_compact;
  bool is_ascii;
};

// kind, compact and ascii are 3, 1 and 1 bits behind `interned`, which has 2 bits, or (free-threaded, 3.14) a byte or
// two of its own. Where it has, the bits after the first two are 0, which no kind is: so the first that fits is right.
TextState UnderstandState(uint32_t state) {
  constexpr uint32_t kShifts[] = {2, 8, 16};
  for (const uint32_t shift : kShifts) {
    const uint32_t kind = state >> shift & 7;
    const bool is_compact = (state >> (shift + 3) & 1) != 0;
    const bool is_ascii = (state >> (shift + 4) & 1) != 0;
    if (kind == 1 || (!is_ascii && (kind == 2 || kind == 4))) return {kind, is_compact, is_ascii};
  }
  return {0, false, false};
}

size_t Encode(uint32_t c, char* out) {
  if (c < 0x80) return out[0] = static_cast<char>(c), 1;
  if (c < 0x800) {
    out[0] = static_cast<char>(0xc0 | c >> 6);
    out[1] = static_cast<char>(0x80 | (c & 0x3f));
    return 2;
  }
  if (c >= 0xd800 && c < 0xe000) return out[0] = '?', 1;
  if (c < 0x10000) {
    out[0] = static_cast<char>(0xe0 | c >> 12);
    out[1] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out[2] = static_cast<char>(0x80 | (c & 0x3f));
    return 3;
  }
  if (c >= 0x110000) return out[0] = '?', 1;
  out[0] = static_cast<char>(0xf0 | c >> 18);
  out[1] = static_cast<char>(0x80 | (c >> 12 & 0x3f));
  out[2] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
  out[3] = static_cast<char>(0x80 | (c & 0x3f));
  return 4;
}

uint32_t Character(uint64_t data, uint32_t kind, uint64_t index) {
  switch (kind) {
    case 1:
      return LoadFrom<uint8_t>(data + index);
    case 2:
      return LoadFrom<uint16_t>(data + 2 * index);
    default:
      return LoadFrom<uint32_t>(data + 4 * index);
  }
}

}  // namespace

bool FindPythonText(const PythonLayout& layout, uint64_t text, PythonText* found) noexcept {
  if (!IsPlausibleAddress(text)) return false;
  const auto length = LoadFrom<uint64_t>(text + layout.text_length);
  const TextState state = UnderstandState(LoadFrom<uint32_t>(text + layout.text_state));
  if (length > kLongestText || state.kind == 0) return false;
  uint64_t data = text + (state.is_ascii ? layout.text_ascii : layout.text_compact);
  if (!state.is_compact) {
    // PyUnicodeObject.data, which follows PyCompactUnicodeObject.
    data = LoadFrom<uint64_t>(text + layout.text_compact);
    if (!IsPlausibleAddress(data)) return false;
  }
  *found = {data, length, state.kind};
  return true;
}

size_t CopyPythonText(const PythonLayout& layout, uint64_t text, char* out, size_t capacity) noexcept {
  PythonText found;
  if (!FindPythonText(layout, text, &found)) return kUnreadable;
  return EncodePythonText(found, out, capacity);
}

size_t EncodePythonText(const PythonText& text, char* out, size_t capacity) noexcept {
  size_t written = 0;
  for (uint64_t i = 0; i < text.length; ++i) {
    char encoded[4];
    const size_t bytes = Encode(Character(text.data, text.kind, i), encoded);
    if (bytes > capacity - written) break;
    std::memcpy(out + written, encoded, bytes);
    written += bytes;
  }
  return written;
}

size_t FindPythonBytes(const PythonLayout& layout, uint64_t object, const uint8_t** data) noexcept {
  if (!IsPlausibleAddress(object)) return kUnreadable;
  const auto size = LoadFrom<uint64_t>(object + layout.bytes_size);
  if (size > kLongestTable) return kUnreadable;
  *data = reinterpret_cast<const uint8_t*>(object + layout.bytes_data);
  return size;
}

}  // namespace migprof::record
