// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/debug_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace migprof::analyze {
namespace {

TEST(DebugFiles, GivenFolders_ComeBeforeTheModuleAndTheSystem) {
  EXPECT_THAT(DebugFiles({"/nonexistent/a", "/nonexistent/b"}).Candidates("0123abcd", "/usr/lib/libx.so"),
              testing::ElementsAre("/nonexistent/a/.build-id/01/23abcd.debug",
                                   "/nonexistent/b/.build-id/01/23abcd.debug", "/usr/lib/libx.so",
                                   "/usr/lib/debug/.build-id/01/23abcd.debug", "/usr/lib/debug/usr/lib/libx.so.debug"));
}

// The text is from a trace, and would choose the file.
TEST(DebugFiles, WhatIsNoBuildId_HasNoFiles) {
  for (const char* text : {"", "abc", "../../../../home/somebody/file", "0123abcd/../x", "0123ABCD", "0123abcg"}) {
    EXPECT_THAT(DebugFiles({"/nonexistent"}).Candidates(text, "/usr/lib/libx.so"), testing::IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace migprof::analyze
