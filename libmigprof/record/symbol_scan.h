// SPDX-License-Identifier: Apache-2.0
// Function names for a few addresses of one ELF file, without keeping its symbol table.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace migprof::record {

struct SymbolQuery {
  uint64_t address = 0;  // in the file's own address space
  std::string name;      // out: as in the symbol table; empty when no function covers the address
  uint64_t offset = 0;   // out: address - start of the function
};

// Answers all `queries` in one pass over .symtab, or .dynsym where that is all there is. Reads with pread and never
// maps the file: a file that shrinks meanwhile must not kill the process. `build_id` (hexadecimal, may be empty) must
// be the file's, else nothing is answered: the file on disk is then not the one that runs. Returns false when the file
// could not be used.
bool ScanSymbols(const std::string& path, const std::string& build_id, std::span<SymbolQuery> queries);

}  // namespace migprof::record
