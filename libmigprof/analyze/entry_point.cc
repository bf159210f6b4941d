// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/entry_point.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/match.h"

namespace migprof::analyze {

bool IsEntryPoint(const Frame& frame) {
  constexpr std::array kNames = {"main",       "_start",     "__libc_start_main", "start_thread",
                                 "clone",      "clone3",     "__clone3",          "Py_BytesMain",
                                 "Py_RunMain", "_bootstrap", "_bootstrap_inner",  "run"};
  if (frame.entry_point) return true;
  const std::string& name = frame.name;
  const std::string bare = name.substr(0, name.find_first_of(" (@"));
  return absl::StartsWith(name, "<module>") || absl::StartsWith(name, "std::") || absl::StartsWith(name, "main::") ||
         absl::StrContains(name, "__libc_start") || absl::StrContains(name, "threading.py") ||
         std::find(kNames.begin(), kNames.end(), bare) != kNames.end();
}

}  // namespace migprof::analyze
