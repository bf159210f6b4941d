// SPDX-License-Identifier: Apache-2.0
// Renderers given anything: they finish, and what they write is clean.
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/flamegraph_svg.h"
#include "libmigprof/render/folded.h"
#include "libmigprof/render/report_html.h"
#include "libmigprof/render/slice_table.h"
#include "libmigprof/render/summary_json.h"

namespace migprof::render {
namespace {

class AnyProfile {
 public:
  explicit AnyProfile(uint32_t seed) : dice_(seed) {}

  analyze::Profile Make() {
    analyze::Profile profile;
    profile.simulated = Below(2) == 0;
    for (uint32_t i = Below(4); i > 0; --i) profile.slices.push_back(MakeSlice(&profile));
    return profile;
  }

 private:
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(dice_() % limit); }

  // Small, large, and everything between.
  uint64_t Number() { return Below(3) == 0 ? 0 : uint64_t{dice_()} << 31 >> Below(62); }

  std::string Bytes() {
    std::string bytes;
    for (uint32_t i = Below(30); i > 0; --i) {
      bytes += static_cast<char>(Below(4) == 0 ? Below(256) : static_cast<uint32_t>("<>&\"';]\\\n:( "[Below(12)]));
    }
    return bytes;
  }

  analyze::SliceMetrics MakeMetrics() {
    analyze::SliceMetrics metrics;
    if (Below(3) == 0) return metrics;
    metrics.kernel_busy_ns = Number();
    metrics.sm_weighted_ns = Number();
    metrics.sm_unknown_ns = Number();
    metrics.tensor_ns = Number();
    for (uint64_t& ns : metrics.idle_ns) ns = Number();
    metrics.timeline.bin_ns = Number();
    for (uint32_t i = Below(20); i > 0; --i) metrics.timeline.bins.push_back({Number(), Number()});
    for (uint32_t i = Below(20); i > 0; --i) metrics.memory.live_bytes.push_back(Number());
    metrics.memory.peak_bytes = Number();
    metrics.memory.peak_ns = Number();
    metrics.memory.allocations = Number();
    for (uint32_t i = Below(20); i > 0; --i) {
      analyze::KernelUse kernel;
      kernel.name = Bytes();
      kernel.full_name = Bytes();
      kernel.count = Number();
      kernel.total_ns = Number();
      kernel.sm_weighted_ns = Number();
      if (Below(2) == 0) kernel.duration.Add(Number(), 1 + Below(9));
      metrics.kernels.push_back(kernel);
    }
    for (uint32_t i = Below(3); i > 0; --i) {
      analyze::CounterSeries counter;
      counter.name = Bytes();
      counter.unit = Below(2) == 0 ? "bytes" : Bytes();
      counter.source = Bytes();
      counter.mean = static_cast<double>(Number()) - 1e9;
      counter.largest = static_cast<double>(Number());
      for (uint32_t bin = Below(20); bin > 0; --bin) counter.bins.push_back(static_cast<double>(Number()));
      counter.doubt = Bytes();
      metrics.counters.push_back(counter);
    }
    return metrics;
  }

  analyze::SliceProfile MakeSlice(analyze::Profile* profile) {
    analyze::SliceProfile slice;
    slice.host = Bytes();
    slice.identity.gpu_uuid = Bytes();
    slice.identity.mig_uuid = Bytes();
    slice.identity.gpu_name = Bytes();
    slice.identity.profile = Bytes();
    slice.identity.sm_count = Below(200);
    slice.window_ns = Number();
    slice.busy_ns = Number();
    slice.kernels = {Number(), Number(), Number()};
    slice.memcpys = {Number(), Number(), Number()};
    slice.health.launches = Number();
    slice.health.dropped = Number();
    slice.health.killed = Below(2) == 0;
    for (uint32_t i = Below(200); i > 0; --i) {
      const auto parent = static_cast<analyze::NodeId>(Below(static_cast<uint32_t>(slice.stacks.nodes().size())));
      analyze::Frame frame{Bytes(), Bytes(), Bytes(), static_cast<analyze::FrameKind>(Below(14))};
      const analyze::NodeId node = slice.stacks.Child(parent, profile->frames.Intern(std::move(frame)));
      if (Below(2) == 0) slice.stacks.Add(node, Number(), Number());
    }
    slice.idle = slice.stacks;
    slice.metrics = MakeMetrics();
    slice.processes.push_back({Below(10),
                               Bytes(),
                               Below(2) == 0 ? "" : Bytes(),
                               Number(),
                               Number(),
                               {.own_ns = Number(),
                                .own_share_ppm = Below(2'000'000),
                                .highest_level = Below(9),
                                .without_lines_ms = 0,
                                .sampled_ms = Number(),
                                .whole_graphs_ms = 0},
                               slice.health});
    return slice;
  }

  std::mt19937 dice_;
};

void ExpectClean(std::string text) {
  for (char& c : text) c = c == '\n' ? ' ' : c;
  EXPECT_EQ(CleanText(text), text);
}

TEST(Renderers, AnyProfile_GivesCleanText) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const analyze::Profile profile = AnyProfile(seed).Make();
    std::ostringstream svg;
    WriteFlamegraphSvg(profile, std::nullopt, svg);
    ExpectClean(svg.str());
    std::ostringstream thinned;
    WriteFlamegraphSvg(BuildCallTree(profile, 0), MakeHeadline(profile, 0), {.max_nodes = 20, .max_static_rects = 3},
                       thinned);
    ExpectClean(thinned.str());
    std::ostringstream report;
    WriteReportHtml(profile, {.max_bytes = 200'000, .max_details = 2}, report);
    ExpectClean(report.str());
    std::ostringstream folded;
    WriteFolded(BuildCallTree(profile), folded);
    ExpectClean(folded.str());
    std::ostringstream table;
    WriteSliceTable(profile, {.width = seed, .ascii = seed % 2 == 0}, table);
    ExpectClean(table.str());
    std::ostringstream summary;
    WriteSummaryJson(profile, summary);
    EXPECT_TRUE(nlohmann::json::accept(summary.str()));
  }
}

}  // namespace
}  // namespace migprof::render
