// SPDX-License-Identifier: Apache-2.0
// How the GPUs of a host are cut, and who uses the slices, for programs. slices.schema.json describes it.
#pragma once

#include <ostream>

#include "libmigprof/mig/topology.h"

namespace migprof::render {

// What is not known is null.
void WriteTopologyJson(const mig::Host& host, std::ostream& out);

// The JSON Schema of WriteTopologyJson.
void WriteTopologySchema(std::ostream& out);

}  // namespace migprof::render
