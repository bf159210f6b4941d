// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/report_html.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "libmigprof/render/findings.h"
#include "libmigprof/render/headline.h"
#include "libmigprof/render/html_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/report_map.h"
#include "libmigprof/render/report_slice.h"
#include "libmigprof/render/report_tables.h"
#include "libmigprof/render/report_trees.h"
#include "libmigprof/render/sha256.h"
#include "libmigprof/render/slice_findings.h"
#include "libmigprof/render/slice_names.h"
#include "libmigprof/render/viewer_assets.h"

namespace migprof::render {
namespace {

using analyze::Profile;

constexpr size_t kFindingsShown = 4;
constexpr size_t kMostFindings = 200;
constexpr size_t kFewSlices = 12;  // whose table is open from the start
constexpr size_t kLeastTreeBytes = 500'000;

// The slices that get a part of their own, by index.
std::vector<size_t> ChooseDetails(const Profile& profile, size_t most) {
  std::vector<size_t> slices(profile.slices.size());
  std::iota(slices.begin(), slices.end(), size_t{0});
  if (slices.size() <= most) return slices;
  std::stable_sort(slices.begin(), slices.end(), [&profile](size_t a, size_t b) {
    return IdleTime(profile.slices[a]) > IdleTime(profile.slices[b]);
  });
  slices.resize(most);
  std::sort(slices.begin(), slices.end());
  return slices;
}

std::string Header(const Headline& headline) {
  std::string place;
  for (const std::string& part : headline.place) place.append(place.empty() ? "" : " / ").append(part);
  std::string html =
      "<header class=\"r-header\"><p class=\"r-brand\"><svg class=\"r-mark\" viewBox=\"0 0 20 20\" "
      "aria-hidden=\"true\"><rect class=\"r-mark-idle\" x=\"1\" y=\"2\" width=\"18\" height=\"4.4\" rx=\"1.4\"/>"
      "<rect class=\"r-mark-busy\" x=\"1\" y=\"7.8\" width=\"18\" height=\"4.4\" rx=\"1.4\"/><rect "
      "class=\"r-mark-idle\" x=\"1\" y=\"13.6\" width=\"18\" height=\"4.4\" rx=\"1.4\"/></svg><b>migprof</b> " +
      HtmlElement("span", "r-soft", place) + "</p><div class=\"r-tools\">";
  if (headline.simulated) {
    html +=
        "<span class=\"r-badge\" title=\"Recorded on migprof’s simulated GPU: no hardware ran this, times are "
        "modelled\">SIMULATED GPU</span>";
  }
  return html + "</div></header>\n";
}

std::string FindingItem(const Finding& finding, const std::vector<bool>& has_details) {
  constexpr const char* kClasses[] = {"r-waste", "r-warning", "r-note"};
  constexpr const char* kGlyphs[] = {"▼", "▲", "●"};
  constexpr const char* kSpoken[] = {"Waste: ", "Warning: ", "Note: "};
  const auto severity = static_cast<size_t>(finding.severity);
  std::string html = std::string("<li class=\"") + kClasses[severity] +
                     "\"><span class=\"r-glyph\" aria-hidden=\"true\">" + kGlyphs[severity] +
                     "</span><div><p><span class=\"r-hidden\">" + kSpoken[severity] + "</span>" +
                     HtmlSentence(finding.sentence);
  if (finding.slice && has_details[*finding.slice]) {
    html += " <a class=\"r-show\" href=\"#slice-" + std::to_string(*finding.slice + 1) + "\">show</a>";
  }
  html += "</p>";
  if (!finding.advice.empty()) html += HtmlElement("p", "r-advice", finding.advice);
  if (!finding.second_advice.empty()) html += HtmlElement("p", "r-advice", finding.second_advice);
  if (!finding.evidence.empty()) {
    html += "<p class=\"r-evidence\">";
    for (size_t i = 0; i < finding.evidence.size(); ++i) {
      html.append(i == 0 ? "" : " · ").append(HtmlText(finding.evidence[i].label)).append(" ");
      html += HtmlElement("b", "", finding.evidence[i].value);
    }
    html += "</p>";
  }
  return html + "</div></li>\n";
}

std::string FindingList(const Findings& found, const std::vector<bool>& has_details) {
  std::string html = "<section class=\"r-findings\" aria-label=\"Findings\"><h2>What stands out</h2>\n";
  if (found.findings.empty()) return html + HtmlElement("p", "r-none", "Nothing.") + "</section>\n";
  const size_t count = std::min(found.findings.size(), kMostFindings);
  html += "<ol>\n";
  for (size_t i = 0; i < std::min(count, kFindingsShown); ++i) html += FindingItem(found.findings[i], has_details);
  html += "</ol>\n";
  if (count > kFindingsShown) {
    html += "<details><summary>" + CountOf(found.findings.size() - kFindingsShown, "more finding", "more findings") +
            "</summary><ol>\n";
    for (size_t i = kFindingsShown; i < count; ++i) html += FindingItem(found.findings[i], has_details);
    html += "</ol></details>\n";
  }
  return html + "</section>\n";
}

// What the report itself leaves out.
std::string Omissions(const Profile& profile, const ReportTrees& trees, size_t details,
                      const std::vector<std::string>& names) {
  std::string items;
  if (details < profile.slices.size()) {
    items += HtmlElement("li", "",
                         "Of " + HumanCount(profile.slices.size()) + " slices the " + HumanCount(details) +
                             " with most idle time have a part of their own.");
  }
  for (const ReportTree& tree : trees.trees) {
    if (tree.nodes >= tree.all_nodes) continue;
    items += HtmlElement(
        "li", "",
        names[tree.slice] + ", " + ViewLabel(tree.view) + ": " + HumanCount(tree.nodes) + " of " +
            HumanCount(tree.all_nodes) + " nodes of the flamegraph are in this file; the others, with " +
            Percent(tree.hidden_amount, tree.amount) + " of it (" + HumanAmount(tree.hidden_amount, tree.view) +
            "), stand in frames called [smaller frames]. The SVG files and folded stacks have more.");
  }
  if (items.empty()) items = HtmlElement("li", "", "Nothing was left out of this report.");
  return "<ul class=\"r-omissions\">" + items + "</ul>\n";
}

std::string HealthBox(const Profile& profile, const Headline& headline, const std::string& omissions) {
  std::string html =
      "<section class=\"r-box r-healthbox\" id=\"health\" aria-labelledby=\"health-title\"><h2 "
      "id=\"health-title\">Health of the data</h2><dl>";
  const auto add = [&html](const char* term, const std::string& text) {
    html += "<div>" + HtmlElement("dt", "", term) + HtmlElement("dd", "", text) + "</div>";
  };
  add("Trace", headline.verdict + ": " + headline.health);
  for (const Figure& figure : headline.figures) {
    if (figure.label == "recording itself") add("Recording itself", figure.value);
  }
  if (profile.simulated) {
    add("Simulated", "Some or all of it ran on migprof’s simulated GPU: times are modelled, results are not computed.");
  }
  return html + "</dl>" + HtmlElement("h3", "", "Left out of this file") + omissions + "</section>\n";
}

std::string Policy() {
  return "default-src 'none'; script-src 'sha256-" + Sha256Base64(kReportScript) + "'; style-src 'sha256-" +
         Sha256Base64(kReportStyle) + "'; base-uri 'none'; form-action 'none'";
}

}  // namespace

void WriteReportHtml(const Profile& profile, const ReportOptions& options, std::ostream& out) {
  const std::vector<std::string> names = ShortSliceNames(profile);
  const Headline headline = MakeHeadline(profile);
  const Findings found = FindWhatStandsOut(profile);
  const std::vector<size_t> details = ChooseDetails(profile, options.max_details);
  std::vector<bool> has_details(profile.slices.size(), false);
  for (const size_t slice : details) has_details[slice] = true;

  const std::string verdict = "<h1>" + HtmlSentence(found.verdict) + "</h1>\n";
  const std::string health = "<p class=\"r-health" + std::string(headline.loss ? " r-loss" : "") + "\">" +
                             HtmlElement("b", "", headline.verdict + ": ") + HtmlText(headline.health) + "</p>\n";
  // Where something is missing, that comes before any verdict.
  std::string page = "<main>\n<section class=\"r-verdict\" aria-label=\"Verdict\">" +
                     (headline.loss ? health + verdict : verdict + health) + "</section>\n";
  if (!profile.slices.empty()) {
    page += "<div class=\"r-overview\">\n<section class=\"r-cards\" aria-label=\"Map of the cards\">" +
            ReportMap(profile, names, has_details) + "</section>\n" + FindingList(found, has_details) +
            "<details class=\"r-all\"" + (profile.slices.size() <= kFewSlices ? " open" : "") +
            "><summary>All slices</summary>" + ReportSlices(profile, names, has_details) + "</details>\n</div>\n";
  }
  for (const size_t slice : details) page += ReportSlice(profile, slice, names[slice]);

  const size_t fixed = page.size() + kReportScript.size() + kReportStyle.size() + 10'000;
  const size_t room = options.max_bytes > fixed + kLeastTreeBytes ? options.max_bytes - fixed : kLeastTreeBytes;
  const ReportTrees trees = EncodeReportTrees(profile, details, room);
  page += HealthBox(profile, headline, Omissions(profile, trees, details.size(), names)) + "</main>\n";

  const std::string worst = found.worst && has_details[*found.worst] ? std::to_string(*found.worst) : "0";
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      << "<meta http-equiv=\"Content-Security-Policy\" content=\"" << Policy() << "\">\n"
      << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      << "<meta name=\"referrer\" content=\"no-referrer\">\n"
      << "<title>" << HtmlText(headline.Title()) << (headline.simulated ? " (simulated GPU)" : "") << "</title>\n"
      << "<style>" << kReportStyle << "</style></head>\n<body class=\"r-page\" data-worst=\"" << worst << "\">\n"
      << Header(headline) << page << "<script type=\"application/json\" id=\"r-trees\">" << trees.json << "</script>\n"
      << "<script>" << kReportScript << "</script>\n</body></html>\n";
}

}  // namespace migprof::render
