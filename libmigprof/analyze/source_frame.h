// SPDX-License-Identifier: Apache-2.0
// What debug information says of one address.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace migprof::analyze {

struct SourceFrame {
  std::string function;         // mangled where the compiler wrote it down, else with its namespaces; may be empty
  std::string file;             // where execution is in this function; empty when unknown
  uint32_t line = 0;            // 0: unknown
  std::string definition_file;  // where the function itself stands
  uint32_t definition_line = 0;
};

// Outermost first: the function that owns the code, then what the compiler inlined into it at this address.
using SourceChain = std::vector<SourceFrame>;

}  // namespace migprof::analyze
