// SPDX-License-Identifier: Apache-2.0
// Names of functions in DWARF.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace migprof::analyze {

class DwarfNames {
 public:
  // The mangled name where the compiler wrote one; else the plain name with the namespaces and classes around it; empty
  // when there is none. `die`: a subprogram or an inlined subroutine.
  std::string FunctionName(Dwarf_Die* die);

 private:
  // Namespaces and classes around the functions of one unit, by the functions' offsets.
  using Scopes = std::unordered_map<Dwarf_Off, std::string>;

  const Scopes& ScopesOf(Dwarf_Die* unit);
  static void CollectScopes(Dwarf_Die* parent, const std::string& scope, int depth, Scopes* scopes);

  std::unordered_map<Dwarf_Off, Scopes> units_;
};

}  // namespace migprof::analyze
