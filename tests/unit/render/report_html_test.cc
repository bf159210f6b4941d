// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "libmigprof/render/report_trees.h"
#include "libmigprof/render/sha256.h"
#include "libmigprof/render/viewer_assets.h"
#include "tests/unit/render/golden.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::render {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Report(const analyze::Profile& profile, const ReportOptions& options = {}) {
  std::ostringstream out;
  WriteReportHtml(profile, options, out);
  return out.str();
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// What depends on the profile: without style, script, their digests and the trees.
std::string StaticPart(std::string html) {
  for (const std::string& asset : {std::string(kReportStyle), std::string(kReportScript), Sha256Base64(kReportStyle),
                                   Sha256Base64(kReportScript)}) {
    const size_t at = html.find(asset);
    EXPECT_NE(at, std::string::npos);
    if (at != std::string::npos) html.replace(at, asset.size(), "…");
  }
  const size_t trees = html.find("id=\"r-trees\">") + 13;
  return html.replace(trees, html.find("</script>", trees) - trees, "…");
}

nlohmann::json Trees(const std::string& html) {
  const size_t at = html.find("id=\"r-trees\">") + 13;
  return nlohmann::json::parse(html.substr(at, html.find("</script>", at) - at));
}

TEST(WriteReportHtml, ThreeSlices_AreAsTheyEverWere) { ExpectGolden("report.html", StaticPart(Report(H200Profile()))); }

TEST(WriteReportHtml, Samples_AreAsTheyEverWere) {
  ExpectGolden("report_sample.html", StaticPart(Report(SampleProfile())));
}

TEST(WriteReportHtml, FirstWords_AreVerdictAndHealth) {
  const std::string html = Report(H200Profile());
  const size_t verdict = html.find("<h1><b>2g.35gb GI 4</b> wastes its share");
  const size_t health = html.find("✓ Trace complete");
  ASSERT_NE(verdict, std::string::npos);
  ASSERT_NE(health, std::string::npos);
  EXPECT_LT(verdict, health);
  EXPECT_LT(health, html.find("class=\"r-map\""));
  EXPECT_LT(html.find("SIMULATED GPU"), verdict);
  EXPECT_THAT(StaticPart(Report(LargeProfile(100, 10, CallGraph::kSparse))), Not(HasSubstr("SIMULATED GPU")));
}

TEST(WriteReportHtml, MoreThanAllSms_IsExplained) {
  analyze::Profile profile = H200Profile();
  EXPECT_THAT(StaticPart(Report(profile)), Not(HasSubstr("SMs busy above 100 %")));
  profile.slices[0].metrics.sm_weighted_ns = profile.slices[0].window_ns * 3 / 2;
  const std::string html = StaticPart(Report(profile));
  EXPECT_THAT(html, HasSubstr(">150.0%<"));
  EXPECT_EQ(Count(html, "SMs busy above 100 %: kernels ran side by side"), 2u) << "below the table and in the slice";
}

