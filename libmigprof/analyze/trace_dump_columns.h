// SPDX-License-Identifier: Apache-2.0
// What migprof-dump calls the chunks of a trace and their columns.
#pragma once

#include <cstdint>
#include <span>

#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {

// How a number is written.
enum class Style { kDecimal, kHexadecimal, kString, kKernel };

struct ColumnStyle {
  uint16_t id;
  const char* name;
  Style style = Style::kDecimal;
};

struct RecordStyle {
  format::ChunkKind kind;
  const char* name;
  std::span<const ColumnStyle> columns;
};

// Of every kind whose columns are numbers and nothing else.
std::span<const RecordStyle> RecordStyles();

// "unknown" for a kind that is.
const char* KindName(format::ChunkKind kind);

}  // namespace migprof::analyze
