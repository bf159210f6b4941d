// SPDX-License-Identifier: Apache-2.0
// How cuInit brings a profiler in. injected_probe.cc is what gets injected.
#include <cuda.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

// What the probe wrote: one line per event.
std::string Protocol(const std::string& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

struct Probe {
  std::string protocol = TemporaryFile(".protocol");

  Environment With(const std::string& mode) const {
    return {{"CUDA_INJECTION64_PATH", SIMGPU_TEST_PROBE}, {"PROBE_PROTOCOL", protocol}, {"PROBE_MODE", mode}};
  }
};

TEST(Injection, HappensInTheFirstInitOnly) {
  const Probe probe;
  InChild(probe.With("keep"), [&] {
    int version = 0;
    void* function = nullptr;
    EXPECT_CUDA(cuDriverGetVersion(&version));
    EXPECT_CUDA(cuGetProcAddress_v2("cuInit", &function, 13000, 0, nullptr));
    EXPECT_EQ(Protocol(probe.protocol), "") << "nothing else triggers it";
    EXPECT_CUDA(cuInit(0));
    EXPECT_CUDA(cuInit(0));
  });
  // Inside, the driver is not initialised, and a nested cuInit comes back.
  EXPECT_EQ(Protocol(probe.protocol), "load\ninitialize count=3 nested=3\n");
}

TEST(Injection, AnythingButZeroMeansStay) {
  const Probe probe;
  InChild(probe.With("negative"), [] {
    EXPECT_CUDA(cuInit(0));
    EXPECT_CUDA(cuInit(0));
  });
  EXPECT_EQ(Protocol(probe.protocol), "load\ninitialize count=3 nested=3\n");
}

TEST(Injection, ZeroMeansUnloadAndTryAgain) {
  const Probe probe;
  InChild(probe.With("zero"), [&] {
    EXPECT_CUDA(cuInit(0));
    EXPECT_EQ(Protocol(probe.protocol), "load\ninitialize count=3 nested=3\nunload\n");
    EXPECT_CUDA(cuInit(0));
  });
  // The second time the driver is initialised.
  EXPECT_EQ(Protocol(probe.protocol).substr(0, 60),
            std::string("load\ninitialize count=3 nested=3\nunload\nload\ninitialize count").substr(0, 60));
}

TEST(Injection, HappensEvenWhereThereIsNoDevice) {
  const Probe probe;
  Environment environment = probe.With("keep");
  environment.emplace_back("CUDA_VISIBLE_DEVICES", "");
  InChild(environment, [] { EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE); });
  EXPECT_EQ(Protocol(probe.protocol), "load\ninitialize count=3 nested=3\n");
}

TEST(Injection, WhatIsNotThereIsPassedOverInSilence) {
  for (const std::string& path :
       {std::string("/nowhere.so"), LibraryFolder() + "/libnvidia-ml.so.1", std::string("a.so:b.so")}) {
    const ChildResult result = RunInChild({{"CUDA_INJECTION64_PATH", path}}, [] { EXPECT_CUDA(cuInit(0)); });
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.errors, "") << path;
  }
}

TEST(Injection, ProfilerWatchesFromTheFirstCallOn) {
  const Probe probe;
  InChild(probe.With("watch"), [] {
    const GpuProgram gpu;
    EXPECT_CUDA(gpu.Launch(gpu.alpha, gpu.stream));
    EXPECT_CUDA(cuStreamSynchronize(gpu.stream));
  });
  const std::string protocol = Protocol(probe.protocol);
  EXPECT_NE(protocol.find("init finished\ncontext created\n"), std::string::npos) << protocol;
  EXPECT_NE(protocol.find("launch alpha\n"), std::string::npos) << protocol;
  EXPECT_NE(protocol.find("kernels 1\n"), std::string::npos) << protocol;
}

TEST(Fork, ChildOfAnInitialisedProcessCanDoNothing) {
  InChild([] {
    const GpuProgram gpu;
    const pid_t pid = fork();
    if (pid == 0) {
      int version = 0;
      const bool as_expected = cuInit(0) == CUDA_ERROR_NOT_INITIALIZED &&
                               cuCtxSynchronize() == CUDA_ERROR_NOT_INITIALIZED &&
                               gpu.Launch(gpu.alpha, gpu.stream) == CUDA_ERROR_NOT_INITIALIZED &&
                               cuDriverGetVersion(&version) == CUDA_SUCCESS;
      _exit(as_expected ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_CUDA(cuCtxSynchronize()) << "the parent goes on";
  });
}

TEST(Fork, ChildOfAProcessWithoutDevices) {
  InChild({{"CUDA_VISIBLE_DEVICES", ""}}, [] {
    EXPECT_EQ(cuInit(0), CUDA_ERROR_NO_DEVICE);
    const pid_t pid = fork();
    if (pid == 0) _exit(cuInit(0) == CUDA_ERROR_OPERATING_SYSTEM ? 0 : 1);
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  });
}

TEST(Fork, ChildThatForkedBeforeInitIsInjectedForItself) {
  const Probe probe;
  InChild(probe.With("keep"), [] {
    const pid_t pid = fork();
    EXPECT_CUDA(cuInit(0));
    if (pid == 0) _exit(testing::Test::HasFailure() ? 1 : 0);
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  });
  const std::string once = "load\ninitialize count=3 nested=3\n";
  EXPECT_EQ(Protocol(probe.protocol).size(), 2 * once.size());
}

}  // namespace
}  // namespace simgpu::test
