// SPDX-License-Identifier: Apache-2.0
// What a flamegraph of a slice is of: which of its trees, in which unit, and what its numbers are called.
// viewer/view_texts.js says the same in the browser.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

enum class FlamegraphView : uint8_t {
  kGpuTime,  // what ran, by the code that launched it; ns
  kIdle,     // why nothing ran, by the code that ended the gap; ns
  kMemory,   // what held device memory when it was fullest, by the code that allocated it; bytes
};
inline constexpr std::array kFlamegraphViews = {FlamegraphView::kGpuTime, FlamegraphView::kIdle,
                                                FlamegraphView::kMemory};

// "gpu", "idle", "memory": in options, file names and encoded trees.
const char* ViewName(FlamegraphView view);

// "GPU time", "Idle time", "Memory": for people.
const char* ViewLabel(FlamegraphView view);

// A sentence for a picture without frames.
const char* NothingInView(FlamegraphView view);

const analyze::StackTree& TreeOf(const analyze::SliceProfile& slice, FlamegraphView view);

// A weight of the view's tree in its unit: "1.23 ms", "4.10 GB".
std::string HumanAmount(uint64_t amount, FlamegraphView view);

}  // namespace migprof::render
