// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/line_protocol.h"

#include <gtest/gtest.h>

#include <map>

#include "libmigprof/analyze/isolated_task.h"

namespace migprof::analyze {
namespace {

std::map<uint64_t, SourceChain> Read(const std::string& text, std::string* file = nullptr) {
  std::map<uint64_t, SourceChain> chains;
  const std::string used = ReadLines(text, [&](uint64_t address, SourceChain chain) { chains[address] = chain; });
  if (file != nullptr) *file = used;
  return chains;
}

TEST(LineProtocol, WhatIsWritten_IsRead) {
  const TaskResult result = RunIsolated([](int output) {
    LineWriter writer(output);
    writer.File("/path/with blanks");
    writer.Chain(0xabc, {{"outer", "a.cc", 12, "b.cc", 3}, {"", "", 0, "", 0}});
    writer.Chain(UINT64_MAX, {{"tab\tand\nline", "x", 1, "", 0}});
  });
  std::string file;
  const auto chains = Read(result.output, &file);
  EXPECT_EQ(file, "/path/with blanks");
  ASSERT_EQ(chains.size(), 2u);
  ASSERT_EQ(chains.at(0xabc).size(), 2u);
  EXPECT_EQ(chains.at(0xabc)[0].function, "outer");
  EXPECT_EQ(chains.at(0xabc)[0].line, 12u);
  EXPECT_EQ(chains.at(0xabc)[0].file, "a.cc");
  EXPECT_EQ(chains.at(0xabc)[0].definition_line, 3u);
  EXPECT_EQ(chains.at(0xabc)[0].definition_file, "b.cc");
  EXPECT_EQ(chains.at(UINT64_MAX)[0].function, "tab and line");
}

TEST(LineProtocol, WhatWasCutOff_IsLeftOut) {
  const std::string text = "u file\nf 1\t2\tone\ta\tb\na 10\nf 3\t4\ttwo\tc\td\na 20\n";
  const size_t first_end = text.find("a 10\n") + 5;
  for (size_t size = 0; size <= text.size(); ++size) {
    const auto chains = Read(text.substr(0, size));
    EXPECT_EQ(chains.size(), size == text.size() ? 2u : size >= first_end ? 1u : 0u) << size;
  }
}

TEST(LineProtocol, Nonsense_IsSkipped) {
  EXPECT_TRUE(Read("a 10\nf\nf \nf x\ty\tz\t\t\na\n\n\nf 1\t2\n a 7\nq 1\nf 99999999999\t1\ta\tb\tc\na 11\n").empty());
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "f 1\t2\tn\ta\tb\n";
  EXPECT_LE(Read(deep + "a 1\n").at(1).size(), 512u);
}

}  // namespace
}  // namespace migprof::analyze
