// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <sstream>

#include "libmigprof/render/flamegraph_svg.h"
#include "tests/bench/figures.h"
#include "tests/unit/render/sample_profiles.h"

namespace migprof::bench {

void BenchDraw(Figures* figures) {
  std::printf("\n== draw: the flamegraph of 200 000 unique stacks, 40 frames deep\n");
  const analyze::Profile profile = render::LargeProfile(200'000, 40, render::CallGraph::kSparse);
  std::vector<double> times;
  size_t bytes = 0;
  for (int round = 0; round < 5; ++round) {
    std::ostringstream out;
    const auto start = std::chrono::steady_clock::now();
    render::WriteFlamegraphSvg(profile, 0, out);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    times.push_back(elapsed.count());
    bytes = out.str().size();
  }
  std::printf("%zu nodes, %.2f MB of SVG\n", profile.slices[0].stacks.nodes().size(), static_cast<double>(bytes) / 1e6);
  figures->Add("draw_200k_seconds", Median(times), "s");
}

}  // namespace migprof::bench
