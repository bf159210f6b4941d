// SPDX-License-Identifier: Apache-2.0
// What stands above every picture of a profile, and beside every row of a table: where it ran, how
// much it did, and how far to trust it. In plain words, the same in every output.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "libmigprof/analyze/profile.h"
#include "libmigprof/render/flamegraph_view.h"

namespace migprof::render {

struct Figure {
  std::string label;  // "busy"
  std::string value;  // "71.2%"
};

struct Headline {
  std::vector<std::string> place;  // host, GPU, slice; or how many of each
  std::vector<Figure> figures;     // of the view; of GPU time: GPU time, window, busy, kernels, copies, memsets
  std::string verdict;             // Verdict, or "Nothing recorded"
  std::string health;              // DescribeHealth
  bool loss = false;               // something was lost: pictures show `health` as a warning
  bool simulated = false;
  FlamegraphView view = FlamegraphView::kGpuTime;

  // "migprof — host / GPU / slice", and what the picture is of where that is not GPU time.
  std::string Title() const;
};

// Of all slices, or of one.
Headline MakeHeadline(const analyze::Profile& profile, std::optional<size_t> slice = std::nullopt,
                      FlamegraphView view = FlamegraphView::kGpuTime);

// "1,204 launches · 1,190 matched · 10 unmatched · 4 dropped · 3 untimed · 0 bytes damaged", then
// what else is not zero. `killed` is the number of processes that never closed their file.
std::string DescribeHealth(const analyze::Health& health, size_t killed);

// "12 launches and 34 activities deleted with 5 old files (12 MB)".
std::string DescribeRotated(const analyze::Health& health);

// Whether everything is there, in a few words. `loss`: it is not.
const char* Verdict(const analyze::Health& health, bool loss);

// Processes of the slice whose file was never closed.
size_t KilledProcesses(const analyze::SliceProfile& slice);

}  // namespace migprof::render
