// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/occupancy.h"

#include <gtest/gtest.h>

#include <climits>

#if __has_include(<cuda_occupancy.h>)
#include <cuda_occupancy.h>
#define MIGPROF_HAVE_OCCUPANCY_HEADER 1
#endif

namespace migprof::analyze {
namespace {

const SmLimits& Hopper() { return *FindSmLimits(9, 0); }

TEST(SmLimitsTest, UnknownCapability_IsNotGuessed) {
  EXPECT_EQ(FindSmLimits(7, 0), nullptr);
  EXPECT_EQ(FindSmLimits(0, 0), nullptr);
  EXPECT_EQ(FindSmLimits(9, 1), nullptr);
}

TEST(ResidentBlocksTest, EachLimitBinds) {
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 32}), 32u);                                 // blocks
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 256}), 8u);                                 // threads
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 257}), 7u);                                 // … in whole warps
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 256, .registers_per_thread = 64}), 4u);     // registers
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 256, .registers_per_thread = 65}), 3u);     // … in units
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 64, .shared_bytes = 48 * 1024}), 4u);       // shared memory
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 64, .shared_bytes = 113 * 1024}), 2u);      // 2 × (113 + 1) KiB
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 64, .shared_bytes = 113 * 1024 + 1}), 1u);  // … and the reserve
}

TEST(ResidentBlocksTest, WhatDoesNotFit_IsZero) {
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 0}), 0u);
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 1025}), 0u);
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 1024, .registers_per_thread = 65}), 0u);
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 32, .shared_bytes = 228 * 1024}), 0u);
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 32, .shared_bytes = UINT64_MAX}), 0u);
  EXPECT_EQ(ResidentBlocks(Hopper(), {.block_threads = 32, .registers_per_thread = UINT64_MAX}), 0u);
}

TEST(BusyShareTest, AveragesOverWaves) {
  const auto share = [](uint64_t blocks, uint64_t sms) {
    return BusyShare(Hopper(), {.grid_blocks = blocks, .block_threads = 256}, sms).value();  // 8 blocks per SM
  };
  EXPECT_DOUBLE_EQ(share(1, 16), 1.0 / 16);
  EXPECT_DOUBLE_EQ(share(16, 16), 1);
  EXPECT_DOUBLE_EQ(share(128, 16), 1);                   // one full wave
  EXPECT_DOUBLE_EQ(share(129, 16), (1 + 1.0 / 16) / 2);  // and one block more
  EXPECT_DOUBLE_EQ(share(144, 16), 1);
  EXPECT_DOUBLE_EQ(share(3 * 128 + 4, 16), (3 + 4.0 / 16) / 4);
  EXPECT_DOUBLE_EQ(share(UINT64_MAX, 16), 1);
}

TEST(BusyShareTest, WavesAreOfWholeClusters) {
  LaunchShape shape = {.grid_blocks = 16, .block_threads = 1024, .registers_per_thread = 64, .cluster_blocks = 8};
  // One block per SM, 12 SMs: one cluster of 8 at a time.
  EXPECT_DOUBLE_EQ(BusyShare(Hopper(), shape, 12).value(), 8.0 / 12);
  shape.cluster_blocks = 1;
  EXPECT_DOUBLE_EQ(BusyShare(Hopper(), shape, 12).value(), (1 + 4.0 / 12) / 2);
  shape.cluster_blocks = 16;
  EXPECT_EQ(BusyShare(Hopper(), shape, 12), std::nullopt);
}

TEST(BusyShareTest, WithoutGridOrSms_IsUnknown) {
  EXPECT_EQ(BusyShare(Hopper(), {.grid_blocks = 0, .block_threads = 32}, 16), std::nullopt);
  EXPECT_EQ(BusyShare(Hopper(), {.grid_blocks = 1, .block_threads = 32}, 0), std::nullopt);
  EXPECT_EQ(BusyShare(Hopper(), {.grid_blocks = 1, .block_threads = 32}, UINT64_MAX), std::nullopt);
  EXPECT_EQ(BusyShare(Hopper(), {.grid_blocks = 1, .block_threads = 0}, 16), std::nullopt);
}

#ifdef MIGPROF_HAVE_OCCUPANCY_HEADER
// NVIDIA's own calculator, which has no table of capabilities but for the blocks: it is given ours.
TEST(ResidentBlocksTest, AgreesWithNvidiasCalculator) {
  constexpr int kCapabilities[][2] = {{8, 0}, {8, 6}, {8, 9}, {9, 0}, {10, 0}, {12, 0}};
  size_t compared = 0;
  for (const auto [major, minor] : kCapabilities) {
    const SmLimits& limits = *FindSmLimits(major, minor);
    cudaOccDeviceProp device;
    device.computeMajor = major;
    device.computeMinor = minor;
    device.maxThreadsPerBlock = 1024;
    device.maxThreadsPerMultiprocessor = static_cast<int>(limits.threads);
    device.regsPerBlock = 65536;
    device.regsPerMultiprocessor = static_cast<int>(limits.registers);
    device.warpSize = 32;
    device.sharedMemPerBlock = 48 * 1024;
    device.sharedMemPerMultiprocessor = limits.shared_bytes;
    device.numSms = 16;
    device.sharedMemPerBlockOptin = limits.shared_bytes - 1024;
    device.reservedSharedMemPerBlock = 1024;
    cudaOccDeviceState state;
    state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    for (int threads = 1; threads <= 1024; threads += threads < 64 ? 31 : 61) {
      for (int registers = 1; registers <= 255; registers += 7) {
        for (size_t shared = 0; shared + 1024 <= limits.shared_bytes; shared += 3571) {
          cudaOccFuncAttributes function;
          function.maxThreadsPerBlock = 1024;
          function.numRegs = registers;
          function.sharedSizeBytes = 0;
          function.partitionedGCConfig = PARTITIONED_GC_OFF;
          function.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
          function.maxDynamicSharedSizeBytes = limits.shared_bytes - 1024;
          function.numBlockBarriers = 1;
          cudaOccResult result{};
          ASSERT_EQ(cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &function, &state, threads, shared),
                    CUDA_OCC_SUCCESS);
          ASSERT_EQ(ResidentBlocks(limits, {.block_threads = static_cast<uint64_t>(threads),
                                            .registers_per_thread = static_cast<uint64_t>(registers),
                                            .shared_bytes = shared}),
                    static_cast<uint64_t>(result.activeBlocksPerMultiprocessor))
              << major << "." << minor << ": " << threads << " threads, " << registers << " registers, " << shared
              << " bytes";
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 10'000u);
}
#endif

}  // namespace
}  // namespace migprof::analyze
