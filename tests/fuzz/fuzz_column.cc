// SPDX-License-Identifier: Apache-2.0
// A column's directory entry and payload; what can be decoded must survive another round.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "libmigprof/format/byte_cursor.h"
#include "libmigprof/format/column_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace migprof::format;
  ByteCursor cursor({data, size});
  ColumnEntry entry;
  uint16_t rows;
  if (!cursor.Read(&entry) || !cursor.Read(&rows)) return 0;
  std::vector<uint64_t> values;
  if (!DecodeColumn(entry, rows, cursor.Take(cursor.remaining()), &values)) return 0;
  if (values.size() != rows) std::abort();
  std::vector<uint8_t> payload;
  const ColumnEntry again = EncodeColumn(1, entry.encoding, values, &payload);
  std::vector<uint64_t> decoded;
  if (!DecodeColumn(again, rows, payload, &decoded) || decoded != values) std::abort();
  return 0;
}
