// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/activity_buffers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

namespace migprof::record {
namespace {

constexpr size_t kBytes = 64 * 1024;

bool IsZeroed(ActivityBuffer* buffer) {
  return std::all_of(buffer->data(), buffer->data() + buffer->capacity, [](uint8_t byte) { return byte == 0; });
}

TEST(ActivityBuffers, TakenBuffer_IsZeroedAndAligned) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 8, SIZE_MAX);
  buffers.Restock();
  ActivityBuffer* buffer = buffers.Take();
  ASSERT_NE(buffer, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 8, 0u);
  EXPECT_LE(buffer->capacity, kBytes - ActivityBuffer::kControlBytes);
  EXPECT_TRUE(IsZeroed(buffer));
  EXPECT_EQ(ActivityBuffer::FromData(buffer->data()), buffer);
}

TEST(ActivityBuffers, GrowWithHowManyAThreadTakesInARound_AndAreSmallAgainInTheNext) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 200, SIZE_MAX);
  for (int round = 0; round < 2; ++round) {  // on threads of their own: what was taken is a matter of a thread
    const auto take_four = [&] {
      for (const size_t capacity : {8 * 1024, 32 * 1024, 64 * 1024 - 64, 64 * 1024 - 64}) {
        EXPECT_EQ(buffers.Take()->capacity, capacity);
      }
    };
    std::thread(take_four).join();
    std::thread(take_four).join();
    EXPECT_EQ(buffers.TakeCompleted(), nullptr);
  }
}

TEST(ActivityBuffers, RecycledBuffer_IsZeroedAgain) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 1, SIZE_MAX);
  for (int round = 0; round < 3; ++round) {
    ActivityBuffer* buffer = buffers.Take();
    ASSERT_NE(buffer, nullptr);
    EXPECT_TRUE(IsZeroed(buffer));
    std::fill_n(buffer->data(), 1000, 0xFF);
    buffers.Complete(buffer, 1000);
    buffers.Recycle(buffers.TakeCompleted());
  }
}

TEST(ActivityBuffers, AfterAFlushOfManyThreads_TheStockHasABufferForEach) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 200, SIZE_MAX);
  std::vector<ActivityBuffer*> held;
  for (int i = 0; i < 40; ++i) held.push_back(buffers.Take());
  buffers.Restock();
  for (int flush = 0; flush < 3; ++flush) {
    const size_t existing = buffers.existing();
    for (ActivityBuffer* buffer : held) buffers.Complete(buffer, 64);
    for (ActivityBuffer*& buffer : held) buffer = buffers.Take();  // before the drain thread comes round
    EXPECT_EQ(buffers.existing(), existing) << "a buffer was mapped where one was taken";
    EXPECT_EQ(std::set<ActivityBuffer*>(held.begin(), held.end()).size(), 40u);
    for (ActivityBuffer* buffer = buffers.TakeCompleted(); buffer != nullptr;) {
      ActivityBuffer* const following = buffer->next;
      buffers.Recycle(buffer);
      buffer = following;
    }
    buffers.Restock();
    EXPECT_LE(buffers.existing(), 160u);
  }
}

TEST(ActivityBuffers, WhatWasWrittenFull_IsGivenBackToTheSystem) {
  ActivityBuffers buffers;
  buffers.Init(kBytes * 4, 200, SIZE_MAX);
  std::vector<ActivityBuffer*> held;
  for (int i = 0; i < 40; ++i) held.push_back(buffers.Take());
  for (ActivityBuffer* buffer : held) buffers.Complete(buffer, kBytes * 3);
  for (ActivityBuffer* buffer = buffers.TakeCompleted(); buffer != nullptr;) {
    ActivityBuffer* const following = buffer->next;
    buffers.Recycle(buffer);
    buffer = following;
  }
  EXPECT_EQ(buffers.existing(), 16u);
}

TEST(ActivityBuffers, BeyondTheMost_IsRefusedAndCounted) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 3, SIZE_MAX);
  std::vector<ActivityBuffer*> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(buffers.Take());
  EXPECT_EQ(std::count(taken.begin(), taken.end(), nullptr), 0);
  EXPECT_EQ(buffers.Take(), nullptr);
  EXPECT_EQ(buffers.Take(), nullptr);
  EXPECT_EQ(buffers.refused(), 2u);
  buffers.Complete(taken[0], 0);
  buffers.Recycle(buffers.TakeCompleted());
  EXPECT_NE(buffers.Take(), nullptr);
}

std::vector<ActivityBuffer*> TakeAll(ActivityBuffers* buffers) {
  std::vector<ActivityBuffer*> taken;
  while (ActivityBuffer* const buffer = buffers->Take()) taken.push_back(buffer);
  return taken;
}

