// SPDX-License-Identifier: Apache-2.0
#include "tools/merge_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libmigprof/analyze/analysis.h"
#include "libmigprof/analyze/anonymize.h"
#include "libmigprof/mig/identify.h"
#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/flamegraph_svg.h"
#include "libmigprof/render/flamegraph_view.h"
#include "libmigprof/render/folded.h"
#include "libmigprof/render/openmetrics.h"
#include "libmigprof/render/profile_metrics.h"
#include "libmigprof/render/report_html.h"
#include "libmigprof/render/slice_table.h"
#include "libmigprof/render/summary_json.h"
#include "tools/command_line.h"
#include "tools/output_folder.h"
#include "tools/terminal.h"

namespace migprof::tools {
namespace {

namespace fs = std::filesystem;

std::string FileNamePart(std::string text) {
  for (char& c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-' && c != '+') c = '_';
  }
  return text.substr(0, 100);
}

// "[#####     ]  52 %  1.2 GB" on a terminal, nothing elsewhere.
class ProgressBar {
 public:
  explicit ProgressBar(bool wanted) : shown_(wanted && isatty(STDERR_FILENO) != 0) {}
  ~ProgressBar() {
    if (drawn_) std::fputs("\r\033[K", stderr);
  }

  // `reading`: the module whose debug information is being read, or empty.
  void Update(uint64_t done, uint64_t total, const std::string& reading) {
    if (!shown_ || total == 0) return;
    constexpr int kWidth = 40;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    std::string bar(static_cast<size_t>(share * kWidth), '#');
    bar.resize(kWidth, ' ');
    std::string text = absl::StrFormat("\r[%s] %3.0f %%  %.1f of %.1f MB", bar, share * 100,
                                       static_cast<double>(done) / 1e6, static_cast<double>(total) / 1e6);
    if (!reading.empty()) absl::StrAppend(&text, "  lines of ", FileNamePart(reading).substr(0, 24));
    std::fputs((text + "\033[K").c_str(), stderr);
    std::fflush(stderr);
    drawn_ = true;
  }

