// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/format/chunk_reader.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "libmigprof/base/hash.h"
#include "libmigprof/format/column_codec.h"

namespace migprof::format {
namespace {

constexpr size_t kLargestHeader = sizeof(ChunkHeader) + kMaxColumns * sizeof(ColumnEntry);
constexpr size_t kScanBlock = 64 * 1024;

bool Fits(const ChunkHeader& header) {
  return header.column_count <= kMaxColumns && header.row_count <= kMaxRows && header.raw_bytes <= kMaxPayloadBytes &&
         header.stored_bytes <= kMaxPayloadBytes &&
         header.header_bytes == sizeof(ChunkHeader) + header.column_count * sizeof(ColumnEntry);
}

}  // namespace

const ColumnEntry* Chunk::Find(uint16_t id) const {
  for (const ColumnEntry& entry : directory_) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

bool Chunk::Column(uint16_t id, std::vector<uint64_t>* values) const {
  const ColumnEntry* entry = Find(id);
  if (entry == nullptr) {
    values->assign(rows(), 0);
    return true;
  }
  return DecodeColumn(*entry, rows(), payload_, values);
}

std::string_view Chunk::Bytes(uint16_t id) const {
  const ColumnEntry* entry = Find(id);
  if (entry == nullptr || entry->encoding != ColumnEncoding::kBytes) return {};
  if (entry->offset > payload_.size() || entry->bytes > payload_.size() - entry->offset) return {};
  return {reinterpret_cast<const char*>(payload_.data()) + entry->offset, entry->bytes};
}

struct ChunkReader::Decompressor {
  Decompressor() : context(ZSTD_createDCtx()) {}
  ~Decompressor() { ZSTD_freeDCtx(context); }

  ZSTD_DCtx* context;
};

ChunkReader::ChunkReader(ByteSource* source, DamageReporter* reporter)
    : source_(source), reporter_(reporter), decompressor_(std::make_unique<Decompressor>()) {}
ChunkReader::~ChunkReader() = default;

ChunkReader::HeaderState ChunkReader::ReadHeader(uint64_t offset, ChunkRef* ref) {
  buffer_.resize(kLargestHeader);
  const size_t got = source_->ReadAt(offset, buffer_);
  if (got < sizeof(ChunkHeader)) return HeaderState::kNotAHeader;
  ChunkHeader& header = ref->header;
  std::memcpy(&header, buffer_.data(), sizeof(header));
  if (header.magic != kChunkMagic) return HeaderState::kNotAHeader;
  if (header.major != kMajorVersion) {
    // Only the start of the header is promised to stay; a checksum cannot be demanded. Two flipped bits in `major` look
    // the same, so the caller stops only if this is how the file begins.
    unknown_major_ = header.major;
    return HeaderState::kUnknownVersion;
  }
  if (!Fits(header) || header.header_bytes > got) return HeaderState::kNotAHeader;
  const uint64_t checksum = header.checksum;
  std::memset(buffer_.data() + offsetof(ChunkHeader, checksum), 0, sizeof(header.checksum));
  if (HashBytes(buffer_.data(), header.header_bytes) != checksum) return HeaderState::kNotAHeader;
  ref->offset = offset;
  ref->directory.resize(header.column_count);
  for (size_t i = 0; i < ref->directory.size(); ++i) {
    std::memcpy(&ref->directory[i], buffer_.data() + sizeof(header) + i * sizeof(ColumnEntry), sizeof(ColumnEntry));
  }
  return HeaderState::kSound;
}

// The offset of the next magic at or after `from`, or the size of the source.
uint64_t ChunkReader::FindMagic(uint64_t from) {
  buffer_.resize(kScanBlock);
  while (from < source_->size()) {
    const size_t got = source_->ReadAt(from, buffer_);
    const auto end = buffer_.begin() + got;
    const auto found = std::search(buffer_.begin(), end, kChunkMagic.begin(), kChunkMagic.end());
    if (found != end) return from + (found - buffer_.begin());
    if (got < buffer_.size()) break;
    from += got - (kChunkMagic.size() - 1);  // a magic may lie across the border
  }
  return source_->size();
}

ChunkReader::Status ChunkReader::Next(ChunkRef* ref) {
  const uint64_t start = position_;
  // Where the previous chunk says it ends there should be a header. If there is none, bytes of that chunk may be
  // missing, so the search for the next header begins inside it. Its own damage shows when its payload is read.
  HeaderState state = ReadHeader(position_, ref);
  if (state == HeaderState::kUnknownVersion && position_ == 0) return Status::kUnknownVersion;
  if (state != HeaderState::kSound) {
    position_ = FindMagic(search_from_);
    while (position_ < source_->size() && (state = ReadHeader(position_, ref)) != HeaderState::kSound) {
      position_ = FindMagic(position_ + 1);
    }
  }
  if (position_ > start && start < source_->size()) {
    reporter_->OnDamage(start, position_ - start, "no sound chunk header");
  }
  if (state != HeaderState::kSound) return Status::kEnd;
  search_from_ = position_ + 1;
  position_ += ref->total_bytes();
  return Status::kChunk;
}

bool ChunkReader::ReadPayload(const ChunkRef& ref, Chunk* chunk) {
  chunk->header_ = ref.header;
  chunk->directory_ = ref.directory;
  buffer_.resize(ref.header.stored_bytes);
  const size_t got = source_->ReadAt(ref.offset + ref.header.header_bytes, buffer_);
  if (got < buffer_.size()) {
    reporter_->OnDamage(ref.offset, ref.header.header_bytes + got, "the file ends inside a chunk");
    return false;
  }
  chunk->payload_.resize(ref.header.raw_bytes);
  const size_t size = ZSTD_decompressDCtx(decompressor_->context, chunk->payload_.data(), chunk->payload_.size(),
                                          buffer_.data(), buffer_.size());
  if (ZSTD_isError(size) || size != ref.header.raw_bytes) {
    reporter_->OnDamage(ref.offset, ref.total_bytes(), "the chunk's content does not match its checksum");
    return false;
  }
  return true;
}

void ChunkReader::ReportBadContent(const ChunkRef& ref, const char* reason) {
  reporter_->OnDamage(ref.offset, ref.total_bytes(), reason);
}

}  // namespace migprof::format
