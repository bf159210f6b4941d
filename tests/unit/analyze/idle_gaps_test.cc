// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/idle_gaps.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>
#include <string>

namespace migprof::analyze {
namespace {

using format::CallClass;

uint64_t Of(const IdleTimes& times, IdleCause cause) { return times[static_cast<size_t>(cause)]; }

class BlockingCallsTest : public testing::Test {
 protected:
  void Call(uint64_t start, uint64_t end, CallClass call_class, uint64_t thread = 7) {
    calls_.Entered(++correlation_, start, calls_.ThreadOf(thread), call_class);
    calls_.Returned(correlation_, end - start);
  }
  IdleTimes Divide(uint64_t start, uint64_t end, uint64_t call_ns) {
    return calls_.Divide(start, end, {.call_ns = call_ns, .thread = calls_.ThreadOf(7)});
  }

  BlockingCalls calls_;
  uint32_t correlation_ = 0;
};

TEST_F(BlockingCallsTest, TimeBeforeTheCall_IsTheHosts) {
  const IdleTimes times = Divide(100, 200, 170);
  EXPECT_EQ(Of(times, IdleCause::kHost), 70u);
  EXPECT_EQ(Of(times, IdleCause::kLaunchLatency), 30u);
}

TEST_F(BlockingCallsTest, CallsOfTheThread_AreTakenOutOfTheHostsTime) {
  Call(90, 110, CallClass::kSynchronize);  // only its end lies in the gap
  Call(120, 125, CallClass::kAllocate);
  Call(125, 126, CallClass::kRelease);
  Call(130, 145, CallClass::kLoad);
  Call(150, 160, CallClass::kMemcpy);
  const IdleTimes times = Divide(100, 200, 170);
  EXPECT_EQ(Of(times, IdleCause::kSynchronize), 10u);
  EXPECT_EQ(Of(times, IdleCause::kAllocation), 6u);
  EXPECT_EQ(Of(times, IdleCause::kFirstLaunch), 15u);
  EXPECT_EQ(Of(times, IdleCause::kCopy), 10u);
  EXPECT_EQ(Of(times, IdleCause::kHost), 29u);
  EXPECT_EQ(Of(times, IdleCause::kLaunchLatency), 30u);
}

TEST_F(BlockingCallsTest, CallsOfOtherThreads_SayNothing) {
  Call(100, 170, CallClass::kSynchronize, 8);
  EXPECT_EQ(Of(Divide(100, 200, 170), IdleCause::kHost), 70u);
}

TEST_F(BlockingCallsTest, QueuedBeforeTheGap_IsAllLatency) {
  Call(90, 195, CallClass::kSynchronize);  // waiting for just this work
  const IdleTimes times = Divide(100, 200, 80);
  EXPECT_EQ(Of(times, IdleCause::kLaunchLatency), 100u);
  EXPECT_EQ(Of(times, IdleCause::kSynchronize), 0u);
}

TEST_F(BlockingCallsTest, KindOfTheWork_DecidesWhatItWaitedFor) {
  const uint16_t thread = calls_.ThreadOf(7);
  EXPECT_EQ(Of(calls_.Divide(0, 10, {.call_ns = 4, .thread = thread, .is_transfer = true}), IdleCause::kCopy), 6u);
  const IdleTimes first = calls_.Divide(10, 20, {.call_ns = 14, .thread = thread, .is_first_launch = true});
  EXPECT_EQ(Of(first, IdleCause::kFirstLaunch), 6u);
}

TEST_F(BlockingCallsTest, CallThatNeverReturned_IsTheHosts) {
  calls_.Entered(900, 110, calls_.ThreadOf(7), CallClass::kSynchronize);
  EXPECT_EQ(Of(Divide(100, 200, 170), IdleCause::kHost), 70u);
  calls_.Returned(901, 5);  // of a call nobody entered
  calls_.Forget(900);
  calls_.Returned(900, 50);
  EXPECT_EQ(Of(Divide(200, 300, 270), IdleCause::kHost), 70u);
}

TEST_F(BlockingCallsTest, AnyNonsense_AddsUpToTheGap) {
  std::mt19937_64 random(3);
  uint64_t gap_start = 0;
  for (int round = 0; round < 20'000; ++round) {
    const uint64_t start = random() % 5 == 0 ? random() : gap_start + random() % 300;
    Call(start, start + (random() % 9 == 0 ? random() / 2 : random() % 100), static_cast<CallClass>(1 + random() % 12),
         random() % 3);
    const uint64_t gap_end = gap_start + 1 + random() % 200;
    const IdleTimes times = calls_.Divide(gap_start, gap_end,
                                          {.call_ns = random() % 3 == 0 ? random() : gap_start + random() % 200,
                                           .thread = static_cast<uint16_t>(random() % 6)});
    ASSERT_EQ(std::accumulate(times.begin(), times.end(), uint64_t{0}), gap_end - gap_start) << round;
    gap_start = gap_end + random() % 100;
  }
}

TEST(IdleCause, Names_AreDistinct) {
  std::set<std::string> names;
  for (size_t cause = 0; cause < kIdleCauses; ++cause) names.insert(Name(static_cast<IdleCause>(cause)));
  EXPECT_EQ(names.size(), kIdleCauses);
}

}  // namespace
}  // namespace migprof::analyze
