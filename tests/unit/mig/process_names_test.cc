// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/process_names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace migprof::mig {
namespace {

namespace fs = std::filesystem;

// A folder that looks like /proc, with one process, 42.
class ProcessNamesTest : public testing::Test {
 protected:
  void SetUp() override {
    proc_ = fs::temp_directory_path() / ("migprof-proc-" + std::to_string(getpid()));
    fs::create_directories(proc_ / "42");
    fs::create_directories(proc_ / "self" / "ns");
    Write("comm", "train worker\n");
    Write("cmdline", std::string("/usr/bin/python3\0train.py\0--lr=1\0", 34));
    Write("cgroup", "0::/slurm/uid_1/job_7/step_1\n");
    Write("maps", "7f00-7f01 r-xp 00000000 08:01 99 /usr/lib/libc.so.6\n");
  }
  void TearDown() override { fs::remove_all(proc_); }

  void Write(const char* file, const std::string& text) {
    std::ofstream(proc_ / "42" / file, std::ios::binary | std::ios::trunc) << text;
  }
  void EnterNamespace(const char* name) {
    fs::remove(proc_ / "self" / "ns" / "pid");
    fs::create_symlink(name, proc_ / "self" / "ns" / "pid");
  }
  GpuProcess Describe(uint32_t pid = 42) {
    GpuProcess process;
    process.pid = pid;
    ProcessNames(proc_).Describe(&process);
    return process;
  }

  fs::path proc_;
};

TEST_F(ProcessNamesTest, OnTheHost_EverythingReadableIsTaken) {
  EnterNamespace("pid:[4026531836]");
  const GpuProcess process = Describe();
  EXPECT_EQ(process.name, "train worker");
  EXPECT_EQ(process.command_line, "/usr/bin/python3 train.py --lr=1");
  EXPECT_EQ(process.workload.slurm_job_id, "7");
  EXPECT_FALSE(process.mps_server);
}

TEST_F(ProcessNamesTest, InAPidNamespace_OnlyAProcessWithLibcudaIsBelieved) {
  EnterNamespace("pid:[4026532000]");
  EXPECT_EQ(Describe().name, "") << "42 may be the host's 42";
  Write("maps", "7f00-7f01 r-xp 00000000 08:01 99 /usr/lib/x86_64-linux-gnu/libcuda.so.580.1\n");
  EXPECT_EQ(Describe().name, "train worker");
}

TEST_F(ProcessNamesTest, WhatIsNotThere_IsEmpty) {
  EnterNamespace("pid:[4026531836]");
  fs::remove(proc_ / "42" / "cmdline");
  EXPECT_EQ(Describe().command_line, "");
  EXPECT_EQ(Describe().name, "train worker");
  EXPECT_EQ(Describe(43).name, "");
}

TEST_F(ProcessNamesTest, MpsServer_IsRecognised) {
  EnterNamespace("pid:[4026531836]");
  Write("comm", "nvidia-cuda-mps\n");
  EXPECT_TRUE(Describe().mps_server);
  Write("comm", "nvidia-cuda-mps-server\n");
  EXPECT_TRUE(Describe().mps_server);
  Write("comm", "nvidia-cuda-m\n");
  EXPECT_FALSE(Describe().mps_server);
}

}  // namespace
}  // namespace migprof::mig
