// SPDX-License-Identifier: Apache-2.0
// Files that claim more than they can hold, or times that they do not keep.
#include "libmigprof/analyze/file_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/analysis.h"
#include "tests/support/trace_builder.h"

namespace migprof::analyze {
namespace {

namespace fs = std::filesystem;
using format::ChunkBuilder;
using format::ChunkKind;
using format::ColumnEncoding;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::TraceBuilder;

class AppendingSink : public format::ByteSink {
 public:
  explicit AppendingSink(const std::string& path) : out_(path, std::ios::binary | std::ios::app) {}
  Error Append(std::span<const uint8_t> bytes) override {
    out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return Error::None();
  }

 private:
  std::ofstream out_;
};

class CraftedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (fs::temp_directory_path() / absl::StrCat("file_budget_test_", getpid(), ".migtrace")).string();
    TraceBuilder trace(path_);
    trace.Process();
    trace.Slice();
    trace.Call({.correlation = 1, .time_ns = 1000, .api = trace.String("cuLaunchKernel")});
    trace.Kernel({.correlation = 1, .start_ns = 2000, .duration_ns = 1000, .shape = trace.Shape("k")});
    trace.Flush();
  }
  void TearDown() override { fs::remove(path_); }

  void Append(const std::vector<ChunkBuilder>& chunks) {
    AppendingSink sink(path_);
    format::ChunkWriter writer(&sink);
    for (const ChunkBuilder& chunk : chunks) ASSERT_TRUE(writer.Write(chunk).ok());
  }
  // Kernels at `starts`, each `duration` long, in a chunk that says `first` and `last`.
  static ChunkBuilder Kernels(const std::vector<uint64_t>& starts, const std::vector<uint64_t>& durations,
                              uint64_t first, uint64_t last) {
    ChunkBuilder chunk(ChunkKind::kKernels, static_cast<uint32_t>(starts.size()));
    chunk.AddColumn(format::column::kernels::kStart, ColumnEncoding::kPlain, starts);
    chunk.AddColumn(format::column::kernels::kDuration, ColumnEncoding::kPlain, durations);
    chunk.SetTimes(first, last);
    return chunk;
  }

  // The slice, whose times add up whatever the file says.
  const SliceProfile& Slice() {
    analysis_ = AnalyzeTraces({path_}, {});
    const SliceProfile& slice = analysis_.profile.slices.at(0);
    const IdleTimesOf& idle = slice.metrics.idle_ns;
    EXPECT_EQ(std::accumulate(idle.begin(), idle.end(), uint64_t{0}), slice.window_ns - slice.busy_ns);
    EXPECT_LE(slice.busy_ns, slice.window_ns);
    return slice;
  }
  using IdleTimesOf = decltype(SliceMetrics::idle_ns);

  std::string path_;
  Analysis analysis_;
};

TEST_F(CraftedFileTest, TooManyDefinitions_AreCutOffWithOneSentence) {
  std::vector<uint64_t> ids(2'000'000);
  std::iota(ids.begin(), ids.end(), 10);
  ChunkBuilder modules(ChunkKind::kModules, static_cast<uint32_t>(ids.size()));
  modules.AddColumn(format::column::modules::kId, ColumnEncoding::kDelta, ids);
  Append({modules, modules, Kernels({2000}, {1000}, 2000, 3000)});
  EXPECT_EQ(Slice().kernels.count, 1u) << "what came before is kept, what came after is not";
  EXPECT_THAT(analysis_.problems, ElementsAre(Field(&Problem::what, kTooManyDefinitions)));
  EXPECT_EQ(analysis_.problems[0].offset + analysis_.problems[0].bytes, fs::file_size(path_));
  EXPECT_EQ(analysis_.profile.slices[0].health.damaged_bytes, analysis_.problems[0].bytes);
}

TEST_F(CraftedFileTest, DefinitionsThatComeAgain_TakeNothing) {
  std::vector<uint64_t> ids(10'000);
  std::iota(ids.begin(), ids.end(), 10);
  ChunkBuilder modules(ChunkKind::kModules, static_cast<uint32_t>(ids.size()));
  modules.AddColumn(format::column::modules::kId, ColumnEncoding::kDelta, ids);
  Append(std::vector<ChunkBuilder>(200, modules));
  Slice();
  EXPECT_THAT(analysis_.problems, IsEmpty());
}

TEST_F(CraftedFileTest, MoreRowsThanFit_AreCutOffWithOneSentence) {
  ChunkBuilder rows(ChunkKind::kSynchronizations, format::kMaxRows);
  rows.SetTimes(1000, 2000);
  Append(std::vector<ChunkBuilder>(12, rows));
  EXPECT_EQ(Slice().kernels.count, 1u);
  EXPECT_THAT(analysis_.problems, ElementsAre(Field(&Problem::what, kTooManyRows)));
}

TEST_F(CraftedFileTest, TimesOutsideOfTheirChunks_AreNoTimes) {
  Append({Kernels({10, 500'000, 20, 900, 1600}, {5, 5, 5, 5, 5}, 1500, 3500)});
  const SliceProfile& slice = Slice();
  EXPECT_EQ(slice.busy_ns, 1005u);
  EXPECT_EQ(slice.window_ns, 2500u);
  EXPECT_EQ(slice.health.untimed, 4u);
  EXPECT_THAT(analysis_.problems, ElementsAre(Field(&Problem::what, HasSubstr("not in the time their chunk says"))));
}

TEST_F(CraftedFileTest, TimesInAChunkWithoutAny_AreNoTimes) {
  Append({Kernels({10, 500'000}, {5, 5}, 0, 0), Kernels({10, 500'000}, {5, 5}, 20, 10)});
  EXPECT_EQ(Slice().busy_ns, 1000u);
  EXPECT_EQ(Slice().health.untimed, 4u);
}

TEST_F(CraftedFileTest, TimesThatWrapAround_AreNoTimes) {
  constexpr uint64_t kEnd = UINT64_MAX;
  Append({Kernels({kEnd - 5, kEnd, 0, kEnd / 2 + 1, 2500}, {10, 1, kEnd, kEnd / 2 + 1, kEnd - 1000}, 0, kEnd),
          Kernels({kEnd / 2 - 10, 2500}, {11, kEnd - 1000}, 0, kEnd / 2)});
  const SliceProfile& slice = Slice();
  EXPECT_EQ(slice.health.untimed, 7u);
  EXPECT_EQ(slice.busy_ns, 1000u);
}

TEST(FileBudget, GrowsWithTheFile_ButNotBeyondAllBounds) {
  EXPECT_TRUE(FileBudget(0).Take(60 << 20));
  EXPECT_FALSE(FileBudget(0).Take(70 << 20));
  EXPECT_TRUE(FileBudget(1 << 20).Take(500 << 20));
  FileBudget budget(UINT64_MAX);
  EXPECT_TRUE(budget.Take(UINT64_MAX));
  EXPECT_FALSE(budget.Take(UINT64_MAX));
  EXPECT_FALSE(budget.Take(0));
}

}  // namespace
}  // namespace migprof::analyze
