// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/key_values.h"

namespace migprof::record {

using format::ChunkBuilder;
using format::ColumnEncoding;
namespace column = format::column::key_value;

namespace {

std::span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

ChunkBuilder FactsChunk(format::ChunkKind kind, const Facts& facts) {
  std::vector<uint64_t> key_lengths;
  std::vector<uint64_t> text_lengths;
  std::string bytes;
  for (const auto& [key, text] : facts) {
    key_lengths.push_back(key.size());
    text_lengths.push_back(text.size());
    bytes += key;
    bytes += text;
  }
  ChunkBuilder chunk(kind, static_cast<uint32_t>(facts.size()));
  chunk.AddColumn(column::kKeyLength, ColumnEncoding::kPlain, key_lengths);
  chunk.AddColumn(column::kTextLength, ColumnEncoding::kPlain, text_lengths);
  chunk.AddBytes(column::kBytes, AsBytes(bytes));
  return chunk;
}

ChunkBuilder CountersChunk(format::ChunkKind kind, const Counters& counters) {
  std::vector<uint64_t> key_lengths;
  std::vector<uint64_t> numbers;
  std::string bytes;
  for (const auto& [key, number] : counters) {
    key_lengths.push_back(key.size());
    numbers.push_back(number);
    bytes += key;
  }
  ChunkBuilder chunk(kind, static_cast<uint32_t>(counters.size()));
  chunk.AddColumn(column::kKeyLength, ColumnEncoding::kPlain, key_lengths);
  chunk.AddColumn(column::kNumber, ColumnEncoding::kPlain, numbers);
  chunk.AddBytes(column::kBytes, AsBytes(bytes));
  return chunk;
}

}  // namespace migprof::record