TEST(ActivityBuffers, AllMemoryTaken_IsRefusedUntilSomeIsGivenBack) {
  ActivityBuffers buffers;
  constexpr size_t kMost = 1 << 20;
  buffers.Init(kBytes, 1000, kMost);
  for (int round = 0; round < 3; ++round) {
    const std::vector<ActivityBuffer*> taken = TakeAll(&buffers);
    EXPECT_GT(taken.size(), 16u);
    EXPECT_LE(buffers.used_bytes(), kMost);
    EXPECT_GT(buffers.used_bytes(), kMost - 16 * 1024);
    size_t capacities = 0;
    for (const ActivityBuffer* buffer : taken) capacities += buffer->capacity;
    EXPECT_LE(capacities, kMost);
    EXPECT_GT(capacities, kMost / 2);
    for (ActivityBuffer* buffer : taken) buffers.Complete(buffer, buffer->capacity);
    EXPECT_EQ(buffers.Take(), nullptr) << "what waits takes memory as well";
    for (ActivityBuffer* buffer = buffers.TakeCompleted(); buffer != nullptr;) {
      ActivityBuffer* const following = buffer->next;
      buffers.Recycle(buffer);
      buffer = following;
    }
    EXPECT_LE(buffers.used_bytes(), kMost);
  }
  EXPECT_EQ(buffers.refused(), 6u);
}

TEST(ActivityBuffers, LittleMemory_IsKeptForSmallBuffers) {
  ActivityBuffers buffers;
  buffers.Init(1 << 20, 1000, 1 << 20);
  const std::vector<ActivityBuffer*> taken = TakeAll(&buffers);
  EXPECT_EQ(std::count_if(taken.begin(), taken.end(), [](auto* buffer) { return buffer->capacity > 512 * 1024; }), 0);
  // A quarter, of 12 KiB each.
  EXPECT_GE(std::count_if(taken.begin(), taken.end(), [](auto* buffer) { return buffer->capacity == 8 * 1024; }), 20);
}

TEST(ActivityBuffers, WhatCuptiDidNotUse_IsNotTaken) {
  ActivityBuffers buffers;
  buffers.Init(1 << 20, 1000, 1 << 20);
  const std::vector<ActivityBuffer*> taken = TakeAll(&buffers);
  for (ActivityBuffer* buffer : taken) buffers.Complete(buffer, 64);
  EXPECT_LE(buffers.used_bytes(), (taken.size() + 1) * 4096)
      << "a page each, and of the one for which there was no room";
  EXPECT_NE(buffers.Take(), nullptr);
}

TEST(ActivityBuffers, Completed_ComeOldestFirst) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 8, SIZE_MAX);
  for (size_t i = 1; i <= 5; ++i) buffers.Complete(buffers.Take(), i * 8);
  ActivityBuffer* buffer = buffers.TakeCompleted();
  for (size_t i = 1; i <= 5; ++i, buffer = buffer->next) {
    ASSERT_NE(buffer, nullptr);
    EXPECT_EQ(buffer->valid, i * 8);
  }
  EXPECT_EQ(buffer, nullptr);
  EXPECT_EQ(buffers.TakeCompleted(), nullptr);
}

TEST(ActivityBuffers, ManyThreads_NeverShareABuffer) {
  ActivityBuffers buffers;
  buffers.Init(kBytes, 64, SIZE_MAX);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> completed{0};
  std::vector<std::thread> producers;
  for (uint8_t id = 1; id <= 3; ++id) {
    producers.emplace_back([&, id] {
      for (int i = 0; i < 5000; ++i) {
        ActivityBuffer* buffer = buffers.Take();
        if (buffer == nullptr) continue;
        std::fill_n(buffer->data(), 64, id);
        std::this_thread::yield();
        ASSERT_TRUE(std::all_of(buffer->data(), buffer->data() + 64, [&](uint8_t byte) { return byte == id; }));
        buffers.Complete(buffer, 64);
        completed.fetch_add(1);
      }
    });
  }
  uint64_t drained = 0;
  const auto drain = [&] {
    for (ActivityBuffer* buffer = buffers.TakeCompleted(); buffer != nullptr;) {
      ActivityBuffer* next = buffer->next;
      buffers.Recycle(buffer);
      ++drained;
      buffer = next;
    }
  };
  std::thread consumer([&] {
    while (!stop.load()) {
      drain();
      buffers.Restock();
    }
  });
  for (std::thread& producer : producers) producer.join();
  stop = true;
  consumer.join();
  drain();
  EXPECT_EQ(drained, completed.load());
}

}  // namespace
}  // namespace migprof::record
