// SPDX-License-Identifier: Apache-2.0
// Integers of one column <-> the bytes of a chunk payload (docs/trace-format.md, "Columns").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libmigprof/format/trace_format.h"

namespace migprof::format {

// Appends `values` to `payload` in the width that takes the fewest bytes, and returns the directory entry. `encoding`
// must be kPlain or kDelta.
ColumnEntry EncodeColumn(uint16_t id, ColumnEncoding encoding, std::span<const uint64_t> values,
                         std::vector<uint8_t>* payload);

// The reverse: `rows` values from the payload of a chunk into `values`, which is resized. False when `entry` does not
// fit the payload or itself; `values` is then unspecified.
bool DecodeColumn(const ColumnEntry& entry, uint32_t rows, std::span<const uint8_t> payload,
                  std::vector<uint64_t>* values);

}  // namespace migprof::format