TEST(WriteReportHtml, IdleTimeOverTime_StandsByCauseOnTheBusyTime) {
  analyze::Profile profile = H200Profile();
  profile.slices.resize(1);
  analyze::SliceProfile& slice = profile.slices[0];
  slice.window_ns = 4000;
  slice.metrics.timeline = {.bin_ns = 1000, .bins = {{500, 600}, {1000, 1000}, {}, {0, 250}}};
  std::vector<analyze::Timeline::Bin>& bins = slice.metrics.timeline.bins;
  const auto idle = [](analyze::Timeline::Bin& bin, analyze::IdleCause cause) -> uint64_t& {
    return bin.idle_ns[static_cast<size_t>(cause)];
  };
  idle(bins[0], analyze::IdleCause::kHost) = 100;
  idle(bins[0], analyze::IdleCause::kCopy) = 300;
  idle(bins[2], analyze::IdleCause::kNothingRunning) = 1000;
  idle(bins[3], analyze::IdleCause::kHost) = 747;
  idle(bins[3], analyze::IdleCause::kUnknown) = 3;  // too little to be seen
  const std::string html = StaticPart(Report(profile));
  // Each reaches from the bottom to its top, and those before it hide what lies below.
  EXPECT_THAT(html, HasSubstr("<path class=\"kn0\" d=\"M0 100V0H4V100z\"/>"
                              "<path class=\"kn3\" d=\"M0 100V0H2V100H3V0.3H4V100z\"/>"
                              "<path class=\"kn1\" d=\"M0 100V30H1V0H2V100H3V0.3H4V100z\"/>"
                              "<path class=\"r-copy\" d=\"M0 100V40H1V0H2V100H3V75H4V100z\"/>"
                              "<path class=\"r-kernel\" d=\"M0 100V50H1V0H2V100H4V100z\"/>"));
  for (const char* cause : {"host code", "copies", "no process running"}) {
    EXPECT_THAT(html, HasSubstr(std::string("<span>idle: ") + cause + "</span></li>"));
  }
  EXPECT_THAT(html, Not(HasSubstr("<span>idle: unknown</span></li>")));
  EXPECT_THAT(html, Not(HasSubstr("blank: not recorded")));
  slice.not_recorded_ns = 1000;
  EXPECT_THAT(StaticPart(Report(profile)), HasSubstr("blank: not recorded"));
}

TEST(WriteReportHtml, PlacesOnTheCard_AreDrawnOrSaidToBeUnknown) {
  analyze::Profile profile = H200Profile();
  const std::string placed = StaticPart(Report(profile));
  EXPECT_THAT(placed, HasSubstr("Size and place: memory slices of the card."));
  EXPECT_THAT(placed, HasSubstr("r-free w2")) << "memory slices 6 and 7";
  std::swap(profile.slices[0].identity.placement, profile.slices[2].identity.placement);
  const std::string swapped = StaticPart(Report(profile));
  EXPECT_LT(swapped.find("href=\"#slice-3\""), swapped.find("href=\"#slice-1\""));
  profile.slices[0].identity.placement.reset();
  const std::string unknown = StaticPart(Report(profile));
  EXPECT_THAT(unknown, HasSubstr("where they lie on the card is not recorded, because NVML tells it only to root"));
  EXPECT_THAT(unknown, HasSubstr("r-free w1"));
}

TEST(WriteReportHtml, WhatWasNotRecorded_IsSaidAndNotZero) {
  analyze::Profile profile = SampleProfile();
  for (analyze::SliceProfile& slice : profile.slices) slice.metrics = {};
  const std::string html = StaticPart(Report(profile));
  EXPECT_THAT(html, HasSubstr("Not recorded: utilization over time, how many SMs the kernels kept busy, why it was "
                              "idle, memory, NVML counters."));
  EXPECT_THAT(html, Not(HasSubstr("r-timeline")));
  EXPECT_THAT(html, Not(HasSubstr("peak memory")));
  EXPECT_THAT(html, HasSubstr("idle, cause not recorded"));
  EXPECT_THAT(StaticPart(Report(H200Profile())), Not(HasSubstr("Not recorded")));
}

TEST(WriteReportHtml, Policy_NamesTheOneScriptAndStyle) {
  const std::string html = Report(HostileProfile());
  EXPECT_THAT(html, HasSubstr("default-src 'none'; script-src 'sha256-" + Sha256Base64(kReportScript) +
                              "'; style-src 'sha256-" + Sha256Base64(kReportStyle) + "'"));
  EXPECT_THAT(html, Not(HasSubstr("unsafe")));
  EXPECT_EQ(Count(html, "<script"), 2u);  // the trees and the script
  EXPECT_EQ(Count(html, "<style"), 1u);
  EXPECT_EQ(Count(html, "style=\""), 0u);
}

TEST(WriteReportHtml, HostileNames_AddNoMarkup) {
  const std::string html = Report(HostileProfile());
  for (const char* markup : {"<img", "<svg onload", "<script>document", "onerror=\"", "]]><"}) {
    EXPECT_THAT(html, Not(HasSubstr(markup)));
  }
  for (const char c : html) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 && c != '\n');
}

