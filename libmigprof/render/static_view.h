// SPDX-License-Identifier: Apache-2.0
// The first view of a flamegraph as plain SVG elements: what is seen in an <img>, in print, in a
// viewer without scripts, and for a moment before the script has run.
#pragma once

#include <cstddef>
#include <string>

#include "libmigprof/render/call_tree.h"
#include "libmigprof/render/headline.h"

namespace migprof::render {

inline constexpr int kStaticWidth = 1200;

struct StaticView {
  std::string elements;  // <rect> and <text>, with a <title> where a frame is wide enough to hit
  int height = 0;
};

// Draws frames of at least half a pixel, of those the `max_rects` widest, in at most 1000 rows, and
// says how many it left out.
StaticView DrawStaticView(const CallTree& tree, const Headline& headline, size_t max_rects);

}  // namespace migprof::render
