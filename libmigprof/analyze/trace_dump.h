// SPDX-License-Identifier: Apache-2.0
// A trace file as text, for people, tests and bug reports.
#pragma once

#include <iosfwd>
#include <string>

#include "absl/status/status.h"

namespace migprof::analyze {

struct DumpOptions {
  bool chunks_only = false;  // one line per chunk instead of one per row
  bool all = false;          // however much text that is
};

// Writes one line per row, in file order: the kind of record, then name=value pairs; text is quoted. Damage is a line
// of its own. Stops with a line that says what is left where there is more text than honest files of that size are.
// Fails when the file cannot be read at all.
absl::Status DumpTrace(const std::string& path, const DumpOptions& options, std::ostream& out);

}  // namespace migprof::analyze
