// SPDX-License-Identifier: Apache-2.0
// Which frames the static view draws, and where. viewer/layout.js does the same for every zoom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libmigprof/render/call_tree.h"

namespace migprof::render {

struct DrawnFrame {
  uint32_t node = 0;
  double x = 0;
  double width = 0;
};

// Neighbours of one parent that are too narrow to draw one by one.
struct Crumb {
  uint32_t depth = 0;
  double x = 0;
  double width = 0;
};

struct StaticLayout {
  std::vector<DrawnFrame> frames;  // never empty; parents before their children
  std::vector<Crumb> crumbs;
  size_t hidden = 0;  // frames that are not drawn
  size_t rows = 1;
};

// Frames of at least half a pixel in a picture of this width, of those the `max_frames` widest, in at most 1000 rows.
StaticLayout LayOutStatic(const CallTree& tree, double width, size_t max_frames);

}  // namespace migprof::render
