// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/spsc_ring.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace migprof::record {
namespace {

struct TestRing {
  explicit TestRing(size_t bytes) : memory(bytes / 8) { ring.Init(reinterpret_cast<uint8_t*>(memory.data()), bytes); }

  // Pushes a record of `bytes` whose payload is `value` repeated; false when the ring is full.
  bool Push(uint16_t bytes, uint64_t value) {
    uint8_t* room = ring.Reserve(bytes);
    if (room == nullptr) return false;
    const RingRecordHeader header{bytes, RingRecordKind::kCall, 0, static_cast<uint32_t>(value)};
    std::memcpy(room, &header, sizeof(header));
    for (size_t at = sizeof(header); at < bytes; at += 8) std::memcpy(room + at, &value, 8);
    ring.Commit();
    return true;
  }

  SpscRing ring;
  std::vector<uint64_t> memory;
};

// The value of a record, or a failure if its bytes are not all of one record.
uint64_t ValueOf(const RingRecordHeader* record) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(record);
  uint64_t value = record->correlation;
  for (size_t at = sizeof(*record); at < record->bytes; at += 8) {
    std::memcpy(&value, bytes + at, 8);
    EXPECT_EQ(static_cast<uint32_t>(value), record->correlation);
  }
  return value;
}

TEST(SpscRing, Records_ComeInOrderAndWhole) {
  TestRing ring(256);
  std::vector<uint64_t> got;
  for (uint64_t value = 0; value < 1000; ++value) {
    ASSERT_TRUE(ring.Push(static_cast<uint16_t>(8 + 8 * (value % 7)), value));
    if (value % 3 == 2) ring.ring.Drain([&](const RingRecordHeader* record) { got.push_back(ValueOf(record)); });
  }
  ring.ring.Drain([&](const RingRecordHeader* record) { got.push_back(ValueOf(record)); });
  ASSERT_EQ(got.size(), 1000u);
  for (uint64_t value = 0; value < 1000; ++value) EXPECT_EQ(got[value], value);
}

TEST(SpscRing, WhileAFullRingIsEmptied_ThereIsRoomAgain) {
  TestRing ring(1024);
  uint64_t pushed = 0;
  while (ring.Push(64, pushed)) ++pushed;
  uint64_t read = 0;
  ring.ring.Drain([&](const RingRecordHeader* record) {
    EXPECT_EQ(ValueOf(record), read);
    ++read;
    if (read == 8) {  // what takes long to handle need not keep the producer from what was read before
      EXPECT_TRUE(ring.Push(64, pushed));
      ++pushed;
    }
  });
  EXPECT_EQ(read + 1, pushed);
  ring.ring.Drain([&](const RingRecordHeader* record) { EXPECT_EQ(ValueOf(record), read++); });
  EXPECT_EQ(read, pushed);
}

TEST(SpscRing, FullRing_RefusesAndLosesNothing) {
  TestRing ring(128);
  size_t pushed = 0;
  while (ring.Push(24, pushed)) ++pushed;
  EXPECT_EQ(pushed, 5u);  // 5 * 24 = 120 of 128 bytes; the sixth does not fit
  EXPECT_FALSE(ring.Push(24, 99));
  size_t drained = 0;
  ring.ring.Drain([&](const RingRecordHeader* record) { EXPECT_EQ(ValueOf(record), drained++); });
  EXPECT_EQ(drained, pushed);
  EXPECT_TRUE(ring.Push(24, 7));
}

TEST(SpscRing, ReserveWithoutCommit_IsTakenBack) {
  TestRing ring(128);
  ASSERT_NE(ring.ring.Reserve(24), nullptr);
  ASSERT_TRUE(ring.Push(16, 5));
  size_t drained = 0;
  ring.ring.Drain([&](const RingRecordHeader* record) {
    EXPECT_EQ(ValueOf(record), 5u);
    ++drained;
  });
  EXPECT_EQ(drained, 1u);
}

TEST(SpscRing, RecordsUpToTheEnd_NeedNoPadding) {
  TestRing ring(64);
  for (uint64_t round = 0; round < 100; ++round) {
    ASSERT_TRUE(ring.Push(32, round));
    ASSERT_TRUE(ring.Push(32, round));
    EXPECT_FALSE(ring.Push(8, round));
    EXPECT_EQ(ring.ring.Drain([&](const RingRecordHeader* record) { EXPECT_EQ(ValueOf(record), round); }), 64u);
  }
}

TEST(SpscRing, TwoThreads_AgreeOnEveryRecord) {
  TestRing ring(1 << 12);
  constexpr uint64_t kRecords = 300'000;
  std::thread producer([&] {
    std::mt19937 random(3);
    for (uint64_t value = 0; value < kRecords;) {
      if (ring.Push(static_cast<uint16_t>(8 + 8 * (random() % 20)), value)) ++value;
    }
  });
  uint64_t expected = 0;
  while (expected < kRecords) {
    ring.ring.Drain([&](const RingRecordHeader* record) { ASSERT_EQ(ValueOf(record), expected++); });
  }
  producer.join();
  EXPECT_EQ(ring.ring.used(), 0u);
}

}  // namespace
}  // namespace migprof::record
