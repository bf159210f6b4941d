// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/thread_slot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <thread>
#include <vector>

namespace migprof::record {
namespace {

constexpr uint64_t kRing = 2 << 20;

// The rings of as many slots as fit.
std::vector<uint64_t> RingsIn(size_t most_bytes, uint64_t ring_bytes, size_t* used) {
  std::vector<uint64_t> rings;
  *used = 0;
  while (const auto sizes = SizesOfNextSlot(*used, most_bytes, 0, ring_bytes)) {
    *used += sizes->bytes();
    rings.push_back(sizes->ring_bytes);
  }
  return rings;
}

TEST(SizesOfNextSlot, FirstThreadsHaveWholeRings_AndManyMoreHaveSmallOnes) {
  size_t used = 0;
  const size_t most = MemoryShares::Of(64 << 20, false).threads;
  const std::vector<uint64_t> rings = RingsIn(most, kRing, &used);
  EXPECT_LE(used, most);
  EXPECT_GT(used, most / 100 * 99);
  EXPECT_GE(std::count(rings.begin(), rings.end(), kRing), 3);
  EXPECT_GE(rings[4], kRing / 2) << "of four threads that work for a fifth";
  EXPECT_GE(std::count_if(rings.begin(), rings.end(), [](uint64_t ring) { return ring >= 256 * 1024; }), 8);
  EXPECT_GE(rings.size(), 100u);
  EXPECT_TRUE(std::is_sorted(rings.rbegin(), rings.rend()));
}

TEST(SizesOfNextSlot, WhateverIsAskedFor_FitsAndLeavesRoomForMany) {
  for (const uint64_t memory_mb : {16, 64, 1024}) {
    for (uint64_t ring = 64 * 1024; ring <= 64 << 20; ring *= 2) {
      size_t used = 0;
      const size_t most = MemoryShares::Of(memory_mb << 20, false).threads;
      const std::vector<uint64_t> rings = RingsIn(most, ring, &used);
      EXPECT_LE(used, most) << memory_mb << " MB, rings of " << ring;
      EXPECT_GE(rings.size(), 25u) << memory_mb << " MB, rings of " << ring;
      EXPECT_LE(rings.front(), ring);
      EXPECT_GE(rings.back(), 16u * 1024);
    }
  }
}

TEST(SizesOfNextSlot, WhatIsLent_IsNotThere) {
  const size_t most = 10 << 20;
  EXPECT_TRUE(SizesOfNextSlot(0, most, 0, kRing));
  EXPECT_EQ(SizesOfNextSlot(0, most, most - 300'000, kRing)->ring_bytes, 64u * 1024);
  EXPECT_FALSE(SizesOfNextSlot(0, most, most, kRing));
}

TEST(ThreadSlots, MoreThreadsThanThereIsRoomFor_AreCounted) {
  static auto& slots = *new ThreadSlots;  // slots are never unmapped
  constexpr size_t kMost = 4 << 20;
  constexpr int kThreads = 100;
  LentMemory lent;
  ASSERT_TRUE(slots.Init(kRing, kMost, &lent).ok());
  EXPECT_EQ(lent.offered.load(), kMost / 2);
  std::barrier all(kThreads);
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      ThreadSlot* const slot = slots.Mine();
      refused += slot == nullptr;
      if (slot != nullptr) {  // all of it can be used
        slot->sent_stacks.Insert(0x1234567);
        slot->sent_python_stacks.Insert(0x1234567);
        EXPECT_NE(slot->python_stack.known_code.Find(0x7f0012345678), nullptr);
        while (uint8_t* const room = slot->ring.Reserve(1024)) {
          const RingRecordHeader header{1024, RingRecordKind::kOutcome, 0, 0};
          std::memcpy(room, &header, sizeof(header));
          slot->ring.Commit();
        }
      }
      all.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(refused.load(), 0);
  EXPECT_LT(refused.load(), kThreads / 2 + 30);
  EXPECT_EQ(slots.refused(), static_cast<uint64_t>(refused.load()));
  size_t bytes = 0;
  int count = 0;
  slots.ForEach([&](ThreadSlot* slot) {
    bytes += SizesOfSlot(slot->ring.size()).bytes();
    ++count;
  });
  EXPECT_EQ(count, kThreads - refused.load());
  EXPECT_LE(bytes, kMost);
  EXPECT_EQ(lent.offered.load(), (kMost - bytes) / 2);
}

TEST(ThreadSlots, AThousandThreads_AreNotTooManyWhereThereIsMemory) {
  static auto& slots = *new ThreadSlots;
  constexpr size_t kThreads = 1100;
  ASSERT_TRUE(slots.Init(kRing, MemoryShares::Of(1 << 30, false).threads).ok());
  std::barrier all(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      slots.Mine();
      all.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(slots.refused(), 0u);
  size_t count = 0;
  slots.ForEach([&](ThreadSlot*) { ++count; });
  EXPECT_EQ(count, kThreads);
}

TEST(ThreadSlots, ThreadsThatComeAndGoBeforeAnybodyLooks_ShareASlot) {
  static auto& slots = *new ThreadSlots;
  ASSERT_TRUE(slots.Init(64 * 1024).ok());
  std::vector<uint32_t> serials;
  for (int i = 0; i < 300; ++i) {
    std::thread([&] {
      ThreadSlot* const slot = slots.Mine();
      ASSERT_NE(slot, nullptr);
      serials.push_back(slot->serial);
      uint8_t* const room = slot->ring.Reserve(24);
      ASSERT_NE(room, nullptr);
      const RingRecordHeader header{24, RingRecordKind::kOutcome, 0, slot->serial};
      std::memcpy(room, &header, sizeof(header));
      slot->ring.Commit();
    }).join();
  }
  size_t count = 0;
  std::vector<uint32_t> read;
  slots.ForEach([&](ThreadSlot* slot) {
    ++count;
    uint32_t owner = 0;
    slot->ring.Drain([&](const RingRecordHeader* header) {
      if (header->kind == RingRecordKind::kOwner) {
        owner = reinterpret_cast<const OwnerRecord*>(header)->serial;
      } else {
        EXPECT_EQ(header->correlation, owner) << "a record of another thread";
        read.push_back(owner);
      }
    });
  });
  EXPECT_LT(count, 20u);
  std::sort(read.begin(), read.end());
  EXPECT_EQ(read, serials);
}

}  // namespace
}  // namespace migprof::record
