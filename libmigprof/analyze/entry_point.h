// SPDX-License-Identifier: Apache-2.0
// Functions that explain nothing, because they are always there.
#pragma once

#include "libmigprof/analyze/stack_tree.h"

namespace migprof::analyze {

// Whether the frame is that of a function that is always there, or that only calls others: main, `<module>`, what
// starts threads. Judged by its name, or by Frame::entry_point where the name was taken away.
bool IsEntryPoint(const Frame& frame);

}  // namespace migprof::analyze