 private:
  bool shown_;
  bool drawn_ = false;
};

// A file name per slice, the same for the same slices, never twice: "host.1g.10gb-3f2a9c1e.svg".
std::vector<std::string> SliceFileNames(const analyze::Profile& profile) {
  std::vector<std::string> names;
  std::set<std::string> taken = {"all"};
  for (const analyze::SliceProfile& slice : profile.slices) {
    const std::string base = absl::StrCat(FileNamePart(slice.host), ".", FileNamePart(mig::SliceLabel(slice.identity)));
    std::string name = base;
    for (int copy = 2; !taken.insert(name).second; ++copy) name = absl::StrCat(base, "-", copy);
    names.push_back(name);
  }
  return names;
}

using render::FlamegraphView;

// "" for GPU time, which is what people look for first, else ".idle", ".memory".
std::string Suffix(FlamegraphView view) {
  return view == FlamegraphView::kGpuTime ? "" : absl::StrCat(".", render::ViewName(view));
}

void WriteFlamegraphs(const analyze::Profile& profile, FlamegraphView view, OutputFolder* output) {
  const std::vector<std::string> names = SliceFileNames(profile);
  const auto write = [&](const std::string& name, std::optional<size_t> slice) {
    output->Write(fs::path("flamegraphs") / absl::StrCat(name, Suffix(view), ".svg"),
                  [&](std::ostream& out) { render::WriteFlamegraphSvg(profile, slice, out, view); });
  };
  for (size_t i = 0; i < names.size(); ++i) write(names[i], i);
  write("all", std::nullopt);
}

void WriteFolded(const analyze::Profile& profile, FlamegraphView view, OutputFolder* output) {
  output->Write(absl::StrCat("folded", Suffix(view), ".txt"), [&](std::ostream& out) {
    render::WriteFolded(render::BuildCallTree(profile, std::nullopt, view), out);
  });
}

bool Holds(const std::vector<std::string>& list, const char* name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Metrics cost a little, and stacks of GPU time and the table need none.
bool NeedsMetrics(const MergeOptions& options) {
  return Holds(options.formats, "json") || Holds(options.formats, "html") || Holds(options.formats, "openmetrics") ||
         options.views != std::vector<std::string>{render::ViewName(FlamegraphView::kGpuTime)};
}

void WriteOutputs(const analyze::Profile& profile, const MergeOptions& options, OutputFolder* output) {
  for (const FlamegraphView view : render::kFlamegraphViews) {
    if (!Holds(options.views, render::ViewName(view))) continue;
    if (Holds(options.formats, "svg")) WriteFlamegraphs(profile, view, output);
    if (Holds(options.formats, "folded")) WriteFolded(profile, view, output);
  }
  if (Holds(options.formats, "html")) {
    output->Write("report.html", [&](std::ostream& out) { render::WriteReportHtml(profile, {}, out); });
  }
  if (Holds(options.formats, "json")) {
    output->Write("summary.json", [&](std::ostream& out) { render::WriteSummaryJson(profile, out); });
    output->Write("summary.schema.json", [&](std::ostream& out) { render::WriteSummarySchema(out); });
  }
  if (Holds(options.formats, "openmetrics")) {
    // Two dialects: what Prometheus and importers of OpenMetrics read, and what promtool and the textfile collector of
    // node_exporter do.
    const std::vector<render::MetricFamily> families = render::ProfileMetrics(profile);
    output->Write("openmetrics.txt",
                  [&](std::ostream& out) { render::WriteMetrics(families, render::MetricFormat::kOpenMetrics, out); });
    output->Write("metrics.prom", [&](std::ostream& out) {
      render::WriteMetrics(families, render::MetricFormat::kPrometheusText, out);
    });
  }
}

// "left out: a copy of /…" is the only sentence with a path.
std::string WithoutPaths(const std::string& what) {
  constexpr const char* kCopy = "left out: a copy of ";
  return absl::StartsWith(what, kCopy) ? absl::StrCat(kCopy, "another trace") : what;
}

// Paths may hold names: without them, it is the first file that had a problem, the second, …
void PrintProblems(const std::vector<analyze::Problem>& problems, bool anonymize) {
  std::map<std::string, size_t> numbers;
  // A file torn to pieces could fill the terminal.
  constexpr size_t kShown = 20;
  for (size_t i = 0; i < problems.size() && i < kShown; ++i) {
    const analyze::Problem& problem = problems[i];
    const size_t number = numbers.try_emplace(problem.path, numbers.size() + 1).first->second;
    // Whoever made a folder chose the names in it, and a module's name comes from a trace.
    std::cerr << "migprof-merge: " << (anonymize ? absl::StrCat("trace_", number) : render::CleanText(problem.path));
    if (problem.bytes != 0) std::cerr << ": " << problem.bytes << " bytes at offset " << problem.offset << " skipped";
    std::cerr << ": " << render::CleanText(anonymize ? WithoutPaths(problem.what) : problem.what) << "\n";
  }
  if (problems.size() > kShown) std::cerr << "migprof-merge: … and " << problems.size() - kShown << " more\n";
}

}  // namespace

std::string VersionText(const std::string& version) {
  return analyze::LineTable::IsAvailable()
             ? version
             : absl::StrCat(version, "\nbuilt without libdw: no source lines, no inlined functions");
}

std::vector<std::string> KnownFormats() { return {"svg", "html", "folded", "json", "openmetrics"}; }

std::vector<std::string> KnownViews() {
  std::vector<std::string> known;
  for (const FlamegraphView view : render::kFlamegraphViews) known.emplace_back(render::ViewName(view));
  return known;
}

int Merge(const MergeOptions& options) {
  if (options.anonymize && !OutputFolder(options.output).is_empty()) {
    std::cerr << "migprof-merge: " << options.output
              << ": there is something in it, which may hold names: with --anonymize the output is a new folder\n";
    return 1;
  }
  analyze::AnalysisOptions analysis_options;
  analysis_options.view.show_internals = options.show_internals;
  analysis_options.view.show_interpreter = options.show_interpreter;
  analysis_options.view.show_ranges = options.nvtx != "off";
  analysis_options.threads = options.threads;
  analysis_options.metrics = NeedsMetrics(options);
  analyze::LineTable lines({.debug_folders = options.debug_folders});
  analysis_options.view.show_inlined = options.show_inlined;
  analysis_options.view.split_lines = options.split_lines;
  if (options.debug_info) analysis_options.view.lines = &lines;
  analyze::Analysis analysis;
  {
    ProgressBar bar(!options.quiet);
    analysis_options.progress = [&](uint64_t done, uint64_t total) {
      bar.Update(done, total, options.anonymize ? "" : lines.reading());
    };
    analysis = analyze::AnalyzeTraces(options.inputs, analysis_options);
  }
  EndWhenMemoryRunsOut();
  PrintProblems(analysis.problems, options.anonymize);
  for (const std::string& problem : lines.problems()) {
    std::cerr << "migprof-merge: "
              << (options.anonymize ? "debug information of a module could not be read" : render::CleanText(problem))
              << "\n";
  }
  if (analysis.files_read == 0) {
    std::cerr << "migprof-merge: no trace could be read"
              << (analysis.problems.empty() ? ": no *.migtrace file found" : "") << "\n";
    return 1;
  }
  if (options.anonymize) analyze::Anonymize(&analysis.profile);
  OutputFolder output(options.output);
  WriteOutputs(analysis.profile, options, &output);
  if (options.table) {
    render::WriteSliceTable(analysis.profile, {.width = TerminalWidth(120), .ascii = !IsUtf8Locale()}, std::cout);
  }
  if (!options.quiet) {
    for (const std::string& path : output.written()) std::cout << "wrote " << path << "\n";
  }
  if (!FlushStdout("migprof-merge") || output.failed()) return 1;
  const bool any_loss =
      !analysis.problems.empty() || std::any_of(analysis.profile.slices.begin(), analysis.profile.slices.end(),
                                                [](const auto& slice) { return analyze::HasLoss(slice.health); });
  return options.strict && any_loss ? 2 : 0;
}

}  // namespace migprof::tools
