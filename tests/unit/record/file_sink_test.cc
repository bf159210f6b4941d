// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/file_sink.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace migprof::record {
namespace {

using ::testing::SizeIs;

// A limit on the size of files stands for a disk that is full, and goes away again.
class FileSinkTest : public ::testing::Test {
 protected:
  FileSinkTest() : path_(::testing::TempDir() + "/file_sink_test." + std::to_string(getpid())) {
    unlink(path_.c_str());
    getrlimit(RLIMIT_FSIZE, &sizes_);
    getrlimit(RLIMIT_NOFILE, &descriptors_);
    before_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSinkTest() override {
    Limit(RLIMIT_FSIZE, sizes_.rlim_cur);
    Limit(RLIMIT_NOFILE, descriptors_.rlim_cur);
    std::signal(SIGXFSZ, before_);
    unlink(path_.c_str());
  }

  void Limit(int resource, rlim_t most) {
    const rlimit limit = {most, resource == RLIMIT_FSIZE ? sizes_.rlim_max : descriptors_.rlim_max};
    setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  }

  std::vector<uint8_t> Content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Bytes that differ from those of every other chunk.
  static std::vector<uint8_t> Chunk(size_t bytes, uint8_t first) {
    std::vector<uint8_t> chunk(bytes);
    for (uint8_t& byte : chunk) byte = first++;
    return chunk;
  }

  Error Append(FileSink* sink, size_t bytes, uint8_t first) {
    const std::vector<uint8_t> chunk = Chunk(bytes, first);
    const Error error = sink->Append(chunk);
    if (error.ok()) expected_.insert(expected_.end(), chunk.begin(), chunk.end());
    return error;
  }

  std::string path_;
  rlimit sizes_{};
  rlimit descriptors_{};
  void (*before_)(int) = SIG_DFL;
  std::vector<uint8_t> expected_;
};

TEST_F(FileSinkTest, WhatCannotBeWrittenWaitsAndGoesFirst) {
  FileSink sink;
  ASSERT_TRUE(sink.Create(path_).ok());
  ASSERT_TRUE(Append(&sink, 1000, 1).ok());
  Limit(RLIMIT_FSIZE, 1500);
  EXPECT_TRUE(Append(&sink, 1000, 2).ok());  // the second half of it waits
  EXPECT_TRUE(Append(&sink, 1000, 3).ok());
  EXPECT_EQ(sink.waiting_bytes(), 1500u);
  EXPECT_EQ(sink.WriteWaiting().code, EFBIG);
  EXPECT_THAT(Content(), SizeIs(1500));
  Limit(RLIMIT_FSIZE, sizes_.rlim_cur);
  EXPECT_TRUE(Append(&sink, 1000, 4).ok());
  EXPECT_EQ(sink.waiting_bytes(), 0u);
  EXPECT_EQ(Content(), expected_);
  EXPECT_EQ(sink.bytes_written(), 4000u);
}

TEST_F(FileSinkTest, TakesNoMoreThanCanWaitButWhatItHasBegun) {
  FileSink sink;
  ASSERT_TRUE(sink.Create(path_).ok());
  Limit(RLIMIT_FSIZE, 100);
  const size_t most = FileSink::kMostWaitingBytes;
  EXPECT_TRUE(Append(&sink, most + 150, 1).ok());
  EXPECT_EQ(sink.waiting_bytes(), most + 50);
  EXPECT_EQ(Append(&sink, 1, 2).code, EFBIG);
  Limit(RLIMIT_FSIZE, sizes_.rlim_cur);
  EXPECT_TRUE(sink.WriteWaiting().ok());
  EXPECT_TRUE(Append(&sink, 10, 3).ok());
  EXPECT_EQ(Content(), expected_);
}

TEST_F(FileSinkTest, MakesTheFileWhenThereIsADescriptor) {
  FileSink sink;
  Limit(RLIMIT_NOFILE, 0);
  EXPECT_TRUE(sink.Create(path_).ok());
  EXPECT_TRUE(Append(&sink, 100, 1).ok());
  EXPECT_EQ(sink.WriteWaiting().code, EMFILE);
  Limit(RLIMIT_NOFILE, descriptors_.rlim_cur);
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  EXPECT_TRUE(Append(&sink, 100, 2).ok());
  EXPECT_EQ(Content(), expected_);
}

TEST_F(FileSinkTest, GivesUpAtOnceWhatDoesNotPass) {
  FileSink sink;
  EXPECT_EQ(sink.Create("/nonexistent/" + path_).code, ENOENT);
  FileSink second;
  ASSERT_TRUE(second.Create(path_).ok());
  EXPECT_EQ(sink.Create(path_).code, EEXIST);
}

TEST_F(FileSinkTest, WritesWhereTheFileWasMovedTo) {
  FileSink sink;
  ASSERT_TRUE(sink.Create(path_).ok());
  const std::string elsewhere = path_ + ".moved";
  ASSERT_EQ(rename(path_.c_str(), elsewhere.c_str()), 0);
  EXPECT_TRUE(sink.Check().ok());
  EXPECT_TRUE(Append(&sink, 100, 1).ok());
  unlink(elsewhere.c_str());
  EXPECT_EQ(sink.Check().code, ENOENT);
  EXPECT_EQ(Append(&sink, 100, 1).code, ENOENT);
  EXPECT_EQ(sink.waiting_bytes(), 0u);
}

TEST_F(FileSinkTest, IsCutToMakeRoom) {
  FileSink sink;
  ASSERT_TRUE(sink.Create(path_).ok());
  Limit(RLIMIT_FSIZE, 1500);
  ASSERT_TRUE(Append(&sink, 1000, 1).ok());
  expected_.resize(1000);
  ASSERT_TRUE(sink.Append(Chunk(1000, 2)).ok());  // the second half of it waits
  EXPECT_TRUE(sink.CutTo(1000).ok());
  EXPECT_EQ(sink.bytes_written(), 1000u);
  EXPECT_EQ(sink.waiting_bytes(), 0u);
  EXPECT_THAT(Content(), SizeIs(1500));  // nobody else gets the room
  EXPECT_TRUE(Append(&sink, 400, 3).ok());
  EXPECT_EQ(sink.waiting_bytes(), 0u);
  EXPECT_EQ(Content(), expected_);
  // There is a second time, and one for nothing.
  ASSERT_TRUE(sink.Append(Chunk(1000, 4)).ok());
  EXPECT_EQ(sink.waiting_bytes(), 900u);
  EXPECT_TRUE(sink.CutTo(1000).ok());
  ASSERT_TRUE(sink.Append(Chunk(600, 5)).ok());
  EXPECT_EQ(sink.waiting_bytes(), 100u);
  EXPECT_TRUE(sink.CutTo(900).ok());
  sink.EndCut();
  EXPECT_THAT(Content(), SizeIs(900));
  expected_.resize(900);
  EXPECT_TRUE(Append(&sink, 500, 6).ok());
  EXPECT_EQ(Content(), expected_);
  // Somebody else has written to it.
  std::ofstream(path_, std::ios::app) << "x";
  EXPECT_FALSE(sink.CutTo(1000).ok());
  EXPECT_THAT(Content(), SizeIs(1401));
}

TEST_F(FileSinkTest, WritesNothingIntoAnotherFileThatGotItsDescriptor) {
  FileSink sink;
  ASSERT_TRUE(sink.Create(path_).ok());
  const int descriptor = open("/dev/null", O_WRONLY);
  const int its = descriptor - 1;  // the lowest one that was free
  const std::string other = path_ + ".other";
  const int file = open(other.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_EQ(dup2(file, its), its);
  EXPECT_EQ(Append(&sink, 100, 1).code, EBADF);
  EXPECT_EQ(sink.waiting_bytes(), 0u);
  EXPECT_EQ(lseek(file, 0, SEEK_END), 0);
  for (const int open_file : {descriptor, file, its}) close(open_file);
  unlink(other.c_str());
}

}  // namespace
}  // namespace migprof::record
