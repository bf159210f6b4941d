// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/symbol_scan.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "libmigprof/record/module_map.h"

namespace migprof::record {
namespace {

extern "C" __attribute__((noinline, used)) int migprof_test_function(int value) { return value * 3 + 1; }

class SymbolScanTest : public testing::Test {
 protected:
  void SetUp() override {
    modules_.Refresh();
    module_ = modules_.Find(reinterpret_cast<uint64_t>(&migprof_test_function));
    ASSERT_NE(module_, nullptr);
    address_ = reinterpret_cast<uint64_t>(&migprof_test_function) - module_->bias;
  }
  ModuleMap modules_;
  const Module* module_ = nullptr;
  uint64_t address_ = 0;
};

TEST_F(SymbolScanTest, PipeWhereTheLibraryWas_IsNotWaitedFor) {
  const std::string path = testing::TempDir() + "/pipe." + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  alarm(20);
  SymbolQuery query;
  query.address = address_;
  EXPECT_FALSE(ScanSymbols(path, module_->build_id, {&query, 1}));
  alarm(0);
  unlink(path.c_str());
}

TEST_F(SymbolScanTest, Addresses_GetTheirFunctionAndOffset) {
  SymbolQuery queries[2];
  queries[0].address = address_ + 2;
  queries[1].address = address_;
  ASSERT_TRUE(ScanSymbols(module_->path, module_->build_id, queries));
  EXPECT_EQ(queries[0].name, "migprof_test_function");
  EXPECT_EQ(queries[0].offset, 2u);
  EXPECT_EQ(queries[1].name, "migprof_test_function");
  EXPECT_EQ(queries[1].offset, 0u);
}

TEST_F(SymbolScanTest, AddressOfNoFunction_StaysUnnamed) {
  SymbolQuery query;
  query.address = 1;
  ASSERT_TRUE(ScanSymbols(module_->path, module_->build_id, {&query, 1}));
  EXPECT_EQ(query.name, "");
}

TEST_F(SymbolScanTest, FileWithAnotherBuildId_IsNotUsed) {
  SymbolQuery query;
  query.address = address_;
  EXPECT_FALSE(ScanSymbols(module_->path, "00112233445566778899", {&query, 1}));
  EXPECT_EQ(query.name, "");
}

TEST_F(SymbolScanTest, FilesThatAreNoElf_AreRefused) {
  const std::string path = testing::TempDir() + "/symbol_scan_test";
  SymbolQuery query;
  query.address = address_;
  EXPECT_FALSE(ScanSymbols("/nonexistent", "", {&query, 1}));
  EXPECT_FALSE(ScanSymbols("/proc/self/status", "", {&query, 1}));
  for (const std::string& content :
       {std::string(), std::string("\177ELF"), std::string("\177ELF\2\1\1") + std::string(200, '\xff')}) {
    std::ofstream(path) << content;
    EXPECT_FALSE(ScanSymbols(path, "", {&query, 1}));
  }
  std::remove(path.c_str());
}

TEST_F(SymbolScanTest, PipeInPlaceOfTheBinary_KeepsNobodyWaiting) {
  const std::string path = testing::TempDir() + "/symbol_scan_pipe_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  SymbolQuery query;
  query.address = address_;
  EXPECT_FALSE(ScanSymbols(path, "", {&query, 1}));
  std::remove(path.c_str());
}

TEST_F(SymbolScanTest, TruncatedBinary_DoesNoHarm) {
  std::ifstream in(module_->path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::string path = testing::TempDir() + "/symbol_scan_truncated";
  for (const size_t size : {64u, 1000u, 100'000u}) {
    std::ofstream(path, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(std::min(size, content.size())));
    SymbolQuery query;
    query.address = address_;
    EXPECT_FALSE(ScanSymbols(path, "", {&query, 1}));
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace migprof::record
