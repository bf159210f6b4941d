// SPDX-License-Identifier: Apache-2.0
// Recordings within MIGPROF_MAX_BYTES and MIGPROF_WINDOW: what is on disk, what is deleted, and that both add up.
#include "libmigprof/record/rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/record/rotation_fixture.h"

namespace migprof::record {
namespace {

TEST_F(RotationTest, WithoutLimitsThereIsOneFileOfTheOldName) {
  Start({});
  for (int i = 0; i < 50'000; ++i) Launch(0);
  Flush();
  ASSERT_EQ(FilesOnDisk(), 1u);
  EXPECT_FALSE(fs::directory_iterator(folder_)->path().filename().string().ends_with(".000000.migtrace"));
  EXPECT_EQ(Read(folder_).rotated_segments, 0u);
}

TEST_F(RotationTest, StaysBelowTheLimitAndKeepsMostOfIt) {
  Start({.max_bytes = 1 << 20});
  for (int i = 0; i < 400'000; ++i) Launch(0);
  CheckSums();
  EXPECT_GT(most_, max_bytes_ * 9 / 10);
  EXPECT_GE(least_after_, max_bytes_ * 3 / 4);
  const Contents contents = Read(folder_);
  EXPECT_GT(contents.rotated_segments, 8u);
  // What is kept is the end.
  EXPECT_EQ(*contents.correlations.rbegin(), correlation_);
  EXPECT_EQ(*contents.correlations.begin(), correlation_ + 1 - contents.correlations.size());
}

TEST_F(RotationTest, ManyDevicesShareTheLimit) {
  Start({.max_bytes = 1 << 20});
  for (int i = 0; i < 300'000; ++i) Launch(static_cast<uint32_t>(random_() % 7));
  CheckSums();
  EXPECT_GE(least_after_, max_bytes_ * 3 / 4);
}

TEST_F(RotationTest, ADeviceThatIsIdleGivesItsRoom) {
  Start({.max_bytes = 1 << 20});
  for (uint32_t device = 0; device < 7; ++device) {
    for (int i = 0; i < 8'000; ++i) Launch(device);
  }
  for (int i = 0; i < 200'000; ++i) Launch(6);
  CheckSums();
  const Contents contents = Read(folder_);
  // Of each idle one there is its newest file, if that is small.
  const auto of_idle = std::count_if(contents.correlations.begin(), contents.correlations.end(),
                                     [](uint32_t correlation) { return correlation <= 6u * 8'000; });
  EXPECT_LT(of_idle, 6 * 2'500);
}

TEST_F(RotationTest, KeepsTheWindowAndNotMuchMore) {
  constexpr uint64_t kWindowNs = 1'000'000'000;
  Start({.window_ns = kWindowNs});
  for (int i = 0; i < 20'000; ++i) {
    Launch(0, 1'000'000);
    if (i % 20 == 0) Flush();
  }
  CheckSums();
  const Contents contents = Read(folder_);
  // A launch every millisecond; what is kept is the window, and the rest of one of its eight parts.
  EXPECT_GE(contents.correlations.size(), 1000u);
  EXPECT_LE(contents.correlations.size(), 1200u);
  EXPECT_EQ(*contents.correlations.rbegin(), correlation_);
}

TEST_F(RotationTest, WhatWasDumpedStays) {
  constexpr uint64_t kWindowNs = 1'000'000'000;
  Start({.window_ns = kWindowNs});
  std::set<uint32_t> dumped;
  for (int i = 0; i < 20'000; ++i) {
    Launch(0, 1'000'000);
    if (i % 20 == 0) Flush();
    if (i == 7'000 || i == 7'100 || i == 14'000) {
      Flush();
      ASSERT_TRUE(files_->KeepWindow().ok());
      const Contents now = Read(folder_);
      dumped.insert(now.correlations.begin(), now.correlations.end());
    }
  }
  CheckSums();
  const Contents contents = Read(folder_);
  EXPECT_GE(dumped.size(), 2'100u);
  for (const uint32_t correlation : dumped) ASSERT_TRUE(contents.correlations.contains(correlation)) << correlation;
  EXPECT_LE(contents.correlations.size(), dumped.size() + 1'200);
}

TEST_F(RotationTest, NothingAgesWhileNothingHappens) {
  Start({.window_ns = 1'000'000'000});
  for (int i = 0; i < 3'000; ++i) Launch(0, 1'000'000);
  Flush();
  const size_t before = Read(folder_).correlations.size();
  for (int i = 0; i < 10; ++i) Flush();
  EXPECT_EQ(Read(folder_).correlations.size(), before);
}

TEST_F(RotationTest, LiveThingsAreToldAgain) {
  Start({.max_bytes = 1 << 20});
  Launch(0);
  SliceFile* const first = files_->ForDevice(0);
  CallEvent call;
  call.correlation = ++correlation_;
  call.time_ns = now_ns_;
  call.thread = 1;
  call.call_class = format::CallClass::kAllocate;
  files_->live_allocations()->NoteCall(call);
  for (const uint64_t address : {0x1000, 0x2000}) {
    AllocationActivity allocation;
    allocation.correlation = call.correlation;
    allocation.time_ns = now_ns_;
    allocation.address = address;
    allocation.bytes = 64;
    allocation.memory_kind = 3;
    files_->live_allocations()->Note(0, allocation);
    if (address == 0x1000) continue;
    allocation.operation = format::AllocationOperation::kRelease;
    files_->live_allocations()->Note(0, allocation);
  }
  const GraphNodesEvent nodes{.node = 70, .time_ns = now_ns_, .correlation = call.correlation, .count = 3};
  first->AddGraphNodes(nodes);
  files_->live_graph_nodes()->Note(nodes, &call);
  for (int i = 0; i < 200'000; ++i) Launch(0);
  CheckSums();
  const Contents contents = Read(folder_);
  EXPECT_EQ(contents.carried_addresses, std::set<uint64_t>{0x1000});
  EXPECT_EQ(contents.carried_nodes, std::set<uint64_t>{70});
}

TEST_F(RotationTest, AFolderThatIsGoneEndsTheRecording) {
  Start({.max_bytes = 1 << 20});
  fs::rename(folder_, folder_.string() + ".moved");
  EXPECT_EQ(files_->ForDevice(0), nullptr);
  EXPECT_FALSE(files_->error().ok());
  fs::rename(folder_.string() + ".moved", folder_);
}

TEST_F(RotationTest, WhatIsOutOfReachIsNotSaidToBeDeleted) {
  Start({.max_bytes = 1 << 20});
  for (int i = 0; i < 60'000; ++i) Launch(0);
  ASSERT_GT(FilesOnDisk(), 1u);
  fs::rename(folder_, folder_.string() + ".moved");
  // Files that are begun elsewhere would not be found, and those that are out of reach not be deleted.
  Error error;
  for (int i = 0; i < 600'000 && error.ok(); ++i) {
    SliceFile* const file = files_->ForDevice(0);
    KernelActivity kernel;
    kernel.correlation = ++correlation_;
    kernel.start_ns = now_ns_ += random_() % 100'000;
    kernel.duration_ns = random_() % 1'000'000;
    file->AddKernel(kernel);
    files_->WriteFull();
    error = files_->error();
  }
  fs::rename(folder_.string() + ".moved", folder_);
  EXPECT_FALSE(error.ok()) << correlation_ << " in " << BytesOnDisk();
  EXPECT_LE(BytesOnDisk(), max_bytes_);
}

TEST_F(RotationTest, AnotherFileOfTheNameIsNotDeleted) {
  Start({.max_bytes = 1 << 20});
  for (int i = 0; i < 60'000; ++i) Launch(0);
  std::vector<fs::path> names;
  for (const fs::directory_entry& file : fs::directory_iterator(folder_)) names.push_back(file.path());
  std::sort(names.begin(), names.end());
  ASSERT_GE(names.size(), 3u);
  max_bytes_ = 0;  // the other one is not ours to count
  fs::remove(names[0]);
  std::ofstream(names[0]) << "somebody's";
  for (int i = 0; i < 200'000; ++i) Launch(0);
  EXPECT_TRUE(fs::exists(names[0]));
  EXPECT_FALSE(fs::exists(names[1]));
}

TEST(RotatedLog, SegmentsThatFollowEachOtherAreOneGap) {
  RotatedLog log;
  for (const uint32_t number : {0, 1, 5, 6, 2, 4, 3, 9}) log.Add(number, 10, {.launches = 1});
  ASSERT_EQ(log.gaps().size(), 2u);
  EXPECT_EQ(log.gaps()[0].first_segment, 0u);
  EXPECT_EQ(log.gaps()[0].last_segment, 6u);
  EXPECT_EQ(log.gaps()[0].segments, 7u);
  EXPECT_EQ(log.gaps()[0].bytes, 70u);
  EXPECT_EQ(log.gaps()[0].tally.launches, 7u);
  EXPECT_EQ(log.gaps()[1].first_segment, 9u);
}

TEST(RotatedLog, NumbersStayWhenGapsBecomeTooMany) {
  RotatedLog log;
  for (uint32_t number = 0; number < 1000; number += 2) log.Add(number, 1, {.launches = 1});
  for (uint32_t number = 1; number < 100; number += 2) log.Add(number, 1, {.launches = 1});
  EXPECT_LE(log.gaps().size(), RotatedLog::kMostGaps);
  uint64_t segments = 0;
  for (size_t i = 0; i < log.gaps().size(); ++i) {
    segments += log.gaps()[i].segments;
    EXPECT_EQ(log.gaps()[i].tally.launches, log.gaps()[i].segments);
    if (i == 0) continue;
    EXPECT_GT(log.gaps()[i].first_segment, log.gaps()[i - 1].last_segment);
  }
  EXPECT_EQ(segments, 550u);
}

}  // namespace
}  // namespace migprof::record
