// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/flamegraph_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "libmigprof/render/viewer_assets.h"
#include "tests/unit/render/golden.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Draw(const analyze::Profile& profile, std::optional<size_t> slice = std::nullopt) {
  std::ostringstream out;
  WriteFlamegraphSvg(profile, slice, out);
  return out.str();
}

// Golden files hold what depends on the profile: a change of the viewer is no change of the picture.
std::string WithoutAssets(std::string svg) {
  for (const std::string_view asset : {kPaletteStyle, kStaticStyle, kViewerStyle, kViewerScript, kSvgShellScript}) {
    const size_t at = svg.find(asset);
    EXPECT_NE(at, std::string::npos);
    if (at != std::string::npos) svg.replace(at, asset.size(), "…");
  }
  return svg;
}

TEST(WriteFlamegraphSvg, SampleProfile_IsAsItEverWas) {
  ExpectGolden("sample.svg", WithoutAssets(Draw(SampleProfile())));
}

TEST(WriteFlamegraphSvg, OneSlice_IsAsItEverWas) { ExpectGolden("slice.svg", WithoutAssets(Draw(SampleProfile(), 0))); }

TEST(WriteFlamegraphSvg, HostileNames_AreAsTheyEverWere) {
  ExpectGolden("hostile.svg", WithoutAssets(Draw(HostileProfile())));
}

TEST(WriteFlamegraphSvg, HostileNames_AddNoMarkup) {
  const std::string svg = Draw(HostileProfile());
  EXPECT_THAT(svg, Not(HasSubstr("<img")));
  size_t scripts = 0;
  for (size_t at = svg.find("<script"); at != std::string::npos; at = svg.find("<script", at + 1)) ++scripts;
  EXPECT_EQ(scripts, 2u);
  for (const char c : svg) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 && c != '\n');
}

TEST(WriteFlamegraphSvg, AnyProfile_RefersToNothingOutside) {
  std::string svg = Draw(SampleProfile());
  EXPECT_THAT(svg, StartsWith("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\""));
  for (const char* reference : {"href", "src=", "url(", "@import", "@font-face", "fetch(", "XMLHttpRequest", "eval(",
                                "innerHTML", "onclick", "onload"}) {
    EXPECT_THAT(svg, Not(HasSubstr(reference)));
  }
}

TEST(WriteFlamegraphSvg, TreeBeyondTheLimit_IsThinnedAndKeepsItsTotal) {
  const analyze::Profile profile = LargeProfile(5000, 30, CallGraph::kSparse);
  std::ostringstream all;
  std::ostringstream thin;
  WriteFlamegraphSvg(BuildCallTree(profile), MakeHeadline(profile), {}, all);
  WriteFlamegraphSvg(BuildCallTree(profile), MakeHeadline(profile), {.max_nodes = 1000}, thin);
  EXPECT_LT(thin.str().size(), all.str().size());
  EXPECT_THAT(thin.str(), HasSubstr("[smaller frames]"));
}

TEST(WriteFlamegraphSvg, SameProfile_GivesTheSameBytes) { EXPECT_EQ(Draw(SampleProfile()), Draw(SampleProfile())); }

TEST(ViewerAssets, Texts_MayStandInCdataAndInHtml) {
  for (const std::string_view asset : {kPaletteStyle, kStaticStyle, kViewerStyle, kViewerScript, kSvgShellScript}) {
    EXPECT_GT(asset.size(), 500u);
    EXPECT_EQ(asset.find("]]>"), std::string_view::npos);
    EXPECT_EQ(asset.find("</s"), std::string_view::npos);
    EXPECT_EQ(asset.find("<!--"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace migprof::render
