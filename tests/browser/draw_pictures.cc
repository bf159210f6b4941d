// SPDX-License-Identifier: Apache-2.0
// draw_pictures DIR: the files that check_files.py reads and the browser tests open. Prints what those of half a
// million frames took and weigh.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>

#include "libmigprof/render/flamegraph_svg.h"
#include "libmigprof/render/folded.h"
#include "libmigprof/render/frame_kind.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/report_html.h"
#include "libmigprof/render/summary_json.h"
#include "libmigprof/render/tree_encoding.h"
#include "libmigprof/render/viewer_assets.h"
#include "tests/unit/render/sample_profiles.h"

namespace {

using migprof::analyze::Profile;
using migprof::render::CallGraph;
using migprof::render::CallTree;
using migprof::render::FlamegraphView;

// Milliseconds that `work` takes.
template <typename Work>
double Milliseconds(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void Write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

void DrawPicture(const std::string& path, const Profile& profile, bool one_slice) {
  std::ofstream out(path, std::ios::binary);
  migprof::render::WriteFlamegraphSvg(profile, one_slice ? std::optional<size_t>(0) : std::nullopt, out);
}

void DrawReport(const std::string& path, const Profile& profile) {
  std::ofstream out(path, std::ios::binary);
  migprof::render::WriteReportHtml(profile, {}, out);
}

void DrawLarge(const std::string& path, CallGraph calls, const char* name) {
  const Profile profile = migprof::render::LargeProfile(200'000, 40, calls);
  CallTree tree;
  std::ostringstream folded;
  std::ostringstream svg;
  const double tree_ms = Milliseconds([&] { tree = migprof::render::BuildCallTree(profile, 0); });
  const double folded_ms = Milliseconds([&] { migprof::render::WriteFolded(tree, folded); });
  const auto headline = migprof::render::MakeHeadline(profile, 0);
  const size_t nodes = tree.nodes.size();
  const double svg_ms = Milliseconds([&] { migprof::render::WriteFlamegraphSvg(std::move(tree), headline, {}, svg); });
  Write(path, svg.str());
  std::printf("%s: %zu nodes; call tree %.0f ms; folded %.0f ms, %.1f MB; SVG %.0f ms, %.2f MB\n", name, nodes, tree_ms,
              folded_ms, static_cast<double>(folded.str().size()) / 1e6, svg_ms,
              static_cast<double>(svg.str().size()) / 1e6);
}

// The viewer inside a page, as a report has it.
void WritePage(const std::string& path, const Profile& profile) {
  using namespace migprof::render;
  const std::string data = EncodeTree(BuildCallTree(profile), MakeHeadline(profile));
  std::ostringstream page;
  page << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>page</title>\n"
       << "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
       << "<style>" << kPaletteStyle << kViewerStyle << "</style></head>\n<body>\n<h1>A page of its own</h1>\n"
       << "<div id=\"first\"></div><div id=\"second\"></div>\n"
       << "<script type=\"application/json\" id=\"data\">" << data << "</script>\n"
       << "<script>" << kViewerScript << "</script>\n"
       << "<script>\nconst data = JSON.parse(document.getElementById('data').textContent);\n"
       << "window.first = migprofViewer.mount(document.getElementById('first'), data);\n"
       << "window.second = migprofViewer.mount(document.getElementById('second'), data);\n</script>\n"
       << "</body></html>\n";
  Write(path, page.str());
}

// What C++ makes of numbers and names: the viewer must make the same of them.
void WriteSameInBothLanguages(const std::string& path) {
  using namespace migprof::render;
  nlohmann::json json = {{"times", nlohmann::json::array()}, {"percents", nlohmann::json::array()}};
  for (uint64_t ns = 1; ns < 1'000'000'000'000'000'000; ns = ns * 7 / 3 + 1) {
    json["times"].push_back({ns, HumanTime(ns), HumanCount(ns)});
    json["percents"].push_back({ns, 987'654'321, Percent(ns, 987'654'321)});
  }
  for (const Profile& profile : {SampleProfile(), HostileProfile()}) {
    for (const migprof::analyze::Frame& frame : BuildCallTree(profile).frames) {
      for (const size_t cells : {2, 3, 7, 12, 30, 100}) {
        json["labels"].push_back({frame.name, cells, FitLabel(frame.name, cells)});
      }
      json["colors"].push_back({frame.full_name, static_cast<int>(frame.kind), ColorClass(frame)});
    }
  }
  Write(path, json.dump());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: draw_pictures DIR\n");
    return 1;
  }
  const std::string folder = std::string(argv[1]) + '/';
  const Profile sample = migprof::render::SampleProfile();
  DrawPicture(folder + "all.svg", sample, false);
  DrawPicture(folder + "slice.svg", sample, true);
  DrawPicture(folder + "hostile.svg", migprof::render::HostileProfile(), false);
  DrawPicture(folder + "empty.svg", Profile(), false);
  DrawPicture(folder + "medium.svg", migprof::render::LargeProfile(3000, 30, CallGraph::kSparse), false);
  DrawPicture(folder + "deep.svg", migprof::render::LargeProfile(300, 1500, CallGraph::kSparse), false);
  DrawPicture(folder + "sources.svg", migprof::render::SourcesProfile(), false);
  const Profile h200 = migprof::render::H200Profile();
  for (const FlamegraphView view : migprof::render::kFlamegraphViews) {
    std::ofstream out(folder + "h200." + ViewName(view) + ".svg", std::ios::binary);
    migprof::render::WriteFlamegraphSvg(h200, 1, out, view);
  }
  DrawReport(folder + "report_h200.html", h200);
  DrawReport(folder + "report_fleet.html", migprof::render::FleetProfile());
  DrawReport(folder + "report_sample.html", sample);
  DrawReport(folder + "report_hostile.html", migprof::render::HostileProfile());
  DrawReport(folder + "report_empty.html", Profile());
  DrawReport(folder + "report_million.html", migprof::render::LargeProfile(1'000'000, 40, CallGraph::kSparse));
  WritePage(folder + "page.html", sample);
  WriteSameInBothLanguages(folder + "same_in_both_languages.json");
  std::ofstream summary(folder + "summary.json", std::ios::binary);
  migprof::render::WriteSummaryJson(sample, summary);
  std::ofstream schema(folder + "summary.schema.json", std::ios::binary);
  migprof::render::WriteSummarySchema(schema);
  DrawLarge(folder + "large.svg", CallGraph::kSparse, "large, sparse calls");
  DrawLarge(folder + "large_random.svg", CallGraph::kRandom, "large, random calls");
  return 0;
}
