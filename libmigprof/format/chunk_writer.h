// SPDX-License-Identifier: Apache-2.0
// Columns -> one compressed, checksummed chunk -> ByteSink.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libmigprof/base/error.h"
#include "libmigprof/format/byte_stream.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::format {

// Collects the columns of one chunk. Every integer column must have `rows` values.
class ChunkBuilder {
 public:
  ChunkBuilder(ChunkKind kind, uint32_t rows) : kind_(kind), rows_(rows) {}

  void AddColumn(uint16_t id, ColumnEncoding encoding, std::span<const uint64_t> values);
  void AddBytes(uint16_t id, std::span<const uint8_t> bytes);
  // Smallest and largest time of an event in the chunk, in the file's time base.
  void SetTimes(uint64_t first_ns, uint64_t last_ns) { first_ns_ = first_ns, last_ns_ = last_ns; }
  void SetLost(uint64_t events) { lost_ = events; }

 private:
  friend class ChunkWriter;

  ChunkKind kind_;
  uint32_t rows_;
  uint64_t first_ns_ = 0;
  uint64_t last_ns_ = 0;
  uint64_t lost_ = 0;
  std::vector<ColumnEntry> directory_;
  std::vector<uint8_t> payload_;
};

// zstd's working memory, some half a megabyte. For one chunk at a time.
struct Compressor;
std::shared_ptr<Compressor> MakeCompressor();

// Writes the chunks of one file, in order. Not thread-safe.
class ChunkWriter {
 public:
  // `sink` must outlive the writer. Several files that are written by one thread may share a compressor.
  explicit ChunkWriter(ByteSink* sink, std::shared_ptr<Compressor> compressor = MakeCompressor());
  ChunkWriter(const ChunkWriter&) = delete;
  ChunkWriter& operator=(const ChunkWriter&) = delete;

  // One Append to the sink. After an error the chunk is not part of the file, and has no number in it; writing on is
  // allowed.
  Error Write(const ChunkBuilder& chunk);

  // The number of the next chunk. Where the sink was cut back to the beginning of a chunk, that one's must be set.
  uint32_t sequence() const { return sequence_; }
  void SetSequence(uint32_t sequence) { sequence_ = sequence; }

 private:
  ByteSink* sink_;
  std::shared_ptr<Compressor> compressor_;
  std::vector<uint8_t> bytes_;
  uint32_t sequence_ = 0;
};

}  // namespace migprof::format
