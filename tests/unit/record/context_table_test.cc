// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/context_table.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace migprof::record {
namespace {

TEST(ContextTable, AddedContexts_AreFound) {
  auto table = std::make_unique<ContextTable>();
  EXPECT_FALSE(table->DeviceOf(1));
  EXPECT_TRUE(table->Add(1, 0));
  EXPECT_TRUE(table->Add(1 + ContextTable::kCapacity, 5));  // the same slot
  EXPECT_EQ(table->DeviceOf(1), 0u);
  EXPECT_EQ(table->DeviceOf(1 + ContextTable::kCapacity), 5u);
  EXPECT_FALSE(table->DeviceOf(2));
}

TEST(ContextTable, SameContextTwice_TakesOneSlot) {
  auto table = std::make_unique<ContextTable>();
  for (size_t i = 0; i < 2 * ContextTable::kCapacity; ++i) EXPECT_TRUE(table->Add(7, 3));
  EXPECT_EQ(table->DeviceOf(7), 3u);
}

TEST(ContextTable, FullTable_Refuses) {
  auto table = std::make_unique<ContextTable>();
  for (uint32_t context = 1; context <= ContextTable::kCapacity; ++context) ASSERT_TRUE(table->Add(context, context));
  EXPECT_FALSE(table->Add(0x80000000, 1));
  EXPECT_FALSE(table->DeviceOf(0x80000000));
  EXPECT_EQ(table->DeviceOf(ContextTable::kCapacity), ContextTable::kCapacity);
}

TEST(ContextTable, ContextsMadeAndDestroyedForEver_NeverFillIt) {
  auto table = std::make_unique<ContextTable>();
  ASSERT_TRUE(table->Add(1, 6));
  for (uint32_t context = 2; context <= 10 * ContextTable::kCapacity; ++context) {
    ASSERT_TRUE(table->Add(context, context % 8));
    ASSERT_EQ(table->DeviceOf(context), context % 8);
    table->Destroy(context);
    ASSERT_EQ(table->DeviceOf(context), context % 8) << "of its work that is still under way";
  }
  EXPECT_EQ(table->DeviceOf(1), 6u) << "one that lives is not forgotten";
  EXPECT_FALSE(table->DeviceOf(2));
  EXPECT_EQ(table->DeviceOf(10 * ContextTable::kCapacity - 1000), (10 * ContextTable::kCapacity - 1000) % 8);
}

TEST(ContextTable, DestroyedOnceMore_OrNeverSeen_ChangesNothing) {
  auto table = std::make_unique<ContextTable>();
  table->Destroy(3);
  EXPECT_TRUE(table->Add(3, 2));
  table->Destroy(3);
  table->Destroy(3);
  EXPECT_TRUE(table->Add(3, 2));
  EXPECT_EQ(table->DeviceOf(3), 2u);
}

TEST(ContextTable, ManyThreads_AllFindTheirOwn) {
  auto table = std::make_unique<ContextTable>();
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint32_t i = 0; i < 500; ++i) ASSERT_TRUE(table->Add(1 + i * 4 + thread, thread));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint32_t i = 0; i < 2000; ++i) EXPECT_EQ(table->DeviceOf(1 + i), i % 4);
}

}  // namespace
}  // namespace migprof::record
