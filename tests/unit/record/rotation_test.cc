// SPDX-License-Identifier: Apache-2.0
// Recordings within MIGPROF_MAX_BYTES and MIGPROF_WINDOW: what is on disk, what is deleted, and that both add up.
#include "libmigprof/record/rotation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "libmigprof/format/chunk_reader.h"
#include "libmigprof/record/slice_files.h"

namespace migprof::record {
namespace {

namespace fs = std::filesystem;
namespace column = format::column;
using format::ChunkKind;

class FileBytes : public format::ByteSource {
 public:
  explicit FileBytes(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }
  uint64_t size() const override { return bytes_.size(); }
  size_t ReadAt(uint64_t offset, std::span<uint8_t> out) override {
    if (offset >= bytes_.size()) return 0;
    const size_t count = std::min<size_t>(out.size(), bytes_.size() - offset);
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
    return count;
  }

 private:
  std::vector<char> bytes_;
};

struct NoDamage : format::DamageReporter {
  void OnDamage(uint64_t offset, uint64_t bytes, const char* reason) override {
    ADD_FAILURE() << reason << ": " << bytes << " bytes at " << offset;
  }
};

void ForEachChunk(const fs::path& path, const std::function<void(const format::Chunk&)>& visit) {
  FileBytes source(path);
  NoDamage damage;
  format::ChunkReader reader(&source, &damage);
  format::ChunkRef ref;
  format::Chunk chunk;
  while (reader.Next(&ref) == format::ChunkReader::Status::kChunk) {
    ASSERT_TRUE(reader.ReadPayload(ref, &chunk));
    visit(chunk);
  }
}

std::vector<uint64_t> Column(const format::Chunk& chunk, uint16_t id) {
  std::vector<uint64_t> values;
  EXPECT_TRUE(chunk.Column(id, &values));
  return values;
}

// What is in the files of a folder, and what they say is not there any more.
struct Contents {
  uint64_t calls = 0;  // carried ones do not count
  uint64_t kernels = 0;
  uint64_t lost = 0;
  uint64_t rotated_calls = 0;
  uint64_t rotated_kernels = 0;
  uint64_t rotated_lost = 0;
  uint64_t rotated_segments = 0;
  std::set<uint64_t> carried_nodes;
  std::set<uint64_t> carried_addresses;
  std::set<uint32_t> correlations;  // of kernels
};

Contents Read(const fs::path& folder) {
  Contents contents;
  std::map<std::string, std::array<uint64_t, 4>> rotated;  // by slice: the latest word
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    const std::string name = file.path().stem().string();
    ForEachChunk(file.path(), [&](const format::Chunk& chunk) {
      contents.lost += chunk.header().lost;
      switch (chunk.kind()) {
        case ChunkKind::kCalls:
          for (const uint64_t flags : Column(chunk, column::calls::kFlags)) {
            contents.calls += (flags & format::kCallCarried) == 0;
          }
          return;
        case ChunkKind::kKernels:
          for (const uint64_t id : Column(chunk, column::kernels::kCorrelation)) {
            contents.correlations.insert(static_cast<uint32_t>(id));
          }
          contents.kernels += chunk.rows();
          return;
        case ChunkKind::kGraphNodes: {
          const std::vector<uint64_t> flags = Column(chunk, column::graph_nodes::kFlags);
          const std::vector<uint64_t> nodes = Column(chunk, column::graph_nodes::kNode);
          for (size_t row = 0; row < nodes.size(); ++row) {
            if (flags[row] == format::kRowCarried) contents.carried_nodes.insert(nodes[row]);
          }
          return;
        }
        case ChunkKind::kAllocations: {
          const std::vector<uint64_t> flags = Column(chunk, column::allocations::kFlags);
          const std::vector<uint64_t> addresses = Column(chunk, column::allocations::kAddress);
          for (size_t row = 0; row < addresses.size(); ++row) {
            if (flags[row] == format::kRowCarried) contents.carried_addresses.insert(addresses[row]);
          }
          return;
        }
        case ChunkKind::kRotated: {
          std::array<uint64_t, 4> sums{};
          constexpr uint16_t kSummed[] = {column::rotated::kSegments, column::rotated::kKernels,
                                          column::rotated::kLaunches, column::rotated::kLost};
          for (size_t i = 0; i < sums.size(); ++i) {
            for (const uint64_t value : Column(chunk, kSummed[i])) sums[i] += value;
          }
          std::array<uint64_t, 4>& latest = rotated[name.substr(0, name.rfind('.'))];
          latest = std::max(latest, sums);
          return;
        }
        default:
          return;
      }
    });
  }
  for (const auto& [slice, sums] : rotated) {
    contents.rotated_segments += sums[0];
    contents.rotated_kernels += sums[1];
    contents.rotated_calls += sums[2];
    contents.rotated_lost += sums[3];
  }
  return contents;
}

class RotationTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("rotation_test_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Start(const RotationLimits& limits) {
    ProcessInfo process;
    process.host = "host";
    process.pid = 7;
    process.start_ns = 1'000'000'000;
    files_.emplace(folder_.string(), process, Facts{{"start_ns", "1"}, {"cupti_start_ns", "1"}}, mig::DriverApi{},
                   &definitions_, &pauses_);
    files_->SetLimits(limits, [] { return uint64_t{5}; });
    max_bytes_ = limits.max_bytes;
  }
  // A launch and its kernel, at times and with sizes that do not compress well.
  void Launch(uint32_t device, uint64_t step_ns = 1000) {
    SliceFile* const file = files_->ForDevice(device);
    ASSERT_NE(file, nullptr);
    now_ns_ += step_ns;
    CallEvent call;
    call.correlation = ++correlation_;
    call.time_ns = now_ns_ + random_() % 500;
    definitions_.now().threads.Note(1, 1);
    call.thread = 1;
    file->AddCall(call);
    KernelActivity kernel;
    kernel.correlation = correlation_;
    kernel.start_ns = now_ns_ + random_() % 100'000;
    kernel.duration_ns = random_() % 1'000'000;
    kernel.name = "axpy";
    file->AddKernel(kernel);
    ++launches_;
    files_->WriteFull();
    CheckSize();
  }
  void Flush() {
    files_->ForEach([](uint32_t, SliceFile* file) { EXPECT_TRUE(file->is_empty() || file->Flush().ok()); });
    EXPECT_TRUE(files_->Rotate().ok());
    CheckSize();
  }
  uint64_t BytesOnDisk() const {
    uint64_t bytes = 0;
    for (const fs::directory_entry& file : fs::directory_iterator(folder_)) bytes += file.file_size();
    return bytes;
  }
  size_t FilesOnDisk() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator{}));
  }
  void CheckSize() {
    if (max_bytes_ == 0 || ++looks_ % 64 != 0) return;
    const uint64_t bytes = BytesOnDisk();
    ASSERT_LE(bytes, max_bytes_);
    most_ = std::max(most_, bytes);
    if (most_ > max_bytes_ * 9 / 10) least_after_ = std::min(least_after_, bytes);
  }
  // Every launch, and every kernel, is either there or counted.
  void CheckSums() {
    Flush();
    const Contents contents = Read(folder_);
    EXPECT_EQ(contents.calls + contents.rotated_calls, launches_);
    EXPECT_EQ(contents.kernels + contents.rotated_kernels, launches_);
    EXPECT_EQ(contents.lost + contents.rotated_lost, 0u);
  }

  fs::path folder_;
  Definitions definitions_;
  PauseLog pauses_;
  std::optional<SliceFiles> files_;
  std::mt19937_64 random_{1};
  uint64_t max_bytes_ = 0;
  uint64_t now_ns_ = 1'000'000;
  uint32_t correlation_ = 0;
  uint64_t launches_ = 0;
  uint64_t looks_ = 0;
  uint64_t most_ = 0;
  uint64_t least_after_ = UINT64_MAX;
};

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
