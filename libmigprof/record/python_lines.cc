// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_lines.h"

namespace migprof::record {
namespace {

// Pairs: bytes of code, and the line difference that follows them.
int64_t LineNumberTable(std::span<const uint8_t> table, bool is_cut, int64_t line, int64_t lasti) {
  int64_t address = 0;
  for (size_t i = 0; i + 1 < table.size(); i += 2) {
    address += table[i];
    if (address > lasti) return line;
    line += static_cast<int8_t>(table[i + 1]);
  }
  return is_cut ? 0 : line;  // the last line has no end
}

// Pairs: bytes of code, and the line difference of these very bytes; -128 says that they have no line.
int64_t LineTable(std::span<const uint8_t> table, int64_t line, int64_t lasti) {
  int64_t end = 0;
  for (size_t i = 0; i + 1 < table.size(); i += 2) {
    end += table[i];
    const auto delta = static_cast<int8_t>(table[i + 1]);
    if (delta != -128) line += delta;
    if (end > lasti) return delta == -128 ? 0 : line;
  }
  return 0;
}

// An integer of 6 bits per byte, lowest first, bit 6 saying that more follow; then its lowest bit is the sign.
int64_t SignedVarint(std::span<const uint8_t> table, size_t at) {
  uint64_t value = 0;
  for (uint32_t shift = 0; at < table.size() && shift < 60; ++at, shift += 6) {
    value |= uint64_t{table[at] & 0x3fu} << shift;
    if ((table[at] & 0x40) == 0) break;
  }
  const auto magnitude = static_cast<int64_t>(value >> 1);
  return (value & 1) != 0 ? -magnitude : magnitude;
}

// Entries that begin with a byte of which bit 7 is set: 4 bits of kind, 3 bits of length in instructions of 2 bytes.
int64_t LocationTable(std::span<const uint8_t> table, int64_t line, int64_t lasti) {
  constexpr int kNoColumns = 13, kLong = 14, kNone = 15;
  int64_t end = 0;
  for (size_t i = 0; i < table.size();) {
    const int kind = table[i] >> 3 & 15;
    end += ((table[i] & 7) + 1) * 2;
    if (kind == kLong || kind == kNoColumns) {
      line += SignedVarint(table, i + 1);
    } else if (kind >= 10 && kind <= 12) {
      line += kind - 10;
    }
    if (line < INT32_MIN || line > INT32_MAX) return 0;  // not written by CPython, whose lines are of type int
    if (end > lasti) return kind == kNone ? 0 : line;
    for (++i; i < table.size() && (table[i] & 0x80) == 0;) ++i;
  }
  return 0;
}

}  // namespace

uint32_t PythonLine(const PythonLines& lines, int32_t lasti) {
  int64_t line = lines.first_line;
  if (lasti >= 0) {
    switch (lines.format) {
      case LineTableFormat::kLineNumberTable:
        line = LineNumberTable(lines.table, lines.is_cut, line, lasti);
        break;
      case LineTableFormat::kLineTable:
        line = LineTable(lines.table, line, lasti);
        break;
      case LineTableFormat::kLocationTable:
        line = LocationTable(lines.table, line, lasti);
        break;
    }
  }
  return line > 0 && line <= INT32_MAX ? static_cast<uint32_t>(line) : 0;
}

}  // namespace migprof::record
