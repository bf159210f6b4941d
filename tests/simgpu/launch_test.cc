// SPDX-License-Identifier: Apache-2.0
// What the driver refuses to launch, and how many blocks it says fit.
#define CUDA_ENABLE_DEPRECATED  // the launch functions of CUDA 3
#include <cuda.h>
#include <gtest/gtest.h>

#include "tests/simgpu/child_process.h"
#include "tests/simgpu/gpu_program.h"

namespace simgpu::test {
namespace {

CUresult LaunchShape(CUfunction kernel, CUstream stream, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                     unsigned by, unsigned bz, unsigned shared = 0) {
  return cuLaunchKernel(kernel, gx, gy, gz, bx, by, bz, shared, stream, nullptr, nullptr);
}

CUresult LaunchClusters(CUfunction kernel, CUstream stream, unsigned blocks, unsigned cluster) {
  CUlaunchAttribute attribute = {};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim.x = cluster;
  attribute.value.clusterDim.y = 1;
  attribute.value.clusterDim.z = 1;
  CUlaunchConfig config = {};
  config.gridDimX = blocks;
  config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = 32;
  config.blockDimY = config.blockDimZ = 1;
  config.hStream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cuLaunchKernelEx(&config, kernel, nullptr, nullptr);
}

TEST(Launch, ShapesAreChecked) {
  InChild([] {
    const GpuProgram gpu;
    EXPECT_CUDA(LaunchShape(gpu.alpha, gpu.stream, 2147483647, 1, 1, 1, 1, 1));
    EXPECT_CUDA(LaunchShape(gpu.alpha, gpu.stream, 1, 65535, 65535, 1, 1, 1));
    EXPECT_CUDA(LaunchShape(gpu.alpha, gpu.stream, 1, 1, 1, 16, 1, 64));
    const unsigned wrong[][6] = {{0, 1, 1, 1, 1, 1},     {1, 1, 0, 1, 1, 1},   {1, 65536, 1, 1, 1, 1},
                                 {1, 1, 65536, 1, 1, 1}, {1, 1, 1, 0, 1, 1},   {1, 1, 1, 1025, 1, 1},
                                 {1, 1, 1, 1, 1, 65},    {1, 1, 1, 512, 3, 1}, {1, 1, 1, 1, 1025, 1}};
    for (const auto& w : wrong) {
      EXPECT_EQ(LaunchShape(gpu.alpha, gpu.stream, w[0], w[1], w[2], w[3], w[4], w[5]), CUDA_ERROR_INVALID_VALUE);
    }
    EXPECT_CUDA(LaunchShape(gpu.beta, gpu.stream, 1, 1, 1, 128, 1, 1));
    EXPECT_EQ(LaunchShape(gpu.beta, gpu.stream, 1, 1, 1, 129, 1, 1), CUDA_ERROR_INVALID_VALUE) << "its own limit";
    EXPECT_EQ(LaunchShape(nullptr, gpu.stream, 1, 1, 1, 1, 1, 1), CUDA_ERROR_INVALID_HANDLE);
  });
}

TEST(Launch, SharedMemoryNeedsAskingFirst) {
  InChild([] {
    const GpuProgram gpu;
    EXPECT_CUDA(LaunchShape(gpu.alpha, gpu.stream, 1, 1, 1, 32, 1, 1, 48 * 1024));
    EXPECT_EQ(LaunchShape(gpu.alpha, gpu.stream, 1, 1, 1, 32, 1, 1, 48 * 1024 + 1), CUDA_ERROR_INVALID_VALUE);
    constexpr auto kMost = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    EXPECT_EQ(cuFuncSetAttribute(gpu.alpha, kMost, 227 * 1024 + 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CUDA(cuFuncSetAttribute(gpu.alpha, kMost, 227 * 1024));
    EXPECT_CUDA(LaunchShape(gpu.alpha, gpu.stream, 1, 1, 1, 32, 1, 1, 227 * 1024));
  });
}

TEST(Launch, CooperativeGridMustFitAtOnce) {
  InChild([] {
    const GpuProgram gpu(2);
    int per_sm = 0;
    EXPECT_CUDA(cuOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, gpu.alpha, 1024, 0));
    EXPECT_EQ(per_sm, 2);
    EXPECT_CUDA(cuLaunchCooperativeKernel(gpu.alpha, 32, 1, 1, 1024, 1, 1, 0, gpu.stream, nullptr));
    EXPECT_EQ(cuLaunchCooperativeKernel(gpu.alpha, 33, 1, 1, 1024, 1, 1, 0, gpu.stream, nullptr),
              CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  });
}

TEST(Launch, Clusters) {
  InChild([] {
    const GpuProgram gpu;
    EXPECT_CUDA(LaunchClusters(gpu.alpha, gpu.stream, 16, 8));
    EXPECT_EQ(LaunchClusters(gpu.alpha, gpu.stream, 17, 8), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(LaunchClusters(gpu.alpha, gpu.stream, 32, 16), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    EXPECT_CUDA(cuFuncSetAttribute(gpu.alpha, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
    EXPECT_CUDA(LaunchClusters(gpu.alpha, gpu.stream, 32, 16));
  });
  InChild({Topology("a100-seven-1g")}, [] {
    const GpuProgram gpu;
    EXPECT_EQ(LaunchClusters(gpu.alpha, gpu.stream, 16, 8), CUDA_ERROR_NOT_SUPPORTED) << "Ampere has none";
  });
}

TEST(Launch, FunctionAndStreamMustBeOfOneContext) {
  InChild([] {
    const GpuProgram first(0);
    const GpuProgram second(1);
    EXPECT_EQ(first.Launch(first.alpha, second.stream), CUDA_ERROR_INVALID_HANDLE);
    EXPECT_EQ(first.Launch(second.alpha, first.stream), CUDA_ERROR_INVALID_HANDLE);
  });
}

TEST(Launch, FunctionsOfOldProgramsWork) {
  const std::string ledger = TemporaryFile(".jsonl");
  InChild({{"SIMGPU_LEDGER", ledger}}, [] {
    const GpuProgram gpu;
    EXPECT_CUDA(cuFuncSetBlockShape(gpu.alpha, 64, 1, 1));
    EXPECT_CUDA(cuParamSetSize(gpu.alpha, 12));
    EXPECT_CUDA(cuParamSeti(gpu.alpha, 8, 5));
    EXPECT_CUDA(cuLaunchGrid(gpu.alpha, 4, 2));
    EXPECT_CUDA(cuLaunch(gpu.alpha));
    EXPECT_CUDA(cuLaunchGridAsync(gpu.alpha, 4, 2, gpu.stream));
    EXPECT_EQ(cuLaunchGrid(gpu.alpha, 0, 2), CUDA_ERROR_INVALID_VALUE);
  });
  EXPECT_EQ(ReadLedger(ledger).size(), 3u);
}

TEST(Occupancy, BestBlockSizeKeepsTheMostThreads) {
  InChild([] {
    const GpuProgram gpu(2);
    int grid = 0, block = 0;
    EXPECT_CUDA(cuOccupancyMaxPotentialBlockSize(&grid, &block, gpu.alpha, nullptr, 0, 0));
    EXPECT_EQ(block, 1024);
    EXPECT_EQ(grid, 2 * 16);
    EXPECT_CUDA(cuOccupancyMaxPotentialBlockSize(&grid, &block, gpu.beta, nullptr, 0, 0));
    EXPECT_EQ(block, 128);
    size_t bytes = 0;
    EXPECT_CUDA(cuOccupancyAvailableDynamicSMemPerBlock(&bytes, gpu.alpha, 4, 256));
    EXPECT_EQ(bytes, 228u * 1024 / 4 - 1024);
  });
}

}  // namespace
}  // namespace simgpu::test
