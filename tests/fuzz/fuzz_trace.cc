// SPDX-License-Identifier: Apache-2.0
// A whole trace file, through scan, join, dump and every renderer.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "libmigprof/analyze/analysis.h"
#include "libmigprof/analyze/trace_dump.h"
#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/flamegraph_svg.h"
#include "libmigprof/render/folded.h"
#include "libmigprof/render/slice_table.h"
#include "libmigprof/render/summary_json.h"

namespace {

const std::string& InputPath() {
  static const std::string* const kPath = new std::string(
      (std::filesystem::temp_directory_path() / ("migprof-fuzz-" + std::to_string(getpid()) + ".migtrace")).string());
  return *kPath;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::ofstream(InputPath(), std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const migprof::analyze::Analysis analysis =
      migprof::analyze::AnalyzeTraces({InputPath()}, {.view = {}, .threads = 1, .progress = nullptr});
  std::ostringstream out;
  migprof::render::WriteFolded(migprof::render::BuildCallTree(analysis.profile), out);
  migprof::render::WriteFlamegraphSvg(analysis.profile, std::nullopt, out);
  migprof::render::WriteSummaryJson(analysis.profile, out);
  migprof::render::WriteSliceTable(analysis.profile, {}, out);
  migprof::analyze::DumpTrace(InputPath(), {}, out).IgnoreError();
  for (const auto& slice : analysis.profile.slices) {
    const auto& health = slice.health;
    if (health.launches != health.matched + health.unmatched + health.captured + health.failed) std::abort();
  }
  std::filesystem::remove(InputPath());
  return 0;
}
