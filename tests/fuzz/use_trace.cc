// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/use_trace.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "libmigprof/analyze/analysis.h"
#include "libmigprof/analyze/anonymize.h"
#include "libmigprof/analyze/trace_dump.h"
#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/flamegraph_svg.h"
#include "libmigprof/render/folded.h"
#include "libmigprof/render/slice_table.h"
#include "libmigprof/render/summary_json.h"

const std::string& FuzzInputPath() {
  static const std::string* const kPath = new std::string(
      (std::filesystem::temp_directory_path() / ("migprof-fuzz-" + std::to_string(getpid()) + ".migtrace")).string());
  return *kPath;
}

void UseTrace() {
  using namespace migprof;
  analyze::Analysis analysis =
      analyze::AnalyzeTraces({FuzzInputPath()}, {.view = {}, .threads = 1, .progress = nullptr});
  std::ostringstream out;
  const render::CallTree tree = render::BuildCallTree(analysis.profile);
  render::WriteFolded(tree, out);
  render::WriteFlamegraphSvg(analysis.profile, std::nullopt, out);
  render::WriteSummaryJson(analysis.profile, out);
  render::WriteSliceTable(analysis.profile, {}, out);
  analyze::DumpTrace(FuzzInputPath(), {}, out).IgnoreError();
  uint64_t drawn = 0;
  for (const auto& slice : analysis.profile.slices) {
    const auto& health = slice.health;
    if (health.launches != health.matched + health.unmatched + health.captured + health.failed) std::abort();
    drawn += slice.kernels.total_ns + slice.memcpys.total_ns + slice.memsets.total_ns + slice.graph_runs.total_ns;
  }
  if (tree.nodes[0].total_ns != drawn) std::abort();
  analyze::Anonymize(&analysis.profile);
  const render::CallTree anonymous = render::BuildCallTree(analysis.profile);
  if (anonymous.nodes[0].total_ns != drawn || anonymous.nodes.size() != tree.nodes.size()) std::abort();
  render::WriteSummaryJson(analysis.profile, out);
  std::filesystem::remove(FuzzInputPath());
}
