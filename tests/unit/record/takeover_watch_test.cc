// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/takeover_watch.h"

#include <gtest/gtest.h>

namespace migprof::record {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint32_t kContext = 1;

// One application, its time, and a flush every 50 ms.
class Program {
 public:
  void Launch(uint32_t thread, int count, uint32_t context = kContext) {
    for (int i = 0; i < count; ++i) watch.NoteWork(thread, context, ++correlation, /*is_kernel=*/true, now_ns += 1000);
  }
  void Synchronize(uint32_t thread) {
    watch.NoteSynchronizing(thread, ++correlation, now_ns += 1000);
    watch.NoteReturned(thread, correlation);
  }
  // Whether any of the flushes of so long a time proved it.
  bool Wait(uint64_t ms) {
    bool proven = false;
    for (uint64_t at = 0; at < ms; at += 50) proven |= watch.JudgeFlush(watch.is_idle(), now_ns += 50 * kMs);
    return proven;
  }

  TakeoverWatch watch;
  uint32_t correlation = 0;
  uint64_t now_ns = 1'000'000 * kMs;
};

TEST(TakeoverWatch, KernelsThatAreMissingOnAnIdleGpu_AreProof) {
  Program program;
  program.Launch(1, 20);
  const uint64_t first_ns = program.now_ns - 19 * 1000;
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(1900)) << "CUPTI may deliver late";
  EXPECT_TRUE(program.Wait(500));
  EXPECT_EQ(program.watch.missing_since_ns(), first_ns);
}

TEST(TakeoverWatch, AsLongAsAnythingMayRun_NothingIsProven) {
  Program program;
  program.Launch(1, 20);
  EXPECT_FALSE(program.Wait(600'000)) << "ten minutes without a synchronization";
  program.Synchronize(1);
  program.Launch(1, 1);
  EXPECT_FALSE(program.Wait(600'000)) << "a kernel in the same buffer as those that are done";
  program.Synchronize(1);
  program.watch.NoteWork(2, kContext, 999, /*is_kernel=*/false, program.now_ns);
  EXPECT_FALSE(program.Wait(600'000)) << "a graph or copy of another thread";
}

TEST(TakeoverWatch, ThreadsThatEnded_LeaveNothingButTheTimeOfTheirLastWork) {
  Program program;
  for (uint32_t thread = 2; thread < 1000; ++thread) {
    program.Launch(thread, 1);
    program.watch.NoteEnd(thread);
  }
  EXPECT_EQ(program.watch.threads(), 0U);
  EXPECT_FALSE(program.Wait(5000)) << "nobody waited for their work";
  program.now_ns += 20 * kMs;
  program.Synchronize(1);
  EXPECT_TRUE(program.Wait(5000));

  Program careful;
  careful.Launch(2, 20);
  careful.Synchronize(2);
  careful.watch.NoteEnd(2);
  EXPECT_TRUE(careful.Wait(5000)) << "it waited itself";
}

TEST(TakeoverWatch, WorkOfOtherThreads_IsDoneIfItWasCalledForBefore) {
  Program program;
  program.Launch(2, 20);
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(5000)) << "the call may not have returned before";
  program.Synchronize(1);
  EXPECT_TRUE(program.Wait(5000));
}

TEST(TakeoverWatch, AKernelThatArrives_IsALifeSign) {
  Program program;
  program.Launch(1, 20);
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(1500));
  program.watch.NoteKernel();
  EXPECT_FALSE(program.Wait(60'000));
  program.Launch(1, 20);
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(1500)) << "begins anew";
}

TEST(TakeoverWatch, FewKernels_ProveNothing) {
  Program program;
  program.Launch(1, 15);
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(60'000));
}

TEST(TakeoverWatch, FailedAndCapturedLaunches_AreNotMissing) {
  Program program;
  for (int i = 0; i < 100; ++i) {
    program.Launch(1, 1);
    program.watch.NoteNoWork(1, program.correlation);
    program.watch.NoteNoWork(1, program.correlation);  // only once
  }
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(60'000));
}

TEST(TakeoverWatch, ASynchronizationThatFailed_IsNone) {
  Program program;
  program.Launch(1, 20);
  program.watch.NoteSynchronizing(1, ++program.correlation, program.now_ns += 1000);
  EXPECT_FALSE(program.Wait(60'000));
}

TEST(TakeoverWatch, SeveralContexts_AreNotKnownToBeIdle) {
  Program program;
  program.Launch(1, 20, 1);
  program.Launch(1, 20, 2);
  program.Synchronize(1);
  EXPECT_FALSE(program.Wait(60'000));
}

TEST(TakeoverWatch, MoreThanCanBeQueued_IsProofWithoutAnIdleGpu) {
  Program program;
  program.watch.NoteBuffers(8192);
  program.Launch(1, 32 * 1024 + 8192 / 200);
  EXPECT_FALSE(program.Wait(1000));
  program.Launch(1, 1);
  EXPECT_TRUE(program.Wait(50));
}

TEST(TakeoverWatch, BuffersThatAreAskedFor_AreALifeSign) {
  Program program;
  for (int i = 0; i < 100; ++i) {
    program.Launch(1, 10'000);
    program.watch.NoteBuffers(1 << 20);
    EXPECT_FALSE(program.Wait(50));
  }
}

TEST(TakeoverWatch, Forget_BeginsAnew) {
  Program program;
  program.Launch(1, 40'000);
  program.Synchronize(1);
  program.watch.Forget();
  EXPECT_FALSE(program.Wait(60'000));
}

}  // namespace
}  // namespace migprof::record
