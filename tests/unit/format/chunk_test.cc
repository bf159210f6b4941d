// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "libmigprof/base/hash.h"
#include "libmigprof/format/chunk_reader.h"
#include "libmigprof/format/chunk_writer.h"

namespace migprof::format {
namespace {

using testing::ElementsAre;

class MemorySink : public ByteSink {
 public:
  Error Append(std::span<const uint8_t> bytes) override {
    starts.push_back(data.size());
    data.insert(data.end(), bytes.begin(), bytes.end());
    return Error::None();
  }
  std::vector<uint8_t> data;
  std::vector<size_t> starts;
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::vector<uint8_t> bytes) : data(std::move(bytes)) {}
  uint64_t size() const override { return data.size(); }
  size_t ReadAt(uint64_t offset, std::span<uint8_t> out) override {
    if (offset >= data.size()) return 0;
    const size_t count = std::min<size_t>(out.size(), data.size() - offset);
    std::copy_n(data.begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  std::vector<uint8_t> data;
};

class Damage : public DamageReporter {
 public:
  void OnDamage(uint64_t offset, uint64_t bytes, const char* reason) override {
    first_offset = std::min(first_offset, offset);
    total += bytes;
    reasons.push_back(reason);
  }
  uint64_t first_offset = UINT64_MAX;
  uint64_t total = 0;
  std::vector<std::string> reasons;
};

constexpr int kChunks = 5;

// Five chunks; chunk i has 100 rows of value i.
MemorySink WriteFive() {
  MemorySink sink;
  ChunkWriter writer(&sink);
  for (uint64_t i = 0; i < kChunks; ++i) {
    ChunkBuilder chunk(ChunkKind::kCalls, 100);
    std::mt19937_64 random(i);
    std::vector<uint64_t> noise(100);
    for (uint64_t& value : noise) value = random();
    chunk.AddColumn(1, ColumnEncoding::kPlain, std::vector<uint64_t>(100, i));
    chunk.AddColumn(2, ColumnEncoding::kDelta, noise);
    const std::string text = "chunk " + std::to_string(i);
    chunk.AddBytes(3, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    chunk.SetTimes(1000 * i, 1000 * i + 999);
    chunk.SetLost(i);
    EXPECT_TRUE(writer.Write(chunk).ok());
  }
  return sink;
}

struct ReadResult {
  std::vector<uint64_t> values;  // of the chunks that could be read
  Damage damage;
  ChunkReader::Status status;
};

ReadResult ReadAll(std::vector<uint8_t> bytes) {
  ReadResult result;
  MemorySource source(std::move(bytes));
  ChunkReader reader(&source, &result.damage);
  ChunkRef ref;
  Chunk chunk;
  std::vector<uint64_t> column;
  while ((result.status = reader.Next(&ref)) == ChunkReader::Status::kChunk) {
    if (!reader.ReadPayload(ref, &chunk)) continue;
    if (chunk.Column(1, &column) && !column.empty()) result.values.push_back(column[0]);
  }
  return result;
}

TEST(Chunk, WhatIsWritten_IsRead) {
  MemorySource source(WriteFive().data);
  Damage damage;
  ChunkReader reader(&source, &damage);
  ChunkRef ref;
  Chunk chunk;
  std::vector<uint64_t> column;
  for (uint64_t i = 0; i < kChunks; ++i) {
    ASSERT_EQ(reader.Next(&ref), ChunkReader::Status::kChunk);
    EXPECT_EQ(ref.kind(), ChunkKind::kCalls);
    EXPECT_EQ(ref.header.sequence, i);
    EXPECT_EQ(ref.header.first_ns, 1000 * i);
    EXPECT_EQ(ref.header.last_ns, 1000 * i + 999);
    EXPECT_EQ(ref.header.lost, i);
    ASSERT_TRUE(reader.ReadPayload(ref, &chunk));
    ASSERT_TRUE(chunk.Column(1, &column));
    EXPECT_EQ(column, std::vector<uint64_t>(100, i));
    EXPECT_EQ(chunk.Bytes(3), "chunk " + std::to_string(i));
    ASSERT_TRUE(chunk.Column(99, &column));  // a column that is not there reads as zeros
    EXPECT_EQ(column, std::vector<uint64_t>(100, 0));
    EXPECT_EQ(chunk.Bytes(99), "");
  }
  EXPECT_EQ(reader.Next(&ref), ChunkReader::Status::kEnd);
  EXPECT_EQ(damage.total, 0u);
}

TEST(Chunk, EveryPrefix_IsATraceOfItsWholeChunks) {
  const MemorySink sink = WriteFive();
  for (size_t size = 0; size <= sink.data.size(); ++size) {
    const ReadResult result = ReadAll({sink.data.begin(), sink.data.begin() + static_cast<ptrdiff_t>(size)});
    size_t whole = 0;
    while (whole < kChunks && (whole + 1 < kChunks ? sink.starts[whole + 1] : sink.data.size()) <= size) ++whole;
    EXPECT_EQ(result.values.size(), whole) << size;
    const size_t whole_bytes = whole < kChunks ? sink.starts[whole] : sink.data.size();
    EXPECT_EQ(result.damage.total, size - whole_bytes) << size;
  }
}

TEST(Chunk, EveryFlippedByte_CostsAtMostItsChunk) {
  const MemorySink sink = WriteFive();
  for (size_t position = 0; position < sink.data.size(); ++position) {
    std::vector<uint8_t> bytes = sink.data;
    bytes[position] ^= 0x41;
    size_t hit = kChunks - 1;
    while (sink.starts[hit] > position) --hit;
    const ReadResult result = ReadAll(bytes);
    if (position == 10 || position == 11) {  // the major version of the first chunk: a file of an unknown kind
      EXPECT_EQ(result.status, ChunkReader::Status::kUnknownVersion) << position;
      continue;
    }
    std::vector<uint64_t> expected;
    for (size_t i = 0; i < kChunks; ++i) {
      if (i != hit) expected.push_back(i);
    }
    EXPECT_EQ(result.values, expected) << position;
    EXPECT_GT(result.damage.total, 0u) << position;
    EXPECT_GE(result.damage.first_offset, sink.starts[hit]) << position;
  }
}

TEST(Chunk, MissingBytesInsideAChunk_DoNotHideTheNext) {
  const MemorySink sink = WriteFive();
  std::vector<uint8_t> bytes = sink.data;
  bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(sink.starts[2]) + 200,
              bytes.begin() + static_cast<ptrdiff_t>(sink.starts[2]) + 300);
  EXPECT_THAT(ReadAll(bytes).values, ElementsAre(0, 1, 3, 4));
}

TEST(Chunk, GarbageBetweenChunks_IsSkippedAndCounted) {
  const MemorySink sink = WriteFive();
  std::vector<uint8_t> bytes = sink.data;
  bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(sink.starts[3]), 100'000, 0x89);
  const ReadResult result = ReadAll(bytes);
  EXPECT_THAT(result.values, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(result.damage.total, 100'000u);
  EXPECT_EQ(result.damage.first_offset, sink.starts[3]);
}

TEST(Chunk, MagicAcrossAScanBlockBorder_IsFound) {
  const MemorySink sink = WriteFive();
  for (size_t shift = 65536 - 12; shift < 65536 + 4; ++shift) {
    std::vector<uint8_t> bytes(shift, 0);
    bytes.insert(bytes.end(), sink.data.begin(), sink.data.end());
    const ReadResult result = ReadAll(bytes);
    EXPECT_EQ(result.values.size(), 5u) << shift;
    EXPECT_EQ(result.damage.total, shift);
  }
}

TEST(Chunk, HugeLengths_AreRefusedBeforeAnythingIsAllocated) {
  const MemorySink sink = WriteFive();
  const auto with_header = [&](auto change) {
    std::vector<uint8_t> bytes = sink.data;
    ChunkHeader header;
    std::memcpy(&header, bytes.data() + sink.starts[1], sizeof(header));
    change(&header);
    header.checksum = 0;
    std::memcpy(bytes.data() + sink.starts[1], &header, sizeof(header));
    header.checksum = HashBytes(bytes.data() + sink.starts[1], header.header_bytes);
    std::memcpy(bytes.data() + sink.starts[1], &header, sizeof(header));
    return bytes;
  };
  for (const auto& bytes : {with_header([](ChunkHeader* h) { h->raw_bytes = UINT32_MAX; }),
                            with_header([](ChunkHeader* h) { h->stored_bytes = UINT32_MAX; }),
                            with_header([](ChunkHeader* h) { h->row_count = UINT32_MAX; }),
                            with_header([](ChunkHeader* h) { h->raw_bytes = kMaxPayloadBytes; }),
                            with_header([](ChunkHeader* h) { h->stored_bytes = kMaxPayloadBytes; })}) {
    EXPECT_THAT(ReadAll(bytes).values, ElementsAre(0, 2, 3, 4));
  }
}

TEST(Chunk, EmptyAndForeignFiles_HaveNoChunk) {
  EXPECT_EQ(ReadAll({}).status, ChunkReader::Status::kEnd);
  const std::string foreign(10'000, 'x');
  const ReadResult result = ReadAll({foreign.begin(), foreign.end()});
  EXPECT_EQ(result.status, ChunkReader::Status::kEnd);
  EXPECT_EQ(result.damage.total, foreign.size());
}

}  // namespace
}  // namespace migprof::format
