// SPDX-License-Identifier: Apache-2.0
// What a trace says of its process, without a look at its events.
#pragma once

#include "libmigprof/analyze/profile.h"
#include "libmigprof/analyze/trace_scan.h"

namespace migprof::analyze {

// Of its health, all that needs no join: losses that were counted, damage seen so far, files that were deleted.
ProcessInfo DescribeProcess(const TraceScan& scan);

}  // namespace migprof::analyze
