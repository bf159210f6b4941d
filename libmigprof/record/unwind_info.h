// SPDX-License-Identifier: Apache-2.0
// Reads unwind rules out of the .eh_frame sections of the loaded modules (DWARF 5 §6.4, Linux Standard Base §10.6),
// without allocating, locking or calling into libunwind.
#pragma once

#include <cstdint>

#include "libmigprof/record/unwind_rule.h"

namespace migprof::record {

// Looks up what it needs from libc. Once per process, before any FindUnwindRule; not on a launching thread.
void PrepareUnwindInfo();

// The rule of the frame that is at address `pc`: a return address, or with `exact` the instruction that was
// interrupted. Any thread. kUnknown where the unwind information cannot be expressed as a rule or found, kFramePointer
// where there is none.
UnwindRule FindUnwindRule(uint64_t pc, bool exact) noexcept;

// As above, by unwind information alone: what code without any says about itself is not asked.
UnwindRule FindDescribedRule(uint64_t pc, bool exact) noexcept;

// FindDescribedRule with given unwind information: `header` is the content of a PT_GNU_EH_FRAME segment at its run-time
// address.
UnwindRule ReadUnwindRule(const uint8_t* header, uint64_t pc, bool exact) noexcept;

}  // namespace migprof::record
