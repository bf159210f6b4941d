// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/line_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <thread>

#include "libmigprof/analyze/demangle.h"
#include "tests/unit/analyze/lines/sample_library.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// "Function file:line (definition file:line)", outermost first.
std::vector<std::string> Described(const std::shared_ptr<const SourceChain>& chain) {
  std::vector<std::string> frames;
  if (chain == nullptr) return frames;
  for (const SourceFrame& frame : *chain) {
    frames.push_back(ShortName(Demangle(frame.function)) + " " + frame.file + ":" + std::to_string(frame.line) + " (" +
                     frame.definition_file + ":" + std::to_string(frame.definition_line) + ")");
  }
  return frames;
}

LineOptions Local() { return {.debug_folders = {}, .debuginfod = false}; }

class LineTableTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!LineTable::IsAvailable()) GTEST_SKIP() << "built without libdw";
    folder_ = fs::path(testing::TempDir()) / ("line_table_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::string> Look(LineTable* table, const std::string& path, const char* point) {
    return Described(table->Find(sample_.build_id(), path, std::vector<uint64_t>{sample_.AddressOf(point)})[0]);
  }
  std::string Copy(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    WriteFile(path, content);
    return path.string();
  }

  SampleLibrary sample_;
  fs::path folder_;
};

TEST_F(LineTableTest, Addresses_GetLinesAndInlinedFunctionsExactly) {
  LineTable table(Local());
  const std::string path = sample_.path();
  EXPECT_THAT(Look(&table, path, "point_outer"),
              ElementsAre("sample::Outer /sources/outer.cc:302 (/sources/outer.cc:300)"));
  EXPECT_THAT(Look(&table, path, "point_innermost"),
              ElementsAre("sample::Outer /sources/outer.cc:303 (/sources/outer.cc:300)",
                          "sample::Engine::Middle /sources/engine.h:107 (/sources/engine.h:105)",
                          "sample::Engine::Innermost /sources/engine.h:102 (/sources/engine.h:101)"));
  EXPECT_THAT(Look(&table, path, "point_hidden"),
              ElementsAre("sample::Outer /sources/outer.cc:304 (/sources/outer.cc:300)",
                          "sample::Hidden /sources/hidden.cc:200 (/sources/hidden.cc:200)"));
  EXPECT_THAT(Look(&table, path, "point_plain"),
              ElementsAre("plain_function /sources/plain.c:400 (/sources/plain.c:400)"));
  EXPECT_THAT(Look(&table, path, "point_lambda"), testing::SizeIs(2));
  EXPECT_THAT(
      Look(&table, path, "point_lambda").back(),
      testing::AllOf(HasSubstr("sample::WithLambda"), HasSubstr("operator()"), HasSubstr("/sources/outer.cc:310")));
  EXPECT_THAT(table.files_used(), ElementsAre(path));
  EXPECT_THAT(table.problems(), IsEmpty());
}

TEST_F(LineTableTest, AddressesOutsideOfCode_AreUnknown) {
  LineTable table(Local());
  const auto chains = table.Find(sample_.build_id(), sample_.path(), std::vector<uint64_t>{0, 1, UINT64_MAX, 1u << 30});
  for (const auto& chain : chains) EXPECT_EQ(chain, nullptr);
}

TEST_F(LineTableTest, WrongBuildId_IsRefused) {
  LineTable table({.debug_folders = {fs::path(sample_.path()).parent_path().string()}, .debuginfod = false});
  const std::vector<uint64_t> address = {sample_.AddressOf("point_outer")};
  EXPECT_EQ(table.Find(std::string(40, '1'), sample_.path(), address)[0], nullptr);
  EXPECT_EQ(table.Find("", sample_.path(), address)[0], nullptr) << "without an id nothing can be told";
  EXPECT_EQ(table.Find("/../", sample_.path(), address)[0], nullptr);
  EXPECT_THAT(table.files_used(), IsEmpty());
}

TEST_F(LineTableTest, PathsThatAreNoFiles_AreNotWaitedFor) {
  LineTable table(Local());
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, folder_.string(), std::string("/dev/zero"), std::string("/nonexistent")}) {
    EXPECT_THAT(Look(&table, path, "point_outer"), IsEmpty()) << path;
  }
}

TEST_F(LineTableTest, SeparateDebugFile_IsFoundByBuildId) {
  const std::string id = sample_.build_id();
  const std::string stripped = Copy("bin/stripped.so", ReadFile(sample_.stripped_path()));
  const auto expect = [&](const std::string& where, const LineOptions& options) {
    LineTable table(options);
    EXPECT_THAT(Look(&table, stripped, "point_innermost"), testing::SizeIs(3)) << where;
  };
  LineTable nowhere(Local());
  EXPECT_THAT(Look(&nowhere, stripped, "point_innermost"), IsEmpty());
  const std::string separate = ReadFile(sample_.separate_path());
  const std::string layout = Copy("a/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug", separate);
  expect("layout", {.debug_folders = {"/nonexistent", (folder_ / "a").string()}, .debuginfod = false});
  Copy("b/deep/below/any-name", separate);
  expect("any file", {.debug_folders = {(folder_ / "b").string()}, .debuginfod = false});
  Copy("bin/.debug/sample.debug", separate);  // what .gnu_debuglink of the stripped library names
  expect("debug link", Local());
}

TEST_F(LineTableTest, EveryAddress_IsReadOnce) {
  LineTable table(Local());
  const std::string path = Copy("sample.so", ReadFile(sample_.path()));
  EXPECT_THAT(Look(&table, path, "point_outer"), testing::SizeIs(1));
  fs::remove(path);
  EXPECT_THAT(Look(&table, path, "point_outer"), testing::SizeIs(1));
  EXPECT_THAT(Look(&table, path, "point_innermost"), IsEmpty()) << "an address that was not asked for before";
}

TEST_F(LineTableTest, ManyThreads_GetTheSameAnswers) {
  LineTable table(Local());
  std::vector<std::thread> threads;
  std::vector<size_t> depth(4);
  for (size_t i = 0; i < depth.size(); ++i) {
    threads.emplace_back([&, i] { depth[i] = Look(&table, sample_.path(), "point_innermost").size(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(depth, testing::Each(3u));
}

TEST_F(LineTableTest, TruncatedFiles_DoNoHarm) {
  const std::string content = ReadFile(sample_.path());
  std::vector<uint64_t> addresses = {sample_.AddressOf("point_outer"), sample_.AddressOf("point_innermost")};
  for (size_t size = 0; size < content.size(); size += content.size() / 60) {
    LineTable table(Local());
    EXPECT_EQ(table.Find(sample_.build_id(), Copy("cut.so", content.substr(0, size)), addresses).size(), 2u);
  }
}

TEST_F(LineTableTest, FilesWithFlippedBits_DoNoHarm) {
  const std::string content = ReadFile(sample_.path());
  std::vector<uint64_t> addresses = {sample_.AddressOf("point_outer"), sample_.AddressOf("point_innermost")};
  std::mt19937 random(7);
  int changed = 0;
  for (int round = 0; round < 300; ++round) {
    std::string broken = content;
    for (int flips = 1 << random() % 8; flips > 0; --flips) broken[random() % broken.size()] ^= 1 << random() % 8;
    LineTable table({.debug_folders = {}, .debuginfod = false, .time = std::chrono::seconds(5)});
    const auto chains = table.Find(sample_.build_id(), Copy("broken.so", broken), addresses);
    changed += chains[1] == nullptr || chains[1]->size() != 3;
  }
  EXPECT_GT(changed, 10) << "the flips must hit something";
}

}  // namespace
}  // namespace migprof::analyze
