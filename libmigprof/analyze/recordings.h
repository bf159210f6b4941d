// SPDX-License-Identifier: Apache-2.0
// Files that are one recording: where MIGPROF_MAX_BYTES or MIGPROF_WINDOW bounds it, a process writes several of a
// slice.
#pragma once

#include <vector>

#include "libmigprof/analyze/trace_scan.h"

namespace migprof::analyze {

// Puts the files of each recording together, in the order in which they were written. A file that another says was
// deleted is left out, though it is still there: the process was killed before it was, or it was copied in time. Files
// that should be there and are not become problems. What is alone stays as it is.
std::vector<TraceScan> JoinSegments(std::vector<TraceScan> scans);

}  // namespace migprof::analyze
