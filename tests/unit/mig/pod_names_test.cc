// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/pod_names.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace migprof::mig {
namespace {

namespace fs = std::filesystem;

constexpr char kUid[] = "3f2a1b9c-0d4e-4f5a-8b6c-7d8e9f0a1b2c";

// A folder that looks like /proc/<pid> of a process in a pod.
class PodNamesTest : public testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("migprof-pod-" + std::to_string(getpid()));
    root_ = base_ / "root";
    fs::create_directories(root_ / "etc");
    fs::create_directories(base_ / "ns");
    fs::create_directories(root_ / "var/run/secrets/kubernetes.io/serviceaccount");
    Write(base_ / "ns/uts", "");
    Write(root_ / "etc/hostname", "train-0\n");
    Write(root_ / "var/run/secrets/kubernetes.io/serviceaccount/namespace", "research");
    Write(base_ / "mountinfo", std::string("812 800 8:1 /var/lib/kubelet/pods/") + kUid +
                                   "/containers/main/0a1b2c3d /dev/termination-log rw - ext4 /dev/sda1 rw\n");
    Write(base_ / "secret", "host-secret\n");
  }
  void TearDown() override { fs::remove_all(base_); }

  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

  Workload Read(const char* uid = kUid) {
    Workload workload;
    workload.pod_uid = uid;
    AddPodNames(base_, &workload);
    return workload;
  }

  fs::path base_;
  fs::path root_;
};

TEST_F(PodNamesTest, PodOfTheKubelet_IsRead) {
  const Workload workload = Read();
  EXPECT_EQ(workload.pod_name, "train-0");
  EXPECT_EQ(workload.pod_namespace, "research");
  EXPECT_EQ(workload.container_name, "main");
}

TEST_F(PodNamesTest, ProcessThatIsInNoPod_IsNotLookedAt) {
  const Workload workload = Read("");
  EXPECT_EQ(workload.pod_name + workload.pod_namespace + workload.container_name, "");
}

TEST_F(PodNamesTest, LinksOutOfTheContainer_AreNotFollowed) {
  fs::remove(root_ / "etc/hostname");
  fs::create_symlink(base_ / "secret", root_ / "etc/hostname");
  EXPECT_EQ(Read().pod_name, "");
  fs::remove(root_ / "etc/hostname");
  fs::create_symlink("../../secret", root_ / "etc/hostname");
  EXPECT_EQ(Read().pod_name, "");
  fs::remove_all(root_ / "etc");
  fs::create_directory_symlink(base_, root_ / "etc");
  fs::rename(base_ / "secret", base_ / "hostname");
  EXPECT_EQ(Read().pod_name, "");
}

TEST_F(PodNamesTest, WhatIsNoName_IsNotTaken) {
  for (const char* text : {"", "\n", "two words\n", "a\"b\n", "\x1b[31m\n"}) {
    Write(root_ / "etc/hostname", text);
    EXPECT_EQ(Read().pod_name, "") << text;
  }
  Write(root_ / "etc/hostname", std::string(300, 'a'));
  EXPECT_EQ(Read().pod_name, "");
  fs::remove(root_ / "etc/hostname");
  fs::create_directory(root_ / "etc/hostname");
  EXPECT_EQ(Read().pod_name, "");
}

TEST_F(PodNamesTest, HostNamesOfTheHost_AreNoPodNames) {
  fs::remove(base_ / "ns/uts");
  fs::create_symlink("/proc/self/ns/uts", base_ / "ns/uts");
  EXPECT_EQ(Read().pod_name, "");
  EXPECT_EQ(Read().container_name, "main");
}

TEST(ContainerOfMounts, OtherPods_AreNotMistaken) {
  EXPECT_EQ(ContainerOfMounts("/pods/other/containers/main/x", kUid), "");
  EXPECT_EQ(ContainerOfMounts("", kUid), "");
  EXPECT_EQ(ContainerOfMounts(std::string("/pods/") + kUid + "/containers/", kUid), "");
}

}  // namespace
}  // namespace migprof::mig
