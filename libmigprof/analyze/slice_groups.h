// SPDX-License-Identifier: Apache-2.0
// Which trace files are about the same slice.
#pragma once

#include <cstddef>
#include <vector>

#include "libmigprof/analyze/trace_scan.h"
#include "libmigprof/mig/slice_identity.h"

namespace migprof::analyze {

// The UUID alone does not tell: it is used again when a card is cut anew. Two files are of one slice when host, boot
// and UUID are the same and nothing that both know of it differs: profile, instance ids, placement, SMs, memory, GPU.
// What a process could not ask is no difference; where it fits several slices, it belongs to the one that was used
// nearest in time.
//
// Returns the files of each slice by their index in `scans`, ascending; slices by their first file. The order of
// `scans` decides nothing else.
std::vector<std::vector<size_t>> GroupBySlice(const std::vector<const TraceScan*>& scans);

// Adds to `identity` what only `other`, of the same slice, knows.
void AddIdentity(const mig::SliceIdentity& other, mig::SliceIdentity* identity);

}  // namespace migprof::analyze
