// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/workload.h"

#include <gtest/gtest.h>

namespace migprof::mig {
namespace {

constexpr char kPod[] = "3f2a1b9c-0d4e-4f5a-8b6c-7d8e9f0a1b2c";
const std::string kContainer(64, 'a');

TEST(ParseCgroups, KubernetesUnderSystemd) {
  const Workload workload = ParseCgroups(
      "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3f2a1b9c_0d4e_4f5a_8b6c_7d8e9f0a1b2c.slice/"
      "cri-containerd-" +
      kContainer + ".scope\n");
  EXPECT_EQ(workload.pod_uid, kPod);
  EXPECT_EQ(workload.container_id, kContainer);
  EXPECT_EQ(workload.slurm_job_id, "");
}

TEST(ParseCgroups, KubernetesUnderCgroupfsAndVersion1) {
  const Workload workload = ParseCgroups("12:memory:/kubepods/besteffort/pod" + std::string(kPod) + "/" + kContainer +
                                         "\n11:cpu,cpuacct:/kubepods/besteffort/pod" + kPod + "/" + kContainer);
  EXPECT_EQ(workload.pod_uid, kPod);
  EXPECT_EQ(workload.container_id, kContainer);
}

TEST(ParseCgroups, StaticPod_HasAUidWithoutHyphens) {
  const std::string uid(32, 'b');
  EXPECT_EQ(ParseCgroups("0::/kubepods/burstable/pod" + uid + "/" + kContainer).pod_uid, uid);
}

TEST(ParseCgroups, Containers) {
  for (const std::string& path : {"/docker/" + kContainer, "/system.slice/docker-" + kContainer + ".scope",
                                  "/machine.slice/libpod-" + kContainer + ".scope/container"}) {
    EXPECT_EQ(ParseCgroups("0::" + path + "\n").container_id, kContainer) << path;
  }
  EXPECT_EQ(ParseCgroups("0::/docker/" + kContainer + "b\n").container_id, "") << "65 digits are something else";
}

TEST(ParseCgroups, Slurm) {
  for (const char* path : {"/slurm/uid_1000/job_4711/step_0/task_2", "/slurm_node7/uid_1000/job_4711/step_0",
                           "/system.slice/slurmstepd.scope/job_4711/step_0/user/task_2"}) {
    const Workload workload = ParseCgroups(std::string("3:devices:") + path + "\n");
    EXPECT_EQ(workload.slurm_job_id, "4711") << path;
    EXPECT_EQ(workload.slurm_step, "0") << path;
  }
  EXPECT_EQ(ParseCgroups("0::/system.slice/slurmstepd.scope/job_5/step_batch/user").slurm_step, "batch");
}

TEST(ParseCgroups, WhatSaysNothing_IsEmpty) {
  for (const char* text : {"", "\n", "0::/\n", "garbage", "0:", "::", "1:name=systemd:/user.slice/user-1000.slice",
                           "0::/system.slice/podman.service", "0::/home/job_5/step_1", "0::/slurm/job_/step_",
                           "0::/kubepods/podcast-of-the-day"}) {
    EXPECT_TRUE(ParseCgroups(text).empty()) << text;
  }
}

}  // namespace
}  // namespace migprof::mig
