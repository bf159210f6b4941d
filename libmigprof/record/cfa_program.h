// SPDX-License-Identifier: Apache-2.0
// Runs the call frame instructions of one function up to one address.
#pragma once

#include <cstdint>

#include "libmigprof/record/unwind_rule.h"

namespace migprof::record {

// `entry`: a frame description entry of a loaded .eh_frame section, at its run-time address. kFramePointer when it does
// not cover `pc`, kUnknown when what it says does not fit into a rule.
UnwindRule RuleOfEntry(const uint8_t* entry, uint64_t pc) noexcept;

}  // namespace migprof::record
