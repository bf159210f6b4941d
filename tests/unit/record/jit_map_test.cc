// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/jit_map.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <vector>

#include "libmigprof/record/definitions.h"

namespace migprof::record {
namespace {

class JitMapTest : public testing::Test {
 protected:
  void TearDown() override { std::remove(path_.c_str()); }

  void Write(const std::string& content) { std::ofstream(path_, std::ios::binary) << content; }
  // The names of `addresses` in a map that says `content`.
  std::vector<std::string> Names(const std::vector<uint64_t>& addresses) {
    std::vector<SymbolQuery> queries(addresses.size());
    for (size_t i = 0; i < addresses.size(); ++i) queries[i].address = addresses[i];
    JitMap map(path_);
    map.Resolve(queries, /*is_new=*/true, /*forced=*/true);
    std::vector<std::string> names;
    for (const SymbolQuery& query : queries) names.push_back(query.name);
    return names;
  }

  const std::string path_ = testing::TempDir() + "/jit_map_test_" + std::to_string(getpid());
};

using Texts = std::vector<std::string>;

TEST_F(JitMapTest, Lines_NameTheirRange) {
  Write("1000 10 first\n0x2000 0x20 the second, with blanks\nffffffffffff0000 ABCD high\n");
  EXPECT_EQ(Names({0xfff, 0x1000, 0x100f, 0x1010, 0x201f, 0x2020, 0xffffffffffff0001}),
            (Texts{"", "first", "first", "", "the second, with blanks", "", "high"}));
}

TEST_F(JitMapTest, LaterLine_Wins) {
  Write("1000 100 old\n1040 10 new\n");
  EXPECT_EQ(Names({0x1000, 0x1045, 0x1060}), (Texts{"old", "new", "old"}));
}

TEST_F(JitMapTest, LinesThatAreNone_AreSkipped) {
  Write(
      std::string("rubbish\n\n1000\n1000 \n1000 10\n1000 10 \n1000 zz name\n11111111111111111 1 long\n-1 10 minus\n") +
      std::string(100'000, 'x') + "\n" + std::string("\0\0 1\n", 5) + "2000 10 good\n3000 10 unfinished");
  EXPECT_EQ(Names({0x1000, 0x2000, 0x3000}), (Texts{"", "good", ""}));
}

TEST_F(JitMapTest, LongFiles_AreReadAcrossBlocks) {
  std::string content;
  for (int i = 0; i < 50'000; ++i) {
    char line[64];
    std::snprintf(line, sizeof(line), "%x 10 function_%d\n", 0x100000 + i * 0x10, i);
    content += line;
  }
  Write(content);
  EXPECT_EQ(Names({0x100000, 0x100000 + 49'999 * 0x10, 0x100000 + 12'345 * 0x10 + 5}),
            (Texts{"function_0", "function_49999", "function_12345"}));
}

TEST_F(JitMapTest, WhatOthersCouldHavePutThere_IsNotRead) {
  const std::string target = path_ + ".target";
  std::ofstream(target) << "1000 10 trap\n";
  ASSERT_EQ(symlink(target.c_str(), path_.c_str()), 0);
  EXPECT_EQ(Names({0x1000}), Texts{""}) << "a link";
  std::remove(path_.c_str());
  std::remove(target.c_str());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Names({0x1000}), Texts{""}) << "a pipe";
  std::remove(path_.c_str());
  if (geteuid() != 0) return;
  Write("1000 10 trap\n");
  ASSERT_EQ(chown(path_.c_str(), 12345, 12345), 0);
  EXPECT_EQ(Names({0x1000}), Texts{""}) << "a file of somebody else";
}

TEST_F(JitMapTest, UnchangedFile_IsReadAgainForNewAddressesOnly) {
  Write("1000 10 first\n");
  JitMap map(path_);
  SymbolQuery query;
  query.address = 0x5000;
  EXPECT_TRUE(map.Resolve({&query, 1}, true, true));
  EXPECT_FALSE(map.Resolve({&query, 1}, false, true));
  EXPECT_TRUE(map.Resolve({&query, 1}, true, true));
  Write("1000 10 first\n5000 10 second\n");
  EXPECT_TRUE(map.Resolve({&query, 1}, false, true));
  EXPECT_EQ(query.name, "second");
  EXPECT_FALSE(map.Resolve({}, true, true)) << "nothing to look for";
}

TEST_F(JitMapTest, Reading_TakesASmallShareOfTheTime) {
  Write(std::string(8 << 20, '\n'));
  JitMap map(path_);
  SymbolQuery query;
  query.address = 0x5000;
  EXPECT_TRUE(map.Resolve({&query, 1}, true, false));
  EXPECT_FALSE(map.Resolve({&query, 1}, true, false));
  EXPECT_TRUE(map.Resolve({&query, 1}, true, true)) << "at the end of the process";
}

TEST_F(JitMapTest, FramesInNoModule_GetTheirNames) {
  StringIndex strings;
  FrameIndex frames(&strings, path_);
  const uint32_t known = frames.Intern(0x1005);
  const uint32_t other = frames.Intern(0x2005);
  frames.ResolveNames();
  EXPECT_EQ(frames[known].name, 0u) << "no map yet";
  Write("1000 10 first\n");
  frames.ResolveNames();
  ASSERT_NE(frames[known].name, 0u);
  EXPECT_EQ(strings[frames[known].name], "first");
  EXPECT_EQ(frames[known].name_offset, 4u) << "of the call, not of where it returns to";
  EXPECT_EQ(frames[other].name, 0u);
  Write("1000 10 first\n2000 10 second\n");
  frames.ResolveNames(/*at_end=*/true);
  ASSERT_NE(frames[other].name, 0u);
  EXPECT_EQ(strings[frames[other].name], "second");
}

}  // namespace
}  // namespace migprof::record
