// SPDX-License-Identifier: Apache-2.0
// What helps against idle time, by what the slice copied.
#pragma once

#include <string>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// One sentence or two: copies that are small, read back, or slower than the bus; else how to copy at all.
std::string CopyAdvice(const analyze::SliceProfile& slice);

// Against one cause of idle time; empty where nothing general can be said.
std::string AdviceFor(const analyze::SliceProfile& slice, analyze::IdleCause cause);

}  // namespace migprof::render
