// SPDX-License-Identifier: Apache-2.0
// What machine code itself says about calls and callers, where there is no unwind information.
#pragma once

#include <cstdint>

#include "libmigprof/record/unwind_rule.h"

namespace migprof::record {

// Whether a call may end at `pc`, which is in loaded code.
bool FollowsCall(uint64_t pc) noexcept;

// The rule of a frame that returns to `pc`, if the instructions there are known to take a frame down, or to return from
// a signal handler; else kFramePointer. Any `pc`: the kernel is asked whether there is memory.
UnwindRule RuleOfCode(uint64_t pc) noexcept;

}  // namespace migprof::record
