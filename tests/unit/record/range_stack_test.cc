// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/range_stack.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace migprof::record {
namespace {

// The names of the open ranges of this thread, outermost first.
std::vector<std::string> Open() {
  std::vector<std::string> names;
  RangeStack* const stack = RangeStack::Mine();
  stack->Top();
  for (uint32_t i = 0; i < stack->depth(); ++i) names.emplace_back((*stack)[i].text, (*stack)[i].length);
  return names;
}

using Names = std::vector<std::string>;

template <typename Body>
void OnThread(Body&& body) {
  std::thread(body).join();
}

TEST(RangeStack, PushedRanges_AreClosedInnermostFirst) {
  OnThread([] {
    EXPECT_EQ(RangeStack::MineIfAny(), nullptr);
    RangeStack* const stack = RangeStack::Mine();
    EXPECT_EQ(stack->Top(), 0u);
    EXPECT_EQ(stack->Push(nullptr, "a"), 0);
    EXPECT_EQ(stack->Push(nullptr, "b"), 1);
    EXPECT_EQ(Open(), (Names{"a", "b"}));
    EXPECT_EQ(stack->Pop(nullptr), 1);
    EXPECT_EQ(stack->Pop(nullptr), 0);
    EXPECT_EQ(stack->Pop(nullptr), -1);
    EXPECT_EQ(Open(), Names{});
  });
}

TEST(RangeStack, SameRangesInTheSameOrder_HaveTheSameHash) {
  OnThread([] {
    RangeStack* const stack = RangeStack::Mine();
    stack->Push(nullptr, "a");
    const uint64_t alone = stack->Top();
    stack->Push(nullptr, "b");
    const uint64_t both = stack->Top();
    EXPECT_NE(alone, both);
    stack->Pop(nullptr);
    EXPECT_EQ(stack->Top(), alone);
    stack->Push(nullptr, "b");
    EXPECT_EQ(stack->Top(), both);
    stack->Pop(nullptr);
    stack->Pop(nullptr);
    stack->Push(nullptr, "b");
    EXPECT_NE(stack->Top(), both);
  });
}

TEST(RangeStack, Domains_DoNotEndEachOther) {
  const RangeText* const domain = KeepRangeText("domain");
  OnThread([domain] {
    RangeStack* const stack = RangeStack::Mine();
    stack->Push(domain, "of the domain");
    EXPECT_EQ(stack->Push(nullptr, "plain"), 0) << "levels are the domain's own";
    EXPECT_EQ(stack->Pop(domain), 0);
    EXPECT_EQ(Open(), Names{"plain"});
  });
}

TEST(RangeStack, StartedRange_CanBeEndedByAnotherThread) {
  OnThread([] {
    RangeStack* const stack = RangeStack::Mine();
    const uint64_t outer = stack->Start(nullptr, "outer");
    stack->Push(nullptr, "pushed");
    const uint64_t inner = stack->Start(nullptr, "inner");
    EXPECT_NE(outer, inner);
    OnThread([&] { RangeStack::End(outer); });
    EXPECT_EQ(Open(), (Names{"pushed", "inner"}));
    RangeStack::End(outer);
    RangeStack::End(12345);
    RangeStack::End(0);
    EXPECT_EQ(Open(), (Names{"pushed", "inner"}));
    RangeStack::End(inner);
    EXPECT_EQ(stack->Pop(nullptr), 0);
    const uint64_t again = stack->Start(nullptr, "again");
    EXPECT_NE(again, outer) << "an old id must not end a new range";
    RangeStack::End(outer);
    EXPECT_EQ(Open(), Names{"again"});
  });
}

TEST(RangeStack, IdOfAThreadThatEnded_EndsNothing) {
  uint64_t old = 0;
  OnThread([&] { old = RangeStack::Mine()->Start(nullptr, "old"); });
  OnThread([&] {
    RangeStack* const stack = RangeStack::Mine();
    EXPECT_EQ(Open(), Names{});
    stack->Start(nullptr, "new");
    RangeStack::End(old);
    EXPECT_EQ(Open(), Names{"new"});
  });
}

TEST(RangeStack, TooManyOpen_AreCountedAndPopRight) {
  OnThread([] {
    const uint64_t before = RangeStack::overflowed();
    RangeStack* const stack = RangeStack::Mine();
    for (uint32_t i = 0; i < RangeStack::kMostOpen + 3; ++i) EXPECT_EQ(stack->Push(nullptr, "x"), static_cast<int>(i));
    EXPECT_EQ(RangeStack::overflowed() - before, 3u);
    EXPECT_EQ(stack->Start(nullptr, "no room"), 0u);
    EXPECT_EQ(Open().size(), RangeStack::kMostOpen);
    for (int i = 0; i < 4; ++i) stack->Pop(nullptr);
    EXPECT_EQ(Open().size(), RangeStack::kMostOpen - 1);
  });
}

TEST(RangeStack, TooManyOpenInTwoDomains_PopTheirOwn) {
  const RangeText* const d = KeepRangeText("D");
  const RangeText* const e = KeepRangeText("E");
  OnThread([d, e] {
    RangeStack* const stack = RangeStack::Mine();
    const int most = static_cast<int>(RangeStack::kMostOpen);
    for (int i = 0; i < most; ++i) stack->Push(d, "d");
    EXPECT_EQ(stack->Push(e, "e"), 0) << "not kept, but the first of its domain";
    EXPECT_EQ(stack->Push(e, "e"), 1);
    for (int i = most; i-- > 0;) EXPECT_EQ(stack->Pop(d), i);
    EXPECT_EQ(stack->Pop(d), -1);
    EXPECT_EQ(Open(), Names{});
    // What is inside a lost range of its domain is lost too: else its pop would end the wrong one.
    const uint64_t before = RangeStack::overflowed();
    EXPECT_EQ(stack->Push(e, "inside"), 2);
    EXPECT_EQ(RangeStack::overflowed() - before, 1u);
    stack->Push(d, "again");
    EXPECT_EQ(Open(), Names{"again"});
    for (int i = 3; i-- > 0;) EXPECT_EQ(stack->Pop(e), i);
    EXPECT_EQ(stack->Pop(e), -1);
    EXPECT_EQ(Open(), Names{"again"});
    stack->Push(e, "kept");
    EXPECT_EQ(Open(), (Names{"again", "kept"}));
  });
}

TEST(RangeStack, StartedRangeThatEndsWhileOneIsTooDeep_LeavesPopsRight) {
  OnThread([] {
    RangeStack* const stack = RangeStack::Mine();
    const uint64_t started = stack->Start(nullptr, "started");
    for (uint32_t i = 1; i < RangeStack::kMostOpen; ++i) stack->Push(nullptr, "p");
    stack->Push(nullptr, "too deep");
    RangeStack::End(started);
    EXPECT_EQ(Open().size(), RangeStack::kMostOpen - 1);
    stack->Push(nullptr, "Y");
    stack->Pop(nullptr);
    EXPECT_EQ(Open(), Names(RangeStack::kMostOpen - 1, "p")) << "Y is over";
    EXPECT_NE(stack->Start(nullptr, "new"), 0u) << "there is room";
    stack->Pop(nullptr);  // the one too deep
    EXPECT_EQ(Open().size(), RangeStack::kMostOpen);
    for (uint32_t i = 1; i < RangeStack::kMostOpen; ++i) stack->Pop(nullptr);
    EXPECT_EQ(Open(), Names{"new"});
  });
}

TEST(RangeStack, LongName_IsCut) {
  OnThread([] {
    RangeStack::Mine()->Push(nullptr, std::string(1000, 'n'));
    EXPECT_EQ(Open().at(0).size(), RangeStack::kMostText);
  });
}

TEST(RangeStack, EndsFromManyThreads_LeaveNothingOpen) {
  OnThread([] {
    RangeStack* const stack = RangeStack::Mine();
    for (int round = 0; round < 200; ++round) {
      std::vector<uint64_t> ids;
      for (int i = 0; i < 20; ++i) ids.push_back(stack->Start(nullptr, "r"));
      std::thread a([&] {
        for (const uint64_t id : ids) RangeStack::End(id);
      });
      std::thread b([&] {
        for (const uint64_t id : ids) RangeStack::End(id);
      });
      stack->Push(nullptr, "p");
      stack->Top();
      stack->Pop(nullptr);
      a.join();
      b.join();
      ASSERT_EQ(Open(), Names{});
    }
  });
}

}  // namespace
}  // namespace migprof::record
