// SPDX-License-Identifier: Apache-2.0
// The frames of one trace file, looked up in the debug information of its modules.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/line_table.h"
#include "libmigprof/analyze/trace_definitions.h"

namespace migprof::analyze {

class FrameLines {
 public:
  // `lines` may be null: then nothing is known. Both must outlive it. `wanted` says whether the module at a path is to
  // be looked up at all; null: every one.
  FrameLines(const TraceDefinitions* definitions, LineTable* lines, bool (*wanted)(const std::string& path))
      : definitions_(definitions), lines_(lines), wanted_(wanted) {}

  // What is known of a frame, or null. The first call looks up all frames of the file at once, so all definitions must
  // be there by then.
  const SourceChain* Find(uint64_t frame);

 private:
  void LookUpAll();

  const TraceDefinitions* definitions_;
  LineTable* lines_;
  bool (*wanted_)(const std::string& path);
  absl::flat_hash_map<uint64_t, std::shared_ptr<const SourceChain>> chains_;
};

}  // namespace migprof::analyze
