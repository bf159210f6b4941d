// SPDX-License-Identifier: Apache-2.0
// An interactive flamegraph in one SVG file that needs nothing but itself: a static first view, the
// whole tree as compact text, and the viewer, which draws what is visible at the zoom at hand.
#pragma once

#include <cstddef>
#include <optional>
#include <ostream>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/headline.h"

namespace migprof::render {

struct FlamegraphOptions {
  // A larger tree is thinned out first (LimitNodes). A browser takes about 60 bytes of memory and
  // 0.1 µs to load per node.
  size_t max_nodes = 1'000'000;
  // In the static first view: about 130 bytes of file and 15 µs of loading each.
  size_t max_static_rects = 1500;
};

// Well-formed XML and valid UTF-8 whatever the names hold.
void WriteFlamegraphSvg(CallTree tree, const Headline& headline, const FlamegraphOptions& options, std::ostream& out);

// Of all slices of a profile, or of one.
void WriteFlamegraphSvg(const analyze::Profile& profile, std::optional<size_t> slice, std::ostream& out,
                        FlamegraphView view = FlamegraphView::kGpuTime);

}  // namespace migprof::render
