// SPDX-License-Identifier: Apache-2.0
// Chunks of named values: facts about the process and the slice, and counters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libmigprof/format/chunk_writer.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::record {

using Facts = std::vector<std::pair<std::string, std::string>>;
using Counters = std::vector<std::pair<std::string, uint64_t>>;

format::ChunkBuilder FactsChunk(format::ChunkKind kind, const Facts& facts);
format::ChunkBuilder CountersChunk(format::ChunkKind kind, const Counters& counters);

}  // namespace migprof::record
