// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_dump.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using testing_support::TraceBuilder;

class TraceDumpTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / ("trace_dump_test_" + std::to_string(getpid()) + ".migtrace");
    TraceBuilder trace(path_.string());
    trace.Process({{"process_name", "quotes \" and\nlines"}});
    trace.Slice();
    const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
    const uint64_t stack = trace.Stack({trace.Frame("main", app, 0x2000), trace.Frame("", app, 0x3000)});
    const uint64_t api = trace.String("cuLaunchKernel");
    const uint64_t python = trace.PythonStack({trace.PythonFrame("<module>", "/home/me/train.py", 12, true),
                                               trace.PythonFrame("größe", "/home/me/train.py", 7, false)});
    trace.Call({.correlation = 1,
                .time_ns = 1000,
                .stack_node = stack,
                .api = api,
                .python_node = python,
                .range_node = trace.Range("step", trace.Range("epoch"), "lib")});
    trace.Call({.correlation = 2, .time_ns = 2000, .api = api, .flags = format::kCallStackMissing});
    trace.Outcome(2, format::CallOutcome::kFailed);
    trace.Kernel({.correlation = 1, .start_ns = 1500, .duration_ns = 70, .shape = trace.Shape("_Z4axpyPf")});
    trace.Transfer({.correlation = 3, .start_ns = 1700, .duration_ns = 20, .bytes = 4096, .what = 1});
    trace.GraphNodes({.node = 7, .time_ns = 1100, .event = format::GraphNodeEvent::kCloned, .origin = 3, .count = 2});
    trace.GraphRun({.correlation = 4, .start_ns = 1800, .duration_ns = 50});
    trace.Counter({.time_ns = 1900, .counter = 17, .value = 502'500, .span_ns = 900});
    trace.Pause({.stopped_ns = 1200, .started_ns = 1300, .last_before = 1, .first_after = 2});
    trace.Lost(3);
    trace.Close();
  }
  void TearDown() override { fs::remove(path_); }

  std::string Dump(const DumpOptions& options = {}) const {
    std::ostringstream out;
    EXPECT_TRUE(DumpTrace(path_.string(), options, out).ok());
    return out.str();
  }

  // Compares with tests/golden/analyze/NAME; with UPDATE_GOLDEN=1 writes it instead.
  static void ExpectGolden(const std::string& name, const std::string& actual) {
    const fs::path golden = fs::path(MIGPROF_GOLDEN_DIR) / name;
    if (std::getenv("UPDATE_GOLDEN") != nullptr) {
      std::ofstream(golden, std::ios::binary) << actual;
      return;
    }
    std::ifstream in(golden, std::ios::binary);
    const std::string expected((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (actual != expected) std::ofstream(golden.string() + ".actual", std::ios::binary) << actual;
    EXPECT_EQ(actual, expected) << "the actual text is in " << golden << ".actual";
  }

  fs::path path_;
};

TEST_F(TraceDumpTest, EveryRecord_IsALine) { ExpectGolden("trace.dump", Dump()); }

TEST_F(TraceDumpTest, ChunksOnly_IsALinePerChunk) {
  const std::string text = Dump({.chunks_only = true});
  EXPECT_EQ(text.find("chunk offset=0 kind=process sequence=0 "), 0u) << text;
  EXPECT_NE(text.find(" kind=call "), std::string::npos);
  EXPECT_NE(text.find(" lost=3"), std::string::npos);
  EXPECT_NE(text.find(" kind=trailer "), std::string::npos);
}

TEST_F(TraceDumpTest, Damage_IsALineOfItsOwn) {
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(400);
  file.put('\x7f');
  file.close();
  EXPECT_NE(Dump().find("\ndamage offset="), std::string::npos);
}

TEST_F(TraceDumpTest, SmallFileOfVeryMuchText_IsCutOffAndSaysSo) {
  constexpr size_t kMostText = size_t{16} << 20;
  constexpr int kRuns = 300'000;
  TraceBuilder trace(path_.string());
  trace.Process();
  trace.Slice();
  for (int i = 0; i < kRuns; ++i) trace.GraphRun({.correlation = 1, .start_ns = 1800, .duration_ns = 50});
  trace.Flush();
  trace.Counter({.time_ns = 1900, .counter = 17, .value = 1});
  trace.Close();
  ASSERT_LT(fs::file_size(path_), 4096u);
  const std::string text = Dump();
  EXPECT_LT(text.size(), kMostText + 1000);
  EXPECT_GT(text.size(), kMostText - 1000);
  const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
  EXPECT_EQ(last.find("stopped offset="), 0u) << last;
  EXPECT_NE(last.find("--all"), std::string::npos);
  const auto number = [&last](const std::string& name) {
    return std::stoull(last.substr(last.find(" " + name + "=") + name.size() + 2));
  };
  const std::string all = Dump({.all = true});
  EXPECT_EQ(all.find("stopped "), std::string::npos);
  EXPECT_NE(all.find("\ncounter_sample "), std::string::npos);
  const auto runs = [](const std::string& dump) {
    size_t count = 0;
    for (size_t at = dump.find("graph_run "); at != std::string::npos; at = dump.find("graph_run ", at + 1)) ++count;
    return count;
  };
  EXPECT_EQ(runs(all), static_cast<size_t>(kRuns));
  EXPECT_EQ(runs(text) + number("rows_left"), static_cast<size_t>(kRuns));
  EXPECT_GT(number("bytes_behind"), 0u);
  EXPECT_LT(number("bytes_behind"), fs::file_size(path_) - number("offset"));
}

TEST_F(TraceDumpTest, UnreadableFiles_AreErrors) {
  std::ostringstream out;
  EXPECT_FALSE(DumpTrace("/nonexistent", {}, out).ok());
  EXPECT_FALSE(DumpTrace("/", {}, out).ok());
  std::ofstream(path_, std::ios::binary | std::ios::trunc).flush();
  EXPECT_EQ(DumpTrace(path_.string(), {}, out).message(), "the file is empty");
  std::ofstream(path_, std::ios::binary) << std::string(1000, 'x');
  EXPECT_EQ(DumpTrace(path_.string(), {}, out).message(), "not a migprof trace");
}

}  // namespace
}  // namespace migprof::analyze
