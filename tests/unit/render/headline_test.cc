// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/headline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using ::testing::HasSubstr;

TEST(MakeHeadline, OneSlice_IsNamedWithHostAndGpu) {
  const Headline headline = MakeHeadline(SampleProfile(), 0);
  EXPECT_THAT(headline.Title(), HasSubstr("migprof — node-a17 / GPU NVIDIA H100 80GB HBM3 (GPU-1a2b3c4d)"));
  EXPECT_THAT(headline.Title(), HasSubstr(" / MIG 1g.10gb GI 7 CI 0 (MIG-89abcdef)"));
  EXPECT_EQ(headline.figures[0].value, "3.32 s");
  EXPECT_EQ(headline.figures[2].value, "72.1%");
  EXPECT_TRUE(headline.simulated);
  EXPECT_FALSE(headline.loss);
  EXPECT_EQ(headline.verdict, "✓ Trace complete");
}

TEST(MakeHeadline, AllSlices_AreCounted) {
  const Headline headline = MakeHeadline(SampleProfile());
  EXPECT_EQ(headline.Title(), "migprof — 3 hosts / 3 GPUs / 4 slices");
  EXPECT_TRUE(headline.loss);
  EXPECT_EQ(headline.verdict, "⚠ Trace incomplete");
}

TEST(MakeHeadline, WhatIsOfAProcess_CountsOnceForAllItsSlices) {
  analyze::Profile profile = SampleProfile();
  profile.slices.resize(2);
  for (analyze::SliceProfile& slice : profile.slices) {
    slice.health = {.dropped = 4, .unplaced = 7, .ranges_lost = 5};
    analyze::ProcessInfo process;
    process.health = slice.health;
    process.recording = "node-a17/boot/1/2";
    slice.processes = {process};
  }
  const std::string text = MakeHeadline(profile).health;
  EXPECT_THAT(text, HasSubstr("8 dropped"));
  EXPECT_THAT(text, HasSubstr("7 dropped on an unknown slice"));
  EXPECT_THAT(text, HasSubstr("5 ranges lost"));
}

TEST(MakeHeadline, SlicesOfOneGpu_NameItsHostAndIt) {
  analyze::Profile profile = SampleProfile();
  profile.slices.resize(2);
  EXPECT_THAT(MakeHeadline(profile).Title(), HasSubstr("node-a17 / GPU NVIDIA H100"));
  EXPECT_THAT(MakeHeadline(profile).Title(), HasSubstr(" / 2 slices"));
}

TEST(MakeHeadline, RealSliceAmongSimulatedOnes_BearsNoBadge) {
  analyze::Profile profile = SampleProfile();
  profile.slices[0].simulated = false;
  EXPECT_FALSE(MakeHeadline(profile, 0).simulated);
  EXPECT_TRUE(MakeHeadline(profile).simulated);
}

TEST(MakeHeadline, NoSlices_SaySo) {
  const Headline headline = MakeHeadline(analyze::Profile());
  EXPECT_EQ(headline.Title(), "migprof — no GPU activity recorded");
  EXPECT_EQ(headline.verdict, "Nothing recorded");
}

TEST(DescribeHealth, TheFiveLosses_AreAlwaysNamed) {
  EXPECT_EQ(DescribeHealth({}, 0), "0 launches · 0 matched · 0 unmatched · 0 dropped · 0 untimed · 0 bytes damaged");
}

TEST(DescribeHealth, TheRest_IsNamedWhereItHappened) {
  analyze::Health health = {.launches = 1,
                            .matched = 1,
                            .captured = 2,
                            .failed = 3,
                            .orphaned = 4,
                            .stackless = 5,
                            .truncated = 6,
                            .ranges_lost = 9,
                            .python_lost = 7,
                            .unspliced = 8,
                            .damaged_bytes = 1};
  EXPECT_THAT(DescribeHealth(health, 2),
              HasSubstr("1 launch · 1 matched · 0 unmatched · 0 dropped · 0 untimed · 1 byte damaged · "
                        "2 captured into graphs · 3 failed · 4 without their launch · 5 without a stack · "
                        "6 with a truncated stack · 7 without their Python frames · 9 ranges lost · 8 with Python "
                        "frames in a block · "
                        "2 processes killed"));
}

TEST(DescribeHealth, ATakeover_SaysSinceWhen) {
  const analyze::Health health = {.stopped = true, .taken_over_ns = 1'700'000'000'000'000'000};
  const std::string text = DescribeHealth(health, 0);
  EXPECT_THAT(text, HasSubstr("another CUPTI client took over at 22:13:20 UTC: what came after is not recorded"));
  EXPECT_THAT(text, testing::Not(HasSubstr("stopped early")));
}

TEST(AddHealth, TheFirstTakeover_IsThatOfTheSum) {
  analyze::Health sum;
  analyze::AddHealth({.taken_over_ns = 5}, &sum);
  analyze::AddHealth({}, &sum);
  analyze::AddHealth({.taken_over_ns = 3}, &sum);
  analyze::AddHealth({.taken_over_ns = 4}, &sum);
  EXPECT_EQ(sum.taken_over_ns, 3u);
}

TEST(HasLoss, EveryLoss_Counts) {
  using analyze::Health;
  EXPECT_FALSE(analyze::HasLoss({.launches = 9, .matched = 5, .captured = 3, .failed = 1, .unspliced = 2}));
  for (const Health& health :
       {Health{.unmatched = 1}, Health{.dropped = 1}, Health{.untimed = 1}, Health{.orphaned = 1},
        Health{.stackless = 1}, Health{.truncated = 1}, Health{.python_lost = 1}, Health{.ranges_lost = 1},
        Health{.damaged_bytes = 1}, Health{.missing_chunks = 1}, Health{.stopped = true}, Health{.killed = true}}) {
    EXPECT_TRUE(analyze::HasLoss(health));
  }
}

}  // namespace
}  // namespace migprof::render
