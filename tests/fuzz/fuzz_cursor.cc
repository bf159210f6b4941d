// SPDX-License-Identifier: Apache-2.0
// The byte cursor against a model of one sentence: a read past the end fails, changes nothing else, and so does every
// read after it. The first half of the input says what to read, the second is what is read.
#include <cstdint>
#include <vector>

#include "libmigprof/format/byte_cursor.h"
#include "libmigprof/format/trace_format.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using migprof::format::ByteCursor;

struct Model {
  std::vector<uint8_t> bytes;
  size_t position = 0;
  bool ok = true;

  // Where `count` bytes begin, or null.
  const uint8_t* Take(size_t count) {
    ok = ok && count <= bytes.size() - position;
    if (!ok) return nullptr;
    position += count;
    return bytes.data() + (position - count);
  }
};

template <typename T>
void ReadBoth(ByteCursor* cursor, Model* model) {
  T value;
  std::memset(static_cast<void*>(&value), 0x5a, sizeof(value));
  T expected = value;
  if (const uint8_t* const from = model->Take(sizeof(T))) std::memcpy(static_cast<void*>(&expected), from, sizeof(T));
  Check(cursor->Read(&value) == model->ok, "Read succeeds exactly where there are enough bytes");
  Check(std::memcmp(&value, &expected, sizeof(T)) == 0, "Read copies the bytes, and nothing on failure");
}

void TakeBoth(ByteCursor* cursor, Model* model, size_t count) {
  const uint8_t* const expected = model->Take(count);
  const std::span<const uint8_t> taken = cursor->Take(count);
  Check(taken.size() == (model->ok ? count : 0), "Take gives all of the bytes or none");
  Check(!model->ok || count == 0 || std::memcmp(taken.data(), expected, count) == 0, "Take gives these bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput script(data, size / 2);
  Model model{{data + size / 2, data + size}};
  ByteCursor cursor(model.bytes);
  while (!script.empty()) {
    switch (script.Byte() % 8) {
      case 0:
        ReadBoth<uint8_t>(&cursor, &model);
        break;
      case 1:
        ReadBoth<uint16_t>(&cursor, &model);
        break;
      case 2:
        ReadBoth<uint32_t>(&cursor, &model);
        break;
      case 3:
        ReadBoth<uint64_t>(&cursor, &model);
        break;
      case 4:
        ReadBoth<migprof::format::ColumnEntry>(&cursor, &model);
        break;
      case 5:
        ReadBoth<migprof::format::ChunkHeader>(&cursor, &model);
        break;
      case 6:
        TakeBoth(&cursor, &model, script.Byte());
        break;
      default:
        TakeBoth(&cursor, &model, script.Number<uint64_t>());
    }
    Check(cursor.ok() == model.ok, "ok says whether a read has failed");
    Check(cursor.remaining() == model.bytes.size() - model.position, "remaining says how much is left");
  }
  return 0;
}
