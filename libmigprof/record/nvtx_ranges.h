// SPDX-License-Identifier: Apache-2.0
// NVTX's calls -> RangeStack.
#pragma once

#include "libmigprof/record/nvtx_table.h"

namespace migprof::record {

// Puts the functions for ranges, domains and registered strings into the table of one binary that uses NVTX. False when
// that binary's NVTX is of another kind. Called once per binary, on the thread of its first NVTX call.
bool AttachNvtx(nvtx::GetExportTable get_export_table) noexcept;

}  // namespace migprof::record
