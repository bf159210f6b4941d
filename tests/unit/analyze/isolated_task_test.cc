// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/isolated_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace migprof::analyze {
namespace {

using testing::HasSubstr;

void Say(int descriptor, const char* text) {
  if (write(descriptor, text, std::strlen(text)) < 0) _exit(9);
}

TEST(IsolatedTask, Output_ComesWhole) {
  const TaskResult result = RunIsolated([](int out) {
    for (int i = 0; i < 100'000; ++i) Say(out, "0123456789");
  });
  EXPECT_EQ(result.output.size(), 1'000'000u);
  EXPECT_EQ(result.failure, "");
}

TEST(IsolatedTask, Crash_CostsOnlyWhatCameAfter) {
  const TaskResult result = RunIsolated([](int out) {
    Say(out, "before");
    raise(SIGSEGV);
    Say(out, "after");
  });
  EXPECT_EQ(result.output, "before");
  EXPECT_THAT(result.failure, HasSubstr("signal 11"));
}

TEST(IsolatedTask, Abort_StaysOutside) {
  EXPECT_THAT(RunIsolated([](int) { std::abort(); }).failure, HasSubstr("signal 6"));
  EXPECT_THAT(RunIsolated([](int) { throw 1; }).failure, HasSubstr("status 1"));
}

TEST(IsolatedTask, EndlessTask_IsEnded) {
  const auto start = std::chrono::steady_clock::now();
  const TaskResult result = RunIsolated(
      [](int out) {
        Say(out, "before");
        while (true) pause();
      },
      {.time = std::chrono::milliseconds(200)});
  EXPECT_EQ(result.output, "before");
  EXPECT_THAT(result.failure, HasSubstr("longer"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(IsolatedTask, EndlessOutput_IsEnded) {
  const TaskResult result = RunIsolated(
      [](int out) {
        while (true) Say(out, "more and more");
      },
      {.output_bytes = 100'000});
  EXPECT_THAT(result.failure, HasSubstr("more than"));
  EXPECT_LT(result.output.size(), 1'000'000u);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(IsolatedTask, EndlessMemory_IsEnded) {
  const TaskResult result = RunIsolated(
      [](int) {
        std::vector<std::vector<char>> kept;
        while (true) kept.emplace_back(1 << 20, 'x');
      },
      {.memory_bytes = 256 << 20});
  EXPECT_NE(result.failure, "");
}
#endif

TEST(IsolatedTask, TasksSideBySide_DoNotHoldEachOtherUp) {
  std::thread slow([] { RunIsolated([](int) { pause(); }, {.time = std::chrono::seconds(4)}); });
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(RunIsolated([](int out) { Say(out, "x"); }).output, "x");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(3500));
  slow.join();
}

}  // namespace
}  // namespace migprof::analyze
