// SPDX-License-Identifier: Apache-2.0
// Which code of the program most of a slice's idle time passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

struct IdleCulprit {
  std::string name;          // clean, as shown in pictures
  uint64_t idle_ns = 0;      // of the frame, wherever in the tree it stands
  uint64_t all_idle_ns = 0;  // of the tree
};

// The function deepest in the idle tree that still holds at least 60 % of it; where none but an entry point
// (`<module>`, main, …) does, the deepest that holds at least 35 %. Python functions are preferred to native ones,
// these to ranges, and all to entry points and CUDA calls. A function that is reached on several ways counts once, with
// the sum. Nothing for an empty tree and where no frame is that of the program.
std::optional<IdleCulprit> FindIdleCulprit(const analyze::StackTree& idle, const analyze::FrameTable& frames);

// Idle time after processes had done their last GPU work, while they were there.
struct IdleTail {
  std::string process;  // clean: the one with most of it
  uint64_t idle_ns = 0;
};

// Nothing where there is none.
std::optional<IdleTail> FindIdleTail(const analyze::StackTree& idle, const analyze::FrameTable& frames);

}  // namespace migprof::render
