// SPDX-License-Identifier: Apache-2.0
// summary.json: all numbers of a profile, for programs.
#pragma once

#include <ostream>

#include "libmigprof/analyze/profile.h"

namespace migprof::render {

// An object of schema "migprof.summary/1", slices in the order of the profile. Times are in ns;
// what is not known is null. Fields may be added within a version, none removed or changed.
void WriteSummaryJson(const analyze::Profile& profile, std::ostream& out);

// The JSON Schema of it (summary.schema.json), to be published beside it.
void WriteSummarySchema(std::ostream& out);

}  // namespace migprof::render
