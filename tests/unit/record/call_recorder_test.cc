// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/call_recorder.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace migprof::record {
namespace {

constexpr uint32_t kContext = 1;
constexpr uint32_t kDevice = 2;
constexpr uint32_t kLaunch = 307;
constexpr uint32_t kSynchronize = 17;

uint64_t g_now = 1000;

struct Recorded {
  std::vector<CallRecord> calls;
  std::vector<OutcomeRecord> outcomes;
  std::vector<std::vector<uint64_t>> stacks;
  std::vector<uint64_t> hashes;
  std::vector<std::string> names;
};

class CallRecorderTest : public testing::Test {
 protected:
  void Start(uint64_t ring_bytes, uint32_t max_depth, size_t most_slots = ThreadSlots::kMostSlots) {
    // As in the product: threads may outlive everything, so nothing is ever freed.
    static std::vector<ThreadSlots*>& all_slots = *new std::vector<ThreadSlots*>;
    slots_ = all_slots.emplace_back(new ThreadSlots);
    ASSERT_TRUE(slots_->Init(ring_bytes, ThreadSlots::kNoLimit, nullptr, most_slots).ok());
    contexts_ = std::make_unique<ContextTable>();
    contexts_->Add(kContext, kDevice);
    recorder_ = std::make_unique<CallRecorder>(
        slots_, contexts_.get(), [] { return g_now; }, max_depth);
  }

  // Runs `body` on a thread of its own, so that every test starts without a slot.
  template <typename Body>
  void OnThread(Body&& body) {
    std::thread(body).join();
  }

  Recorded Drain() {
    Recorded recorded;
    slots_->ForEach([&](ThreadSlot* slot) {
      const size_t calls_before = recorded.calls.size();
      slot->ring.Drain([&](const RingRecordHeader* header) {
        if (header->kind == RingRecordKind::kCall) {
          recorded.calls.push_back(*reinterpret_cast<const CallRecord*>(header));
        } else if (header->kind == RingRecordKind::kOutcome) {
          recorded.outcomes.push_back(*reinterpret_cast<const OutcomeRecord*>(header));
        } else if (header->kind == RingRecordKind::kThreadName) {
          EXPECT_EQ(recorded.calls.size(), calls_before) << "not the slot's first";
          EXPECT_EQ(header->flags, 0) << "the system's";
          recorded.names.emplace_back(reinterpret_cast<const ThreadNameRecord*>(header)->text(), header->correlation);
        } else if (header->kind == RingRecordKind::kStack) {
          const auto* stack = reinterpret_cast<const StackRecord*>(header);
          recorded.stacks.emplace_back(stack->frames(), stack->frames() + stack->depth());
          recorded.hashes.push_back(stack->hash);
        }
      });
    });
    return recorded;
  }

  uint64_t Dropped() {
    uint64_t dropped = 0;
    slots_->ForEach([&](ThreadSlot* slot) { dropped += slot->dropped_calls.of_device[kDevice].load(); });
    return dropped;
  }

