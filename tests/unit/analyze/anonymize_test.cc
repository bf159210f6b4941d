// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/anonymize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libmigprof/analyze/entry_point.h"

namespace migprof::analyze {
namespace {

using testing::ElementsAre;

// A slice whose tree has one path.
SliceProfile SliceOf(const std::string& host, const std::vector<Frame>& path, uint64_t ns, FrameTable* frames) {
  SliceProfile slice;
  slice.host = host;
  slice.busy_ns = slice.window_ns = ns;
  NodeId node = 0;
  for (const Frame& frame : path) node = slice.stacks.Child(node, frames->Intern(frame));
  slice.stacks.Add(node, ns, 1);
  return slice;
}

std::vector<std::string> Names(const Profile& profile) {
  std::vector<std::string> names;
  for (FrameId id = 0; id < profile.frames.size(); ++id) names.push_back(profile.frames[id].full_name);
  return names;
}

Frame Native(const std::string& name, const std::string& module = "app", const std::string& source = "") {
  return {.name = name, .full_name = name, .module = module, .kind = FrameKind::kNative, .source = source};
}
Frame Of(FrameKind kind, const std::string& name) {
  return {.name = name, .full_name = name, .module = "", .kind = kind};
}

TEST(AnonymizeTest, NamesBecomeNumbersInOrderOfWeight) {
  Profile profile;
  profile.slices.push_back(SliceOf("a", {Native("main"), Native("light")}, 10, &profile.frames));
  profile.slices.push_back(SliceOf("b", {Native("main"), Native("heavy")}, 90, &profile.frames));
  Anonymize(&profile);
  EXPECT_THAT(Names(profile), ElementsAre("function_1", "function_3", "function_2"));
  EXPECT_EQ(profile.slices[0].host, "host_1");
  EXPECT_EQ(profile.slices[0].busy_ns, 90u);  // the order of the hosts' own names is gone
  EXPECT_EQ(profile.slices[1].host, "host_2");
}

TEST(AnonymizeTest, LinesStay_AndFunctionAndFileKeepTheirPseudonyms) {
  Profile profile;
  profile.slices.push_back(SliceOf("a",
                                   {Native("run (a.cc:7)", "app", "/src/a.cc:7"),
                                    Native("run (a.cc:9)", "app", "/src/a.cc:9"), Native("run", "b", "/src/a.cc:5")},
                                   10, &profile.frames));
  Anonymize(&profile);
  EXPECT_THAT(Names(profile), ElementsAre("function_1 (file_1:7)", "function_1 (file_1:9)", "function_1"));
  EXPECT_EQ(profile.frames[0].source, "file_1:7");
  EXPECT_EQ(profile.frames[2].source, "file_1:5");
  EXPECT_EQ(profile.frames[0].module, "module_1");
  EXPECT_EQ(profile.frames[2].module, "module_2");
}

TEST(AnonymizeTest, PythonKeepsItsLines_ProcessesTheirIds) {
  Profile profile;
  Frame python = Of(FrameKind::kPython, "fit (/home/me/a (b).py:12)");
  python.name = "fit (a (b).py:12)";
  python.module = "a (b).py";
  profile.slices.push_back(SliceOf("a",
                                   {Of(FrameKind::kProcess, "my (app) (77)"), python,
                                    Of(FrameKind::kPython, "f (x.py)"), Of(FrameKind::kPython, "odd")},
                                   10, &profile.frames));
  Anonymize(&profile);
  EXPECT_EQ(profile.frames[0].full_name, "process_1 (77)");
  EXPECT_THAT(profile.frames[1].name, testing::MatchesRegex("python_[0-9] \\(file_[0-9]:12\\)"));
  EXPECT_EQ(profile.frames[1].name, profile.frames[1].full_name);
  EXPECT_THAT(profile.frames[2].name, testing::MatchesRegex("python_[0-9] \\(file_[0-9]\\)"));
  EXPECT_THAT(profile.frames[3].name, testing::MatchesRegex("python_[0-9]"));
}

TEST(AnonymizeTest, WhatMigprofAndCudaSayStays_WhatOnlyLooksLikeItGoes) {
  Profile profile;
  const std::vector<Frame> path = {
      Of(FrameKind::kNote, "[stack not recorded]"), Of(FrameKind::kGraph, "[CUDA graph]"),
      Of(FrameKind::kMemcpy, "memcpy HtoD"),        Of(FrameKind::kCudaApi, "cudaLaunchKernel_v7000"),
      Of(FrameKind::kCudaApi, "cu my secret"),      Of(FrameKind::kCudaApi, "libcudart_static_5"),
      Of(FrameKind::kKernel, "[unnamed kernel]"),   Of(FrameKind::kRange, "[stack not recorded]"),
      Of(FrameKind::kIdle, "host computing"),       Native("cuLooksLikeIt")};
  profile.slices.push_back(SliceOf("a", path, 10, &profile.frames));
  Anonymize(&profile);
  EXPECT_THAT(Names(profile),
              ElementsAre("[stack not recorded]", "[CUDA graph]", "memcpy HtoD", "cudaLaunchKernel_v7000", "function_1",
                          "function_2", "[unnamed kernel]", "range_1", "host computing", "function_3"));
}

TEST(AnonymizeTest, IdentitiesAreReplaced_ProfilesStay) {
  Profile profile;
  profile.slices.push_back(SliceOf("a", {Native("f")}, 10, &profile.frames));
  SliceProfile& slice = profile.slices[0];
  slice.boot_id = "secret";
  slice.identity.gpu_uuid = "GPU-secret";
  slice.identity.mig_uuid = "MIG-secret";
  slice.identity.gpu_name = "NVIDIA H200";
  slice.identity.profile = "1g.18gb";
  slice.identity.pci_bus_id = slice.identity.source = "secret";
  ProcessInfo process;
  process.name = process.command_line = "secret";
  slice.processes.push_back(process);
  KernelUse kernel;
  kernel.name = kernel.full_name = "secret";
  kernel.uses_tensor_cores = true;
  slice.metrics.kernels.push_back(kernel);
  profile.slices.push_back(SliceProfile(slice));
  profile.slices[1].identity.profile = "secret";
  profile.slices[1].identity.mig_uuid = "MIG-other";
  Anonymize(&profile);
  for (const SliceProfile& each : profile.slices) {
    EXPECT_EQ(each.boot_id, "boot_1");
    EXPECT_EQ(each.identity.gpu_uuid, "GPU-00000001");
    EXPECT_EQ(each.identity.gpu_name, "NVIDIA H200");
    EXPECT_EQ(each.identity.pci_bus_id + each.identity.source, "");
    EXPECT_EQ(each.processes[0].name, "process_1");
    EXPECT_EQ(each.processes[0].command_line, "");
    EXPECT_EQ(each.metrics.kernels[0].full_name, "kernel_1");
    EXPECT_TRUE(each.metrics.kernels[0].uses_tensor_cores);
  }
  EXPECT_NE(profile.slices[0].identity.mig_uuid, profile.slices[1].identity.mig_uuid);
  EXPECT_THAT((std::vector{profile.slices[0].identity.profile, profile.slices[1].identity.profile}),
              testing::UnorderedElementsAre("1g.18gb", "profile_1"));
}

TEST(AnonymizeTest, EntryPointsStayEntryPoints) {
  Profile profile;
  profile.slices.push_back(
      SliceOf("a", {Native("main"), Of(FrameKind::kPython, "<module> (a.py:1)"), Native("work")}, 10, &profile.frames));
  Anonymize(&profile);
  EXPECT_TRUE(IsEntryPoint(profile.frames[0]));
  EXPECT_TRUE(IsEntryPoint(profile.frames[1]));
  EXPECT_FALSE(IsEntryPoint(profile.frames[2]));
}

}  // namespace
}  // namespace migprof::analyze
