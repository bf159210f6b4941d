// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/raw_log.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace migprof {
namespace {

TEST(RawLog, SameCause_IsReportedOnce) {
  LogOnce log;
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) log.Print("cause %d", i);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "migprof: cause 0\n");
}

TEST(RawLog, LongMessage_IsCutToOneLine) {
  LogOnce log;
  testing::internal::CaptureStderr();
  log.Print("%s", std::string(2000, 'x').c_str());
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_LE(line.size(), 512u);
  EXPECT_EQ(line.back(), '\n');
}

TEST(RawLog, Print_KeepsErrno) {
  LogOnce log;
  testing::internal::CaptureStderr();
  errno = 42;
  log.Print("anything");
  EXPECT_EQ(errno, 42);
  testing::internal::GetCapturedStderr();
}

TEST(RawLog, QuietLevel_SaysNothing) {
  SetLogLevel(LogLevel::kQuiet);
  LogOnce log;
  testing::internal::CaptureStderr();
  log.Print("cause");
  LogDebug("detail");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  SetLogLevel(LogLevel::kNormal);
}

}  // namespace
}  // namespace migprof
