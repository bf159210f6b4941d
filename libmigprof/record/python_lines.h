// SPDX-License-Identifier: Apache-2.0
// Line numbers of Python code, from the tables CPython keeps them in.
#pragma once

#include <cstdint>
#include <span>

#include "libmigprof/record/python_layout.h"

namespace migprof::record {

struct PythonLines {
  LineTableFormat format = LineTableFormat::kLocationTable;
  int32_t first_line = 0;
  bool is_cut = false;  // the table's end is missing
  std::span<const uint8_t> table;
};

// The line of the instruction at byte `lasti`; the first line before the first instruction; 0 when it has none or the
// table ends before it. Never reads outside of the table, whatever is in it.
uint32_t PythonLine(const PythonLines& lines, int32_t lasti);

}  // namespace migprof::record
