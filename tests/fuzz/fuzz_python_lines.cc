// SPDX-License-Identifier: Apache-2.0
// CPython's tables of line numbers: tables of any bytes, and tables that are written here from a list of line numbers,
// which must come out again.
#include <cstdint>
#include <memory>
#include <vector>

#include "libmigprof/record/python_lines.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace migprof::record;

// Some bytes of code and their line; 0: none.
struct Piece {
  uint32_t bytes;
  uint32_t line;
};

std::vector<Piece> ReadPieces(FuzzInput* input, bool any_line) {
  std::vector<Piece> pieces;
  uint32_t line = 1;
  while (!input->empty() && pieces.size() < 512) {
    const uint8_t style = input->Byte();
    const uint32_t bytes = 2 * (1 + style % 8);
    if (style >= 0xf8) {
      pieces.push_back({bytes, 0});
      continue;
    }
    const uint32_t next =
        any_line && style >= 0xf0 ? input->Number<uint32_t>() % INT32_MAX : line + (input->Byte() % 64) - 16;
    line = next == 0 || next > INT32_MAX ? 1 : next;
    pieces.push_back({bytes, line});
  }
  return pieces;
}

void PutVarint(std::vector<uint8_t>* table, uint64_t value) {
  while (value >= 64) {
    table->push_back(static_cast<uint8_t>((value & 63) | 64));
    value >>= 6;
  }
  table->push_back(static_cast<uint8_t>(value));
}

// 3.11 and later; `kind` chooses among the forms that can say it.
std::vector<uint8_t> LocationTable(const std::vector<Piece>& pieces, uint32_t first_line, uint8_t kind) {
  std::vector<uint8_t> table;
  int64_t line = first_line;
  for (const Piece& piece : pieces) {
    const auto put_head = [&](uint32_t code) {
      table.push_back(static_cast<uint8_t>(0x80 | code << 3 | (piece.bytes / 2 - 1)));
    };
    const int64_t delta = piece.line == 0 ? 0 : piece.line - line;
    if (piece.line == 0) {
      put_head(15);
      continue;
    }
    line = piece.line;
    const uint64_t encoded = static_cast<uint64_t>(delta < 0 ? -delta : delta) << 1 | (delta < 0 ? 1 : 0);
    if (delta == 0 && kind % 4 == 0) {
      put_head(kind / 4 % 10);
      table.push_back(kind & 0x7f);
    } else if (delta >= 0 && delta <= 2 && kind % 4 == 1) {
      put_head(static_cast<uint32_t>(10 + delta));
      table.push_back(kind & 0x7f);
      table.push_back(3);
    } else if (kind % 4 == 2) {
      put_head(13);
      PutVarint(&table, encoded);
    } else {
      put_head(14);
      PutVarint(&table, encoded);
      for (const uint64_t column : {2, 70, 1}) PutVarint(&table, column);
    }
  }
  return table;
}

// 3.10. A difference that is too large for one byte is said in several entries without code.
std::vector<uint8_t> LineTable(const std::vector<Piece>& pieces, uint32_t first_line) {
  std::vector<uint8_t> table;
  int64_t line = first_line;
  for (const Piece& piece : pieces) {
    int64_t delta = piece.line == 0 ? 0 : piece.line - line;
    for (; delta > 127 || delta<-127; delta -= delta> 0 ? 127 : -127) {
      table.push_back(0);
      table.push_back(static_cast<uint8_t>(delta > 0 ? 127 : -127));
    }
    table.push_back(static_cast<uint8_t>(piece.bytes));
    table.push_back(static_cast<uint8_t>(piece.line == 0 ? -128 : delta));
    if (piece.line != 0) line = piece.line;
  }
  return table;
}

// 3.8 and 3.9, where all code has a line.
std::vector<uint8_t> LineNumberTable(const std::vector<Piece>& pieces, uint32_t first_line) {
  std::vector<uint8_t> table;
  int64_t line = first_line;
  uint32_t since = 0;
  for (const Piece& piece : pieces) {
    if (piece.line != 0) {
      int64_t delta = piece.line - line;
      for (; delta > 127 || delta<-128; delta -= delta> 0 ? 127 : -128) {
        for (; since > 255; since -= 255) table.insert(table.end(), {255, 0});
        table.push_back(static_cast<uint8_t>(since));
        table.push_back(static_cast<uint8_t>(delta > 0 ? 127 : -128));
        since = 0;
      }
      for (; since > 255; since -= 255) table.insert(table.end(), {255, 0});
      table.push_back(static_cast<uint8_t>(since));
      table.push_back(static_cast<uint8_t>(delta));
      since = 0;
      line = piece.line;
    }
    since += piece.bytes;
  }
  return table;
}

// In memory of its own size, so that reading past it is found.
uint32_t LineIn(const std::vector<uint8_t>& table, LineTableFormat format, int32_t first_line, bool is_cut,
                int32_t lasti) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[table.size()]);
  std::copy(table.begin(), table.end(), copy.get());
  return PythonLine({.format = format, .first_line = first_line, .is_cut = is_cut, .table = {copy.get(), table.size()}},
                    lasti);
}

void UseAnyTable(FuzzInput input) {
  const auto format = static_cast<LineTableFormat>(1 + input.Byte() % 3);
  const bool is_cut = input.Bool();
  const auto first_line = input.Number<int32_t>();
  const auto any_instruction = input.Number<int32_t>();
  const std::string_view rest = input.Rest();
  const std::vector<uint8_t> table(rest.begin(), rest.end());
  for (const int32_t lasti : {any_instruction, INT32_MIN, -1, 0, 2, 300, INT32_MAX}) {
    const uint32_t line = LineIn(table, format, first_line, is_cut, lasti);
    Check(line <= INT32_MAX, "a line is a line");
    if (lasti < 0) Check(line == static_cast<uint32_t>(std::max(first_line, 0)), "before the code is its first line");
    Check(line == LineIn(table, format, first_line, is_cut, lasti), "a table always says the same");
  }
}

void UseMadeTable(FuzzInput input) {
  const auto format = static_cast<LineTableFormat>(1 + input.Byte() % 3);
  const uint8_t kind = input.Byte();
  const uint32_t first_line = 1 + input.Number<uint16_t>();
  const bool is_location_table = format == LineTableFormat::kLocationTable;
  const std::vector<Piece> pieces = ReadPieces(&input, is_location_table);
  std::vector<uint8_t> table;
  if (is_location_table) table = LocationTable(pieces, first_line, kind);
  if (format == LineTableFormat::kLineTable) table = LineTable(pieces, first_line);
  if (format == LineTableFormat::kLineNumberTable) table = LineNumberTable(pieces, first_line);
  uint32_t line = first_line;
  int32_t at = 0;
  for (const Piece& piece : pieces) {
    // The oldest table cannot say that code has no line: it has that of the code before it.
    if (piece.line != 0 || format != LineTableFormat::kLineNumberTable) line = piece.line;
    for (const uint32_t instruction : {0u, piece.bytes - 2}) {
      Check(LineIn(table, format, static_cast<int32_t>(first_line), false, at + static_cast<int32_t>(instruction)) ==
                line,
            "every instruction has the line that was written down for it");
    }
    at += static_cast<int32_t>(piece.bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  UseAnyTable({data, size});
  UseMadeTable({data, size});
  return 0;
}
