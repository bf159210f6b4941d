// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/static_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

size_t CountOfText(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string Draw(const analyze::Profile& profile, size_t max_rects = 1500) {
  return DrawStaticView(BuildCallTree(profile), MakeHeadline(profile), max_rects).elements;
}

TEST(DrawStaticView, SampleProfile_HasTitleBadgeHealthLegendAndFrames) {
  const std::string elements = Draw(SampleProfile());
  EXPECT_THAT(elements, HasSubstr(">migprof — 3 hosts / 3 GPUs / 4 slices</text>"));
  EXPECT_THAT(elements, HasSubstr(">SIMULATED GPU</text>"));
  EXPECT_THAT(elements, HasSubstr("class=\"loss\""));
  EXPECT_THAT(elements, HasSubstr("1,204 dropped"));
  EXPECT_THAT(elements, HasSubstr(">CUDA graph</text>"));
  EXPECT_THAT(elements, HasSubstr("&lt;module&gt; (train.py:12)</text>"));
  EXPECT_THAT(elements, HasSubstr("too narrow to draw here"));
}

TEST(DrawStaticView, RealGpuWithoutLoss_HasNeitherBadgeNorWarning) {
  analyze::Profile profile = SampleProfile();
  profile.simulated = false;
  profile.slices.resize(1);
  profile.slices[0].simulated = false;
  const std::string elements = Draw(profile);
  EXPECT_THAT(elements, Not(HasSubstr("SIMULATED GPU")));
  EXPECT_THAT(elements, Not(HasSubstr("class=\"loss\"")));
  EXPECT_THAT(elements, HasSubstr("✓ Trace complete"));
}

TEST(DrawStaticView, LargeTree_DrawsTheWidestFramesOnly) {
  const analyze::Profile profile = LargeProfile(20'000, 40, CallGraph::kSparse);
  const size_t beside_frames = 10;  // badge, warning, legend
  EXPECT_LE(CountOfText(Draw(profile, 300), "<rect"), 300 + beside_frames);
  EXPECT_LE(CountOfText(Draw(profile, 1500), "<rect"), 1500 + beside_frames);
  EXPECT_GT(CountOfText(Draw(profile, 1500), "<rect"), 700u);
}

TEST(DrawStaticView, VeryDeepTree_IsThousandRowsHigh) {
  const analyze::Profile profile = LargeProfile(3, 3000, CallGraph::kSparse);
  const StaticView view = DrawStaticView(BuildCallTree(profile), MakeHeadline(profile), 1500);
  EXPECT_LT(view.height, 18 * 1000 + 300);
}

TEST(DrawStaticView, NoSlices_SayThatThereIsNothing) {
  EXPECT_THAT(Draw(analyze::Profile()), HasSubstr("No GPU time was recorded"));
}

TEST(DrawStaticView, LongTitle_IsBrokenIntoLines) {
  analyze::Profile profile = SampleProfile();
  profile.slices.resize(1);
  profile.slices[0].host = std::string(120, 'h');
  EXPECT_EQ(CountOfText(Draw(profile), "class=\"title\""), 2u);
}

}  // namespace
}  // namespace migprof::render
