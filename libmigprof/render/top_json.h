// SPDX-License-Identifier: Apache-2.0
// What the slices of a host do at a moment, for programs. top.schema.json describes it.
#pragma once

#include <ostream>

#include "libmigprof/mig/live_sample.h"

namespace migprof::render {

// What is not known is null. `indent` is by how many blanks; less than 0 puts all on one line.
void WriteTopJson(const mig::LiveSample& sample, int indent, std::ostream& out);

// The JSON Schema of WriteTopJson.
void WriteTopSchema(std::ostream& out);

}  // namespace migprof::render
