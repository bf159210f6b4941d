// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <sstream>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/flamegraph_svg.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

// 200 000 unique stacks, 40 frames deep on average, from 6 000 long names, sharing most of their frames.
analyze::Profile ManyStacks() {
  std::mt19937 random(11);
  analyze::Profile profile;
  std::vector<analyze::FrameId> frames;
  for (int i = 0; i < 6000; ++i) {
    const std::string name =
        "framework::module_" + std::to_string(i % 97) + "::Operator<float, " + std::to_string(i) + ">::Run";
    frames.push_back(profile.frames.Intern(
        {.name = name, .full_name = name, .module = "libframework.so", .kind = analyze::FrameKind::kNative}));
  }
  analyze::SliceProfile slice;
  slice.host = "node1";
  slice.identity.mig_uuid = "MIG-22222222-2222-2222-2222-222222222222";
  slice.identity.profile = "1g.10gb";
  std::vector<analyze::NodeId> path = {0};
  for (int stack = 0; stack < 200'000; ++stack) {
    // Keep most of the previous stack, as in the order of a depth-first walk.
    const size_t depth = std::clamp<size_t>(path.size() + random() % 5, 32, 52) - 2;
    const size_t changed = 1 + random() % 4;
    path.resize(std::min(path.size(), depth > changed ? depth - changed : 1));
    while (path.size() < depth) path.push_back(slice.stacks.Child(path.back(), frames[random() % frames.size()]));
    slice.stacks.Add(path.back(), 1'000 + random() % 100'000, 1);
  }
  profile.slices.push_back(std::move(slice));
  return profile;
}

}  // namespace

void BenchDraw(Figures* figures) {
  std::printf("\n== draw: the flamegraph of 200 000 unique stacks\n");
  const analyze::Profile profile = ManyStacks();
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