  ThreadSlots* slots_ = nullptr;
  std::unique_ptr<ContextTable> contexts_;
  std::unique_ptr<CallRecorder> recorder_;
};

// A handler that interrupts a thread in the middle of recording, and launches: the clock stands for it here.
CallRecorder* g_interrupted = nullptr;

TEST_F(CallRecorderTest, CallOfAHandlerThatInterruptsRecordingIsDroppedAndCounted) {
  Start(64 * 1024, 64);
  CallRecorder recorder(
      slots_, contexts_.get(),
      [] {
        if (CallRecorder* const interrupted = std::exchange(g_interrupted, nullptr)) {
          interrupted->Enter(kLaunch, 500, kContext);
          interrupted->Exit(500, 1);
        }
        return g_now;
      },
      64);
  OnThread([&] {
    for (uint32_t correlation = 1; correlation <= 3; ++correlation) {
      g_interrupted = correlation == 2 ? &recorder : nullptr;
      recorder.Enter(kLaunch, correlation, kContext);
      recorder.Exit(correlation, correlation == 2 ? 7 : 0);
    }
  });
  const Recorded recorded = Drain();
  ASSERT_EQ(recorded.calls.size(), 3u);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(recorded.calls[i].header.correlation, i + 1);
  ASSERT_EQ(recorded.outcomes.size(), 1u);  // that of the call that was interrupted
  EXPECT_EQ(recorded.outcomes[0].header.correlation, 2u);
  EXPECT_EQ(recorded.outcomes[0].detail, 7u);
  EXPECT_EQ(Dropped(), 1u);
}

TEST_F(CallRecorderTest, NameOfAThread_IsSentOnceBeforeItsFirstCall) {
  Start(1 << 16, 256);
  OnThread([&] {
    pthread_setname_np(pthread_self(), "early bird");
    for (uint32_t correlation = 1; correlation <= 3; ++correlation) recorder_->Enter(kLaunch, correlation, kContext);
    pthread_setname_np(pthread_self(), "late");
    recorder_->Enter(kLaunch, 4, kContext);
  });
  EXPECT_EQ(Drain().names, std::vector<std::string>{"early bird"});
}

TEST_F(CallRecorderTest, Call_IsRecordedWithStackAndTime) {
  Start(1 << 16, 256);
  OnThread([&] {
    recorder_->Enter(kLaunch, 5, kContext);
    recorder_->Exit(5, 0);
  });
  const Recorded recorded = Drain();
  ASSERT_EQ(recorded.calls.size(), 1u);
  ASSERT_EQ(recorded.stacks.size(), 1u);
  EXPECT_EQ(recorded.calls[0].header.correlation, 5u);
  EXPECT_EQ(recorded.calls[0].context, kContext);
  EXPECT_EQ(recorded.calls[0].callback_id, kLaunch);
  EXPECT_EQ(recorded.calls[0].time_ns, g_now);
  EXPECT_EQ(recorded.calls[0].stack_hash, recorded.hashes[0]);
  EXPECT_GE(recorded.stacks[0].size(), 3u);
  EXPECT_TRUE(recorded.outcomes.empty());
}

TEST_F(CallRecorderTest, SameStack_IsSentOncePerThread) {
  Start(1 << 16, 256);
  for (int thread = 0; thread < 2; ++thread) {
    OnThread([&] {
      for (uint32_t i = 1; i <= 50; ++i) {
        recorder_->Enter(kLaunch, i, kContext);
        recorder_->Exit(i, 0);
      }
    });
  }
  const Recorded recorded = Drain();
  EXPECT_EQ(recorded.calls.size(), 100u);
  EXPECT_EQ(recorded.stacks.size(), 2u);
}

TEST_F(CallRecorderTest, NewGeneration_SendsTheStackAgain) {
  Start(1 << 16, 256);
  OnThread([&] {
    for (uint32_t i = 1; i <= 10; ++i) {
      recorder_->SetGeneration(i / 6, 0);  // no branch: every call is to come from the same place
      recorder_->Enter(kLaunch, i, kContext);
      recorder_->Exit(i, 0);
    }
  });
  EXPECT_EQ(Drain().stacks.size(), 2u);
}

TEST_F(CallRecorderTest, ForgottenDefinitions_SendsTheStackAgain) {
  Start(1 << 16, 256);
  OnThread([&] {
    for (uint32_t i = 1; i <= 10; ++i) {
      recorder_->SetGeneration(3, i / 6);
      recorder_->Enter(kLaunch, i, kContext);
      recorder_->Exit(i, 0);
    }
  });
  EXPECT_EQ(Drain().stacks.size(), 2u);
}

TEST_F(CallRecorderTest, NestedCallOfTheSameId_IsPartOfTheOuter) {
  Start(1 << 16, 256);
  OnThread([&] {
    recorder_->Enter(276, 7, kContext);
    recorder_->Enter(277, 7, kContext);
    recorder_->Exit(7, 0);
    recorder_->Exit(7, 0);
  });
  const Recorded recorded = Drain();
  ASSERT_EQ(recorded.calls.size(), 1u);
  EXPECT_EQ(recorded.calls[0].callback_id, 276u);
}

TEST_F(CallRecorderTest, FailedCall_SaysSo) {
  Start(1 << 16, 256);
  OnThread([&] {
    recorder_->Enter(kLaunch, 9, kContext);
    recorder_->Exit(9, 700);
  });
  const Recorded recorded = Drain();
  ASSERT_EQ(recorded.outcomes.size(), 1u);
  EXPECT_EQ(recorded.outcomes[0].header.correlation, 9u);
  EXPECT_EQ(recorded.outcomes[0].header.flags, static_cast<uint8_t>(format::CallOutcome::kFailed));
  EXPECT_EQ(recorded.outcomes[0].detail, 700u);
}

TEST_F(CallRecorderTest, FullRing_CountsEveryCallItDrops) {
  Start(1 << 12, 256);
  constexpr uint32_t kCalls = 1000;
  OnThread([&] {
    for (uint32_t i = 1; i <= kCalls; ++i) {
      recorder_->Enter(kLaunch, i, kContext);
      recorder_->Exit(i, 1);
    }
  });
  const Recorded recorded = Drain();
  EXPECT_GT(Dropped(), 0u);
  EXPECT_EQ(recorded.calls.size() + Dropped(), kCalls);
  EXPECT_LE(recorded.outcomes.size(), recorded.calls.size()) << "no outcome without its call";
}

TEST_F(CallRecorderTest, OwnTimeOfTheFirstCalls_IsTheirOwnOnly) {
  Start(1 << 16, 0);
  static int slow_calls = 0;
  recorder_ = std::make_unique<CallRecorder>(
      slots_, contexts_.get(),
      [] {
        if (slow_calls > 0) {
          --slow_calls;
          std::this_thread::sleep_for(std::chrono::microseconds(90));
        }
        return g_now;
      },
      0);
  uint64_t own = 0;
  const auto run = [&](int calls) {
    OnThread([&] {
      ThreadSlot* const slot = slots_->Mine();
      const uint64_t before = slot->own_ns.load();
      for (int i = 1; i <= calls; ++i) recorder_->Enter(kLaunch, static_cast<uint32_t>(i), kContext);
      own = slot->own_ns.load() - before;
    });
    Drain();
    slots_->ForEach([](ThreadSlot* slot) { slot->state.store(ThreadSlot::State::kFree); });
  };
  slow_calls = 1;
  run(1);
  EXPECT_GE(own, 90'000u);
  EXPECT_LE(own, 100'000u) << "it stands for itself only";
  // The next owner of the slot begins anew, and every one of a few calls counts.
  slow_calls = 10;
  run(10);
  EXPECT_GE(own, 900'000u);
  EXPECT_LE(own, 1'000'000u);
}

TEST_F(CallRecorderTest, OwnTimeOfALoop_IsThatOfAllItsCalls) {
  Start(1 << 20, 0);
  // One call in 16 takes longer: a fixed stride of 16 would see all of them or none.
  static uint32_t calls = 0;
  recorder_ = std::make_unique<CallRecorder>(
      slots_, contexts_.get(),
      [] {
        if (calls++ % 16 == 0) {
          for (const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
               std::chrono::steady_clock::now() < end;) {
          }
        }
        return g_now;
      },
      0);
  constexpr uint32_t kCalls = 32'000;
  for (uint32_t phase = 0; phase < 16; phase += 5) {
    calls = phase;
    uint64_t own = 0;
    OnThread([&] {
      for (uint32_t i = 1; i <= kCalls; ++i) {
        recorder_->Enter(kLaunch, i, kContext);
        if (i % 1000 == 0) slots_->Mine()->ring.Drain([](const RingRecordHeader*) {});
      }
      own = slots_->Mine()->own_ns.load();
    });
    slots_->ForEach([&](ThreadSlot* slot) {
      slot->own_ns.store(0);
      slot->state.store(ThreadSlot::State::kFree);
    });
    EXPECT_GT(own, kCalls / 16 * 20'000u / 10 * 7) << phase;
    EXPECT_LT(own, kCalls / 16 * 20'000u * 2) << phase;
  }
}

TEST_F(CallRecorderTest, WithoutStacks_CallsSayTheyHaveNone) {
  Start(1 << 16, 0);
  OnThread([&] { recorder_->Enter(kLaunch, 5, kContext); });
  const Recorded recorded = Drain();
  ASSERT_EQ(recorded.calls.size(), 1u);
  EXPECT_TRUE(recorded.stacks.empty());
  EXPECT_EQ(recorded.calls[0].header.flags, format::kCallStackMissing);
}

TEST_F(CallRecorderTest, DepthLimit_MarksTheStackTruncated) {
  Start(1 << 16, 2);
  OnThread([&] { recorder_->Enter(kLaunch, 5, kContext); });
  const Recorded recorded = Drain();
  ASSERT_EQ(recorded.stacks.size(), 1u);
  EXPECT_EQ(recorded.stacks[0].size(), 2u);
  EXPECT_EQ(recorded.calls[0].header.flags, format::kCallStackTruncated);
}

TEST_F(CallRecorderTest, EndedThread_GivesItsSlotBackOnceDrained) {
  Start(1 << 16, 0);
  size_t slots = 0;
  for (int thread = 0; thread < 20; ++thread) {
    OnThread([&] { recorder_->Enter(kLaunch, 5, kContext); });
    slots = 0;
    slots_->ForEach([&](ThreadSlot* slot) {
      ++slots;
      const bool retired = slot->state.load() == ThreadSlot::State::kRetired;
      slot->ring.Drain([](const RingRecordHeader*) {});
      if (retired) slot->state.store(ThreadSlot::State::kFree);
    });
  }
  EXPECT_EQ(slots, 1u);
}

TEST_F(CallRecorderTest, MoreThreadsThanSlots_AreCountedNotLost) {
  constexpr size_t kSlots = 100;
  constexpr size_t kThreads = kSlots + 5;
  Start(1 << 12, 0, kSlots);
  std::latch all(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      recorder_->Enter(kLaunch, 5, kContext);
      recorder_->Exit(5, 0);
      recorder_->Enter(kLaunch, 6, kContext);
      recorder_->Exit(6, 0);
      recorder_->Enter(kSynchronize, 7, kContext);
      all.arrive_and_wait();  // slots of threads that ended are taken over
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(recorder_->untracked().of_device[kDevice].load(), 2u * 5u);
  EXPECT_EQ(recorder_->untracked().others_of_device[kDevice].load(), 5u);
  EXPECT_EQ(Drain().calls.size(), 3 * kSlots);
}

}  // namespace
}  // namespace migprof::record
