// SPDX-License-Identifier: Apache-2.0
// ByteSource -> chunks, past any damage, which is reported and never fatal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/format/byte_stream.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::format {

// Told about every stretch of a file that could not be used.
class DamageReporter {
 public:
  virtual ~DamageReporter() = default;
  virtual void OnDamage(uint64_t offset, uint64_t bytes, const char* reason) = 0;
};

// A chunk whose header is sound; its payload has not been looked at.
struct ChunkRef {
  uint64_t offset = 0;
  ChunkHeader header{};
  std::vector<ColumnEntry> directory;

  ChunkKind kind() const { return static_cast<ChunkKind>(header.kind); }
  uint64_t total_bytes() const { return uint64_t{header.header_bytes} + header.stored_bytes; }
};

// A decompressed chunk.
class Chunk {
 public:
  const ChunkHeader& header() const { return header_; }
  ChunkKind kind() const { return static_cast<ChunkKind>(header_.kind); }
  uint32_t rows() const { return header_.row_count; }

  // Decodes a column into `values`, one per row; all zeros when the chunk has no such column. False when it is
  // malformed.
  bool Column(uint16_t id, std::vector<uint64_t>* values) const;
  // The bytes of a kBytes column; empty when there is none. Valid until the next ReadPayload into this chunk.
  std::string_view Bytes(uint16_t id) const;

 private:
  friend class ChunkReader;

  const ColumnEntry* Find(uint16_t id) const;

  ChunkHeader header_{};
  std::vector<ColumnEntry> directory_;
  std::vector<uint8_t> payload_;
};

// Walks one file. Not thread-safe. Bounded memory whatever the file says: at most two payloads.
class ChunkReader {
 public:
  enum class Status {
    kChunk,           // a chunk was found
    kEnd,             // no further chunk
    kUnknownVersion,  // the file was written by a later major version; unknown_major() says which
  };

  // Both must outlive the reader.
  ChunkReader(ByteSource* source, DamageReporter* reporter);
  ~ChunkReader();
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;

  // Finds the next chunk with a sound header, skipping and reporting what is damaged before it.
  Status Next(ChunkRef* ref);

  // Reads and decompresses the payload of `ref`. On false the chunk's bytes have been reported as damage.
  bool ReadPayload(const ChunkRef& ref, Chunk* chunk);

  // Reports a chunk whose content proved senseless after ReadPayload.
  void ReportBadContent(const ChunkRef& ref, const char* reason);

  uint16_t unknown_major() const { return unknown_major_; }

 private:
  struct Decompressor;

  enum class HeaderState { kSound, kNotAHeader, kUnknownVersion };
  HeaderState ReadHeader(uint64_t offset, ChunkRef* ref);
  uint64_t FindMagic(uint64_t from);

  ByteSource* source_;
  DamageReporter* reporter_;
  std::unique_ptr<Decompressor> decompressor_;
  std::vector<uint8_t> buffer_;
  uint64_t position_ = 0;     // where the next header should be
  uint64_t search_from_ = 0;  // where to look for it if it is not there
  uint16_t unknown_major_ = 0;
};

}  // namespace migprof::format
