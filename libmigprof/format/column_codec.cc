// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/format/column_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "libmigprof/format/byte_cursor.h"

namespace migprof::format {
namespace {

constexpr uint64_t ZigZag(uint64_t difference) {
  return (difference << 1) ^ static_cast<uint64_t>(static_cast<int64_t>(difference) >> 63);
}
constexpr uint64_t UnZigZag(uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

constexpr uint64_t LargestOfWidth(uint32_t width) {
  return width >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * width)) - 1;
}

// The width in which a value needs no escape. The largest number of a width is the escape mark, so it needs the next
// one.
uint32_t WidthOf(uint64_t value) {
  if (value == 0) return 0;
  if (value < LargestOfWidth(1)) return 1;
  if (value < LargestOfWidth(2)) return 2;
  if (value < LargestOfWidth(4)) return 4;
  return 8;
}

struct Width {
  uint32_t bytes;
  uint32_t escapes;
};

// Few wide values among many narrow ones are cheaper as escapes than as a wider column.
Width ChooseWidth(std::span<const uint64_t> values) {
  std::array<uint32_t, 9> count_of_width{};
  for (const uint64_t value : values) ++count_of_width[WidthOf(value)];
  if (count_of_width[0] == values.size()) return {0, 0};
  Width best{8, 0};
  size_t best_size = values.size() * 8;
  uint32_t escapes = count_of_width[8];
  for (const uint32_t width : {4u, 2u, 1u}) {
    const size_t size = values.size() * width + size_t{escapes} * 8;
    if (size < best_size) best = {width, escapes}, best_size = size;
    escapes += count_of_width[width];
  }
  return best;
}

template <typename T>
void Unshuffle(const uint8_t* bytes, uint32_t rows, uint64_t* values) {
  for (uint32_t row = 0; row < rows; ++row) {
    uint64_t value = 0;
    for (size_t byte = 0; byte < sizeof(T); ++byte) {
      value |= uint64_t{bytes[byte * rows + row]} << (8 * byte);
    }
    values[row] = value;
  }
}

}  // namespace

ColumnEntry EncodeColumn(uint16_t id, ColumnEncoding encoding, std::span<const uint64_t> values,
                         std::vector<uint8_t>* payload) {
  std::vector<uint64_t> differences;
  if (encoding == ColumnEncoding::kDelta) {
    differences.reserve(values.size());
    uint64_t previous = 0;
    for (const uint64_t value : values) {
      differences.push_back(ZigZag(value - previous));
      previous = value;
    }
    values = differences;
  }
  const Width width = ChooseWidth(values);
  const size_t rows = values.size();
  const size_t offset = payload->size();
  payload->resize(offset + rows * width.bytes + size_t{width.escapes} * 8);
  uint8_t* const shuffled = payload->data() + offset;
  uint8_t* escape = shuffled + rows * width.bytes;
  const uint64_t mark = LargestOfWidth(width.bytes);
  for (size_t row = 0; row < rows; ++row) {
    uint64_t stored = values[row];
    if (width.escapes != 0 && stored >= mark) {
      std::memcpy(escape, &stored, 8);
      escape += 8;
      stored = mark;
    }
    for (uint32_t byte = 0; byte < width.bytes; ++byte) {
      shuffled[byte * rows + row] = static_cast<uint8_t>(stored >> (8 * byte));
    }
  }
  return {.id = id,
          .encoding = encoding,
          .width = static_cast<uint8_t>(width.bytes),
          .escape_count = width.escapes,
          .offset = static_cast<uint32_t>(offset),
          .bytes = static_cast<uint32_t>(payload->size() - offset)};
}

bool DecodeColumn(const ColumnEntry& entry, uint32_t rows, std::span<const uint8_t> payload,
                  std::vector<uint64_t>* values) {
  if (entry.offset > payload.size() || entry.bytes > payload.size() - entry.offset) return false;
  if (uint64_t{rows} * entry.width + uint64_t{entry.escape_count} * 8 != entry.bytes) return false;
  if (rows > kMaxRows || entry.escape_count > rows) return false;
  values->resize(rows);
  uint64_t* const out = values->data();
  const uint8_t* const bytes = payload.data() + entry.offset;
  switch (entry.width) {
    case 0:
      std::fill_n(out, rows, 0);
      break;
    case 1:
      Unshuffle<uint8_t>(bytes, rows, out);
      break;
    case 2:
      Unshuffle<uint16_t>(bytes, rows, out);
      break;
    case 4:
      Unshuffle<uint32_t>(bytes, rows, out);
      break;
    case 8:
      Unshuffle<uint64_t>(bytes, rows, out);
      break;
    default:
      return false;
  }
  if (entry.escape_count != 0) {
    const uint64_t mark = LargestOfWidth(entry.width);
    ByteCursor escapes({bytes + size_t{rows} * entry.width, size_t{entry.escape_count} * 8});
    for (uint32_t row = 0; row < rows; ++row) {
      if (out[row] == mark && !escapes.Read(&out[row])) return false;
    }
    if (escapes.remaining() != 0) return false;
  }
  switch (entry.encoding) {
    case ColumnEncoding::kPlain:
      return true;
    case ColumnEncoding::kDelta: {
      uint64_t value = 0;
      for (uint32_t row = 0; row < rows; ++row) out[row] = value += UnZigZag(out[row]);
      return true;
    }
    case ColumnEncoding::kBytes:
      return false;
  }
  return false;
}

}  // namespace migprof::format