TEST(WriteReportHtml, AnyProfile_RefersToNothingOutside) {
  for (const char* reference : {"src=", "url(", "@import", "@font-face", "fetch(", "XMLHttpRequest", "eval(",
                                "innerHTML", "onclick", "onload", "href=\"http"}) {
    EXPECT_THAT(Report(H200Profile()), Not(HasSubstr(reference)));
  }
}

TEST(WriteReportHtml, EmptyProfile_SaysSo) {
  const std::string html = Report({});
  EXPECT_THAT(html, HasSubstr("<h1>No GPU activity was recorded.</h1>"));
  EXPECT_TRUE(Trees(html)["trees"].empty());
}

TEST(WriteReportHtml, MillionStacks_StayBelowFiveMegabytesAndSayWhatIsMissing) {
  const std::string html = Report(LargeProfile(1'000'000, 40, CallGraph::kSparse));
  EXPECT_LE(html.size(), 5'000'000u);
  EXPECT_GE(html.size(), 4'000'000u);  // as much as there is room for
  EXPECT_THAT(html, HasSubstr("of 2,792,764 nodes of the flamegraph are in this file"));
  EXPECT_THAT(html, HasSubstr("[smaller frames]"));
  EXPECT_THAT(StaticPart(Report(H200Profile())), HasSubstr("Nothing was left out of this report."));
}

TEST(WriteReportHtml, ManySlices_TheIdlestHavePartsOfTheirOwn) {
  analyze::Profile profile = H200Profile();
  while (profile.slices.size() < 30) profile.slices.push_back(profile.slices[2]);
  const std::string html = Report(profile, {.max_details = 2});
  EXPECT_EQ(Count(html, "<section class=\"r-detail\""), 2u);
  EXPECT_THAT(html, HasSubstr("id=\"slice-2\""));
  EXPECT_THAT(html, HasSubstr("Of 30 slices the 2 with most idle time have a part of their own."));
  EXPECT_THAT(html, Not(HasSubstr("href=\"#slice-9\"")));
}

TEST(EncodeReportTrees, SmallTrees_StayWholeBesideALargeOne) {
  analyze::Profile profile = LargeProfile(20'000, 40, CallGraph::kSparse);
  profile.slices.push_back(profile.slices[0]);
  profile.slices[1].stacks = {};
  analyze::NodeId node = 0;
  for (analyze::FrameId frame = 0; frame < 50; ++frame) {
    node = profile.slices[1].stacks.Child(node, frame);
    profile.slices[1].stacks.Add(node, 1000 + frame, 1);
  }
  const ReportTrees trees = EncodeReportTrees(profile, {0, 1}, 450'000);
  EXPECT_LE(trees.json.size(), 450'000u);
  ASSERT_EQ(trees.trees.size(), 2u);
  EXPECT_LT(trees.trees[0].nodes, trees.trees[0].all_nodes);
  EXPECT_GT(trees.trees[0].hidden_amount, 0u);
  EXPECT_LT(trees.trees[0].hidden_amount, trees.trees[0].amount);
  EXPECT_EQ(trees.trees[1].nodes, 51u);
  EXPECT_EQ(trees.trees[1].hidden_amount, 0u);
}

TEST(EncodeReportTrees, FramesOfAllTrees_AreListedOnce) {
  const nlohmann::json json = Trees(Report(H200Profile()));
  EXPECT_EQ(json["trees"].size(), 9u);
  size_t loads = 0;
  for (const auto& name : json["frames"]["names"]) loads += name == "load_batch (data.py:77)" ? 1 : 0;
  EXPECT_EQ(loads, 1u);
}

TEST(Sha256Base64, KnownTexts) {
  EXPECT_EQ(Sha256Base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(Sha256Base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(Sha256Base64("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
  EXPECT_EQ(Sha256Base64(std::string(1'000'000, 'a')), "zcduXJkU+5KBocfihNc+Z/GAmkiklyAOBG05zMcRLNA=");
}

}  // namespace
}  // namespace migprof::render
