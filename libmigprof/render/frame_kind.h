// SPDX-License-Identifier: Apache-2.0
// How a frame is shown: the name of its kind, its colour, and what of its name fits into a width.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "libmigprof/analyze/stack_tree.h"

namespace migprof::render {

// By FrameKind: what legend and tooltip call it.
inline constexpr std::array<const char*, 14> kKindLabels = {
    "Host",       "GPU",    "Slice",       "Process",    "Native code",     "Python", "CUDA API",
    "CUDA graph", "Kernel", "Memory copy", "Memory set", "Lost or unknown", "Range",  "Idle"};

inline const char* KindLabel(analyze::FrameKind kind) {
  return kKindLabels[static_cast<size_t>(kind) % kKindLabels.size()];
}

// The class of viewer/palette.css that colours the frame, e.g. "ki2": the letter is the kind, the
// digit one of four shades that depends on the whole name alone, so that neighbours of one kind can
// be told apart and a function looks the same in every picture. Of a cause of idleness the digit is the cause.
// viewer/frames.js says the same.
std::string ColorClass(const analyze::Frame& frame);

// What of the name to show in `cells` of a monospaced font: all of it; without arguments; without
// outer namespaces; cut. Empty when nothing readable fits. viewer/frames.js says the same.
std::string FitLabel(const std::string& name, size_t cells);

}  // namespace migprof::render
