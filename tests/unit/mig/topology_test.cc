// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/mig/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace migprof::mig {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

GpuProcess Process(uint32_t pid) {
  GpuProcess process;
  process.pid = pid;
  return process;
}

GpuInstance Instance(uint32_t slices, Placement placement) {
  GpuInstance instance;
  instance.slices = slices;
  instance.placement = placement;
  return instance;
}

Gpu MigGpu() {
  Gpu gpu;
  gpu.mode = MigMode::kOn;
  gpu.compute_slices = 7;
  gpu.memory_slices = 8;
  return gpu;
}

TEST(SharingOf, TellsTheFiveKindsApart) {
  Use use;
  EXPECT_EQ(SharingOf(use), Sharing::kIdle);
  use.processes.push_back(Process(1));
  EXPECT_EQ(SharingOf(use), Sharing::kExclusive);
  use.processes.push_back(Process(2));
  EXPECT_EQ(SharingOf(use), Sharing::kTimeSlicing);
  use.processes[1].mps_client = true;
  EXPECT_EQ(SharingOf(use), Sharing::kMps);
  use.processes[1].mps_client = false;
  use.processes[1].mps_server = true;
  EXPECT_EQ(SharingOf(use), Sharing::kMps);
  use.refusal = 4;
  EXPECT_EQ(SharingOf(use), Sharing::kUnknown);
}

TEST(SharesGpuInstance, IsCertainOnlyWhereItCanBe) {
  GpuInstance instance = Instance(3, {0, 4});
  instance.compute_instances.resize(1);
  ComputeInstance& only = instance.compute_instances[0];
  EXPECT_EQ(SharesGpuInstance(instance, only), std::nullopt);
  only.slices = 3;
  EXPECT_EQ(SharesGpuInstance(instance, only), false);
  only.slices = 1;
  EXPECT_EQ(SharesGpuInstance(instance, only), std::nullopt) << "siblings may be out of view";
  instance.compute_instances.resize(2);
  EXPECT_EQ(SharesGpuInstance(instance, instance.compute_instances[0]), true);
}

TEST(UncoveredComputeSlices, IsWhatNoInstanceCovers) {
  Gpu gpu = MigGpu();
  EXPECT_EQ(UncoveredComputeSlices(gpu), 7u);
  gpu.gpu_instances = {Instance(3, {0, 4}), Instance(2, {4, 2})};
  EXPECT_EQ(UncoveredComputeSlices(gpu), 2u);
  gpu.gpu_instances[0].slices.reset();
  EXPECT_EQ(UncoveredComputeSlices(gpu), std::nullopt);
  gpu.gpu_instances[0].slices = 6;
  EXPECT_EQ(UncoveredComputeSlices(gpu), std::nullopt) << "more than there are";
  gpu.gpu_instances[0].slices = UINT32_MAX;
  EXPECT_EQ(UncoveredComputeSlices(gpu), std::nullopt) << "in 32 bits the sum would be 1";
  gpu.gpu_instances.clear();
  gpu.mode = MigMode::kOff;
  EXPECT_EQ(UncoveredComputeSlices(gpu), std::nullopt);
}

TEST(FreeMemorySlices, AreThoseBetweenAndBehindInstances) {
  Gpu gpu = MigGpu();
  gpu.gpu_instances = {Instance(1, {0, 1}), Instance(2, {2, 2}), Instance(3, {4, 3})};
  EXPECT_THAT(FreeMemorySlices(gpu), ElementsAre(1, 7));
  gpu.listing_refusal = 4;
  EXPECT_THAT(FreeMemorySlices(gpu), IsEmpty()) << "an instance out of view may lie there";
  gpu.listing_refusal = 0;
  gpu.gpu_instances[1].placement.reset();
  EXPECT_THAT(FreeMemorySlices(gpu), IsEmpty());
}

}  // namespace
}  // namespace migprof::mig
