// SPDX-License-Identifier: Apache-2.0
// What stands in for dwarf_reader.cc in a build without libdw: no file holds any lines.
#include "libmigprof/analyze/dwarf_reader.h"

namespace migprof::analyze {

struct DwarfReader::Impl {};

DwarfReader::DwarfReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DwarfReader::~DwarfReader() = default;
bool DwarfReader::IsAvailable() { return false; }
std::unique_ptr<DwarfReader> DwarfReader::Open(int) { return nullptr; }
void DwarfReader::Resolve(std::span<const uint64_t>, const Found&) {}
std::string ReadDebugLink(int) { return ""; }

}  // namespace migprof::analyze
