// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace migprof {
namespace {

std::vector<std::string> g_complaints;

Options Read(std::vector<const char*> environment) {
  g_complaints.clear();
  environment.push_back(nullptr);
  return ReadOptions(environment.data(), [](const char* sentence) { g_complaints.push_back(sentence); });
}

TEST(Options, EmptyEnvironment_GivesDefaults) {
  const Options options = Read({});
  EXPECT_STREQ(options.output.data(), "migprof-traces");
  EXPECT_STREQ(options.cupti.data(), "");
  EXPECT_FALSE(options.disabled);
  EXPECT_TRUE(options.stacks);
  EXPECT_EQ(options.log, LogLevel::kNormal);
  EXPECT_EQ(options.max_depth, 256u);
  EXPECT_EQ(options.flush_ms, 2000u);
  EXPECT_EQ(options.exit_timeout_ms, 2000u);
  EXPECT_TRUE(g_complaints.empty());
}

TEST(Options, OtherUsersOfCupti) {
  EXPECT_FALSE(Read({}).yield);
  EXPECT_STREQ(Read({}).chain.data(), "");
  EXPECT_TRUE(Read({"MIGPROF_YIELD=1"}).yield);
  EXPECT_STREQ(Read({"MIGPROF_CHAIN=tool.so"}).chain.data(), "tool.so");
  EXPECT_FALSE(Read({"MIGPROF_YIELD=maybe"}).yield);
  EXPECT_EQ(g_complaints.size(), 1u);
}

TEST(Options, EverySpec_HasADefaultItAccepts) {
  for (const OptionSpec& spec : kOptionSpecs) {
    Options options;
    EXPECT_TRUE(spec.parse(spec.default_text, &options)) << spec.name;
  }
}

TEST(Options, RefusedFolder_DoesNotSwitchControlOnAgain) {
  const Options options = Read({"MIGPROF_CONTROL=off", "MIGPROF_CONTROL=not/absolute"});
  EXPECT_FALSE(options.controlled);
  EXPECT_EQ(g_complaints.size(), 1u);
}

TEST(Options, ValuesInRange_AreTaken) {
  const Options options = Read({"HOME=/root", "MIGPROF_OUTPUT=/tmp/x", "MIGPROF_STACKS=off", "MIGPROF_MAX_DEPTH=512",
                                "MIGPROF_FLUSH_MS=50", "MIGPROF_DISABLE=1", "MIGPROF_LOG=debug"});
  EXPECT_STREQ(options.output.data(), "/tmp/x");
  EXPECT_FALSE(options.stacks);
  EXPECT_EQ(options.max_depth, 512u);
  EXPECT_EQ(options.flush_ms, 50u);
  EXPECT_TRUE(options.disabled);
  EXPECT_EQ(options.log, LogLevel::kDebug);
  EXPECT_TRUE(g_complaints.empty());
}

TEST(Options, ValuesOutOfRange_KeepTheDefaultAndAreNamed) {
  for (const char* entry : {"MIGPROF_MAX_DEPTH=513", "MIGPROF_MAX_DEPTH=0", "MIGPROF_MAX_DEPTH=-1",
                            "MIGPROF_MAX_DEPTH=", "MIGPROF_MAX_DEPTH=12x", "MIGPROF_MAX_DEPTH=99999999999999999999"}) {
    const Options options = Read({entry});
    EXPECT_EQ(options.max_depth, 256u) << entry;
    ASSERT_EQ(g_complaints.size(), 1u) << entry;
    EXPECT_NE(g_complaints[0].find(entry), std::string::npos);
    EXPECT_NE(g_complaints[0].find("32 to 512"), std::string::npos);
  }
}

TEST(Options, WhatIsUsedInstead_IsSaid) {
  Read({"MIGPROF_MAX_MEMORY=1M", "MIGPROF_CONTROL=here", "MIGPROF_STACKS=maybe"});
  EXPECT_EQ(g_complaints, (std::vector<std::string>{
                              "MIGPROF_MAX_MEMORY=1M is ignored: expected 16M to 64G; 64M is used",
                              "MIGPROF_CONTROL=here is ignored: expected a folder, off; it counts as unset",
                              "MIGPROF_STACKS=maybe is ignored: expected on, off; on is used",
                          }));
  Read({"MIGPROF_STACKS=off", "MIGPROF_STACKS=maybe"});
  EXPECT_EQ(g_complaints, std::vector<std::string>{"MIGPROF_STACKS=maybe is ignored: expected on, off; off is used"});
}

TEST(Options, Memory_IsInBytesOrPowersOf1024) {
  constexpr uint64_t kMiB = 1 << 20;
  EXPECT_EQ(Read({}).max_memory_bytes, 64 * kMiB);
  EXPECT_EQ(Read({"MIGPROF_MAX_MEMORY=16M"}).max_memory_bytes, 16 * kMiB);
  EXPECT_EQ(Read({"MIGPROF_MAX_MEMORY=1G"}).max_memory_bytes, 1024 * kMiB);
  EXPECT_EQ(Read({"MIGPROF_MAX_MEMORY=20480K"}).max_memory_bytes, 20 * kMiB);
  EXPECT_EQ(Read({"MIGPROF_MAX_MEMORY=33554432"}).max_memory_bytes, 32 * kMiB);
  EXPECT_TRUE(g_complaints.empty());
  for (const char* entry : {"15M", "65G", "64MB", "64 M", "M", "", "-64M", " 64M", "0", "18446744073709551615G"}) {
    EXPECT_EQ(Read({("MIGPROF_MAX_MEMORY=" + std::string(entry)).c_str()}).max_memory_bytes, 64 * kMiB) << entry;
    EXPECT_EQ(g_complaints.size(), 1u) << entry;
  }
}

TEST(Options, PathTooLong_KeepsTheDefault) {
  const std::string entry = "MIGPROF_OUTPUT=/" + std::string(5000, 'x');
  EXPECT_STREQ(Read({entry.c_str()}).output.data(), "migprof-traces");
  EXPECT_EQ(g_complaints.size(), 1u);
}

TEST(Options, UnknownName_IsReported) {
  Read({"MIGPROF_OUTPUTS=/tmp/x"});
  ASSERT_EQ(g_complaints.size(), 1u);
  EXPECT_NE(g_complaints[0].find("MIGPROF_OUTPUTS"), std::string::npos);
}

TEST(Options, MarkdownTable_NamesEveryOption) {
  const std::string table = OptionTableMarkdown();
  for (const OptionSpec& spec : kOptionSpecs) EXPECT_NE(table.find(spec.name), std::string::npos);
}

}  // namespace
}  // namespace migprof
