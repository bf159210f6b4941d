// SPDX-License-Identifier: Apache-2.0
// Names of code that a just-in-time compiler made, from the file it writes for perf: /tmp/perf-<pid>.map, one line
// "START SIZE NAME" (hexadecimal, hexadecimal, the rest of the line) per function, later lines overriding earlier ones.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>
#include <string>

#include "libmigprof/record/symbol_scan.h"

namespace migprof::record {

// Drain thread only.
class JitMap {
 public:
  // `path`: the file; empty: that of this process. It is read only if it is a regular file, no link, of the user this
  // process runs as: anybody may write to /tmp.
  explicit JitMap(std::string path = "") : path_(std::move(path)) {}

  // Answers those of `queries` that the file has a line for; addresses are of memory. Reads the file when it has
  // changed since the last call or `is_new` says that there are queries it was not read for, at most kMostBytes of it,
  // and not so often that reading takes more than a twentieth of the time, unless `forced`. Returns whether it read the
  // file.
  bool Resolve(std::span<SymbolQuery> queries, bool is_new, bool forced);

  static constexpr uint64_t kMostBytes = 256 << 20;

 private:
  int OpenIfDue(bool is_new, bool forced);

  std::string path_;
  struct stat last_ {};
  uint64_t next_read_ns_ = 0;
};

}  // namespace migprof::record
