// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/card_map.h"

#include <gtest/gtest.h>

#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using analyze::Profile;

Profile WithSlices(const std::vector<std::pair<const char*, std::pair<uint32_t, uint32_t>>>& slices) {
  Profile profile;
  for (const auto& [name, ids] : slices) {
    analyze::SliceProfile slice;
    slice.host = "node";
    slice.identity.gpu_name = "NVIDIA H100 80GB HBM3";
    slice.identity.gpu_uuid = "GPU-1";
    slice.identity.mig_uuid = "MIG-" + std::to_string(profile.slices.size());
    slice.identity.profile = name;
    slice.identity.gpu_instance_id = ids.first;
    slice.identity.compute_instance_id = ids.second;
    profile.slices.push_back(slice);
  }
  return profile;
}

TEST(LayOutCards, ThreeOfSevenths_LeaveOneFree) {
  const auto hosts = LayOutCards(H200Profile());
  ASSERT_EQ(hosts.size(), 1u);
  ASSERT_EQ(hosts[0].gpus.size(), 1u);
  const MapGpu& gpu = hosts[0].gpus[0];
  EXPECT_EQ(gpu.units, 7u);
  EXPECT_EQ(gpu.free_units, 1u);
  EXPECT_FALSE(gpu.overlap);
  ASSERT_EQ(gpu.instances.size(), 3u);
  EXPECT_EQ(gpu.instances[1].units, 2u);
  EXPECT_EQ(gpu.instances[1].slices[0].slice, 1u);
}

TEST(LayOutCards, ComputeInstances_ShareTheBoxOfTheirGpuInstance) {
  const auto hosts = LayOutCards(WithSlices({{"1c.3g.40gb", {2, 0}}, {"1c.3g.40gb", {2, 1}}, {"4g.40gb", {1, 0}}}));
  const MapGpu& gpu = hosts[0].gpus[0];
  ASSERT_EQ(gpu.instances.size(), 2u);
  EXPECT_EQ(gpu.instances[0].slices.size(), 2u);
  EXPECT_EQ(gpu.instances[0].free_units, 1u);
  EXPECT_EQ(gpu.instances[1].units, 4u);
  EXPECT_EQ(gpu.free_units, 0u);
}

TEST(LayOutCards, MoreThanFits_IsSaidToOverlap) {
  const auto hosts = LayOutCards(WithSlices({{"4g.40gb", {1, 0}}, {"7g.80gb", {0, 0}}}));
  EXPECT_TRUE(hosts[0].gpus[0].overlap);
  EXPECT_EQ(hosts[0].gpus[0].free_units, 0u);
}

TEST(LayOutCards, KnownPlacements_DecideOrderAndSize) {
  Profile profile = WithSlices({{"1g.20gb", {1, 0}}, {"2g.20gb", {3, 0}}});
  profile.slices[0].identity.placement = mig::Placement{4, 2};
  profile.slices[0].identity.memory_slices = 8;
  EXPECT_FALSE(LayOutCards(profile)[0].gpus[0].memory_slices) << "one of two places is known";
  profile.slices[1].identity.placement = mig::Placement{0, 2};
  const auto hosts = LayOutCards(profile);
  const MapGpu& gpu = hosts[0].gpus[0];
  EXPECT_EQ(gpu.memory_slices, 8u);
  EXPECT_EQ(gpu.instances[0].slices[0].slice, 1u);
  EXPECT_EQ(gpu.instances[1].placement, (mig::Placement{4, 2}));
  EXPECT_FALSE(gpu.overlap);
  // Two that cannot have been there at one time.
  profile.slices[1].identity.placement = mig::Placement{5, 2};
  const auto anew = LayOutCards(profile);
  EXPECT_TRUE(anew[0].gpus[0].overlap);
  EXPECT_FALSE(anew[0].gpus[0].memory_slices);
  // Nonsense from a trace.
  profile.slices[1].identity.placement = mig::Placement{~0u, 2};
  EXPECT_FALSE(LayOutCards(profile)[0].gpus[0].memory_slices);
}

TEST(LayOutCards, WholeGpusAndSeveralHosts_StandApart) {
  const auto hosts = LayOutCards(SampleProfile());
  ASSERT_EQ(hosts.size(), 3u);
  EXPECT_EQ(hosts[0].gpus[0].free_units, 3u);
  EXPECT_EQ(hosts[1].gpus[0].instances[0].free_units, 1u);
  EXPECT_EQ(hosts[2].gpus[0].units, 4u);
  EXPECT_EQ(hosts[2].gpus[0].free_units, 0u);
  EXPECT_FALSE(hosts[2].gpus[0].is_mig);
}

}  // namespace
}  // namespace migprof::render
