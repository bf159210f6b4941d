// SPDX-License-Identifier: Apache-2.0
// A trace whose chunks are sound and whose content is anything: the input is read as chunks of columns and written with
// the right checksums.
#include <cstdint>
#include <fstream>
#include <vector>

#include "libmigprof/format/byte_cursor.h"
#include "libmigprof/format/chunk_writer.h"
#include "tests/fuzz/use_trace.h"

namespace {

using namespace migprof::format;

class Sink : public ByteSink {
 public:
  migprof::Error Append(std::span<const uint8_t> bytes) override {
    out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return migprof::Error::None();
  }

 private:
  std::ofstream out_{FuzzInputPath(), std::ios::binary};
};

// One column: mostly small numbers, so that ids meet each other, and now and then any number.
bool AddColumn(ByteCursor* cursor, uint16_t id, uint32_t rows, ChunkBuilder* chunk) {
  uint8_t style = 0;
  if (!cursor->Read(&style)) return false;
  if (style % 8 == 7) {
    uint8_t size = 0;
    if (!cursor->Read(&size)) return false;
    chunk->AddBytes(id, cursor->Take(std::min<size_t>(size, cursor->remaining())));
    return true;
  }
  std::vector<uint64_t> values(rows);
  for (uint64_t& value : values) {
    if (style % 8 == 6) {
      if (!cursor->Read(&value)) return false;
    } else {
      uint8_t small = 0;
      if (!cursor->Read(&small)) return false;
      value = small;
    }
  }
  chunk->AddColumn(id, style % 2 == 0 ? ColumnEncoding::kPlain : ColumnEncoding::kDelta, values);
  return true;
}

bool AddChunk(ByteCursor* cursor, ChunkWriter* writer) {
  uint8_t kind = 0;
  uint8_t rows = 0;
  uint8_t columns = 0;
  if (!cursor->Read(&kind) || !cursor->Read(&rows) || !cursor->Read(&columns)) return false;
  ChunkBuilder chunk(static_cast<ChunkKind>(kind % 36), rows % 16);
  for (uint16_t id = 1; id <= columns % 16; ++id) {
    if (!AddColumn(cursor, id, rows % 16, &chunk)) break;
  }
  uint16_t first = 0;
  uint16_t last = 0;
  if (cursor->Read(&first) && cursor->Read(&last)) chunk.SetTimes(first, last);
  return writer->Write(chunk).ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  {
    Sink sink;
    ChunkWriter writer(&sink);
    ByteCursor cursor({data, size});
    while (AddChunk(&cursor, &writer)) {
    }
  }
  UseTrace();
  return 0;
}
