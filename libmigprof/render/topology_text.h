// SPDX-License-Identifier: Apache-2.0
// How the GPUs of a host are cut, and who uses the slices, as text for a terminal.
#pragma once

#include <cstddef>
#include <ostream>

#include "libmigprof/mig/topology.h"

namespace migprof::render {

struct TopologyTextOptions {
  size_t width = 100;  // cells; UUIDs are never cut, and get lines of their own where they do not fit
  bool ascii = false;
  bool colour = false;  // bold headings, for terminals
};

void WriteTopologyText(const mig::Host& host, const TopologyTextOptions& options, std::ostream& out);

}  // namespace migprof::render
