// SPDX-License-Identifier: Apache-2.0
// Recordings that are bounded, on disks that take nothing for a while or for good.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <set>

#include "tests/unit/record/rotation_fixture.h"

namespace migprof::record {
namespace {

// A limit on the size of files stands for a disk that takes nothing more.
class FullDiskTest : public RotationTest {
 protected:
  void SetUp() override {
    RotationTest::SetUp();
    getrlimit(RLIMIT_FSIZE, &sizes_);
    before_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  void TearDown() override {
    Limit(sizes_.rlim_cur);
    std::signal(SIGXFSZ, before_);
    RotationTest::TearDown();
  }
  void Limit(rlim_t most) {
    const rlimit limit = {most, sizes_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  void RemoveLimit() { Limit(sizes_.rlim_cur); }

  rlimit sizes_{};
  void (*before_)(int) = SIG_DFL;
};

TEST_F(FullDiskTest, AnOutageLeavesTheLimitKeptAndAllCounted) {
  Start({.max_bytes = 1 << 20});
  const auto launch = [&](int count) {
    for (int i = 0; i < count; ++i) Launch(static_cast<uint32_t>(i % 3));
    Flush();
  };
  launch(60'000);
  ASSERT_LT(BytesOnDisk(), max_bytes_ * 3 / 4) << "there must be room for what waits";
  ASSERT_GT(FilesOnDisk(), 3u) << "and something to delete";
  const auto check_sums = [&] {
    const Contents contents = Read(folder_);
    uint64_t unwritten = 0;
    files_->ForEach(
        [&](uint32_t, SliceFile* file) { unwritten += file->unwritten_calls() + file->unwritten_activities(); });
    EXPECT_EQ(contents.calls + contents.kernels + contents.lost + contents.rotated_calls + contents.rotated_kernels +
                  contents.rotated_lost + unwritten,
              2 * launches_);
  };
  Limit(1);
  launch(300'000);
  RemoveLimit();
  ASSERT_TRUE(files_->WriteWaiting().ok());
  EXPECT_LE(BytesOnDisk(), max_bytes_);
  check_sums();  // nothing is said to be deleted that is not
  launch(100'000);
  check_sums();
  const Contents contents = Read(folder_);
  EXPECT_GT(contents.lost + contents.rotated_lost, 0u) << "not all can wait";
  EXPECT_GT(contents.rotated_segments, 0u) << "it goes on as before";
}

TEST_F(FullDiskTest, WhatWasToStayButCouldNotBeClosedStays) {
  Start({.window_ns = 1'000'000'000});
  std::set<uint32_t> dumped;
  for (int i = 0; i < 8'000; ++i) {
    Launch(0, 1'000'000);
    if (i % 20 == 0) Flush();
    if (i != 4'000) continue;
    Limit(1);  // no next file can be begun
    ASSERT_TRUE(files_->KeepWindow().ok());
    RemoveLimit();
    dumped = Read(folder_).correlations;
  }
  const std::set<uint32_t> there = Read(folder_).correlations;
  EXPECT_GE(dumped.size(), 1'000u);
  for (const uint32_t correlation : dumped) ASSERT_TRUE(there.contains(correlation)) << correlation;
}

TEST_F(FullDiskTest, WhatIsCutOffIsCountedAndWhatWasDeletedIsSaidAgain) {
  Start({.window_ns = 1'000'000'000});
  for (int i = 0; i < 4'000; ++i) {
    Launch(0, 1'000'000);
    if (i % 20 == 0) Flush();
  }
  Flush();
  const Contents before = Read(folder_);
  ASSERT_GT(before.rotated_segments, 0u);
  SliceFile* const file = files_->ForDevice(0);
  Limit(file->bytes_written());
  for (int i = 0; i < 100; ++i) Launch(0, 1000);
  file->AddLostCalls(5);
  file->AddLostActivities(7);
  ASSERT_TRUE(file->Flush().ok());
  ASSERT_NE(file->waiting_bytes(), 0u);
  bool is_stated = false;
  while (!is_stated && file->CutBack()) {
    is_stated = files_->StateRotated(0, file).ok() && file->WriteCounters(ChunkKind::kTrailer, {{"a", 1}}).ok() &&
                file->waiting_bytes() == 0;
  }
  ASSERT_TRUE(is_stated);
  const Contents after = Read(folder_);
  EXPECT_EQ(after.rotated_calls, before.rotated_calls);
  EXPECT_EQ(after.rotated_segments, before.rotated_segments);
  EXPECT_EQ(after.calls + after.rotated_calls + file->unwritten_calls(), launches_ + 5);
  EXPECT_EQ(after.kernels + after.rotated_kernels + file->unwritten_activities(), launches_ + 7);
}

}  // namespace
}  // namespace migprof::record
