// SPDX-License-Identifier: Apache-2.0
// A recording of made-up events within MIGPROF_MAX_BYTES and MIGPROF_WINDOW, and what is in its files.
#pragma once

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

inline void ForEachChunk(const fs::path& path, const std::function<void(const format::Chunk&)>& visit) {
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

inline std::vector<uint64_t> Column(const format::Chunk& chunk, uint16_t id) {
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

inline Contents Read(const fs::path& folder) {
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

}  // namespace migprof::record
