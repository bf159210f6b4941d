// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/format/chunk_writer.h"

#define ZSTD_STATIC_LINKING_ONLY  // for memory of our own
#include <zstd.h>

#include <cstring>
#include <new>
#include <utility>

#include "libmigprof/base/hash.h"
#include "libmigprof/format/column_codec.h"

namespace migprof::format {
namespace {

// On shuffled columns level 3 is no smaller than level 1 and costs up to 1.5 times the time.
constexpr int kCompressionLevel = 1;

// By operator new, which is counted where that matters.
void* Allocate(void*, size_t bytes) { return ::operator new(bytes, std::nothrow); }
void Free(void*, void* memory) { ::operator delete(memory); }

}  // namespace

struct Compressor {
  Compressor() : context(ZSTD_createCCtx_advanced({&Allocate, &Free, nullptr})) {
    if (context == nullptr) return;
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kCompressionLevel);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  }
  ~Compressor() { ZSTD_freeCCtx(context); }

  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  ZSTD_CCtx* context;
};

void ChunkBuilder::AddColumn(uint16_t id, ColumnEncoding encoding, std::span<const uint64_t> values) {
  directory_.push_back(EncodeColumn(id, encoding, values, &payload_));
}

void ChunkBuilder::AddBytes(uint16_t id, std::span<const uint8_t> bytes) {
  directory_.push_back({.id = id,
                        .encoding = ColumnEncoding::kBytes,
                        .width = 0,
                        .escape_count = 0,
                        .offset = static_cast<uint32_t>(payload_.size()),
                        .bytes = static_cast<uint32_t>(bytes.size())});
  payload_.insert(payload_.end(), bytes.begin(), bytes.end());
}

std::shared_ptr<Compressor> MakeCompressor() { return std::make_shared<Compressor>(); }

ChunkWriter::ChunkWriter(ByteSink* sink, std::shared_ptr<Compressor> compressor)
    : sink_(sink), compressor_(std::move(compressor)) {}

Error ChunkWriter::Write(const ChunkBuilder& chunk) {
  if (compressor_->context == nullptr) return {"zstd could not allocate its context", 0};
  if (chunk.payload_.size() > kMaxPayloadBytes || chunk.rows_ > kMaxRows) {
    return {"a chunk exceeds the limits of the trace format", 0};
  }
  const size_t directory_bytes = chunk.directory_.size() * sizeof(ColumnEntry);
  const size_t header_bytes = sizeof(ChunkHeader) + directory_bytes;
  const size_t bound = ZSTD_compressBound(chunk.payload_.size());
  // Making room may write another chunk to this file: that one needs bytes of its own, and comes first.
  std::vector<uint8_t> bytes = std::exchange(bytes_, {});
  bytes.resize(header_bytes + bound);
  const size_t stored = ZSTD_compress2(compressor_->context, bytes.data() + header_bytes, bound, chunk.payload_.data(),
                                       chunk.payload_.size());
  if (ZSTD_isError(stored)) return {"zstd failed to compress a chunk", 0};
  if (Error error = sink_->MakeRoom(header_bytes + stored); !error.ok()) return error;

  ChunkHeader header{};
  header.magic = kChunkMagic;
  header.kind = static_cast<uint16_t>(chunk.kind_);
  header.major = kMajorVersion;
  header.minor = kMinorVersion;
  header.column_count = static_cast<uint16_t>(chunk.directory_.size());
  header.sequence = sequence_;
  header.row_count = chunk.rows_;
  header.raw_bytes = static_cast<uint32_t>(chunk.payload_.size());
  header.stored_bytes = static_cast<uint32_t>(stored);
  header.first_ns = chunk.first_ns_;
  header.last_ns = chunk.last_ns_;
  header.lost = chunk.lost_;
  header.header_bytes = static_cast<uint32_t>(header_bytes);
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (directory_bytes != 0) std::memcpy(bytes.data() + sizeof(header), chunk.directory_.data(), directory_bytes);
  header.checksum = HashBytes(bytes.data(), header_bytes);
  std::memcpy(bytes.data(), &header, sizeof(header));
  const Error error = sink_->Append({bytes.data(), header_bytes + stored});
  bytes_ = std::move(bytes);
  if (error.ok()) ++sequence_;
  return error;
}

}  // namespace migprof::format
