// SPDX-License-Identifier: Apache-2.0
// Source lines and inlined functions from DWARF, by elfutils' libdw.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "libmigprof/analyze/source_frame.h"

namespace migprof::analyze {

// One file. Not thread-safe. Broken files can make libdw crash or turn forever: use it in an isolated task.
class DwarfReader {
 public:
  using Found = std::function<void(uint64_t address, const SourceChain& chain)>;

  // Whether this build has libdw.
  static bool IsAvailable();

  // Null when the file, open as `descriptor`, holds no DWARF. The descriptor must stay open as long as the reader.
  static std::unique_ptr<DwarfReader> Open(int descriptor);
  ~DwarfReader();

  // Calls `found` for every address of which something is known. `addresses` are sorted, each once, in the file's own
  // address space, and of the call itself, not of the instruction it returns to. Walks each compilation unit that
  // covers any of them once, and looks into those functions only that cover one.
  void Resolve(std::span<const uint64_t> addresses, const Found& found);

 private:
  struct Impl;
  explicit DwarfReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The file name that an ELF file gives for its separate debug information (.gnu_debuglink); empty when there is none,
// or when it is more than a name.
std::string ReadDebugLink(int descriptor);

}  // namespace migprof::analyze
