// SPDX-License-Identifier: Apache-2.0
// The per-slice table on a terminal.
#pragma once

#include <cstddef>
#include <ostream>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

struct SliceTableOptions {
  size_t width = 120;  // columns of the terminal
  bool ascii = false;  // for terminals that are not UTF-8
};

// One row per slice; above it a line where the GPU is simulated, below it a line per slice that lost
// something. Where the table is wider than `width`, host, GPU and slice are cut in their middle, down to what
// tells them apart; numbers never are. Without slices: a sentence that says what to do.
void WriteSliceTable(const analyze::Profile& profile, const SliceTableOptions& options, std::ostream& out);

}  // namespace migprof::render
