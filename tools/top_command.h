// SPDX-License-Identifier: Apache-2.0
// `migprof top`: what the slices of this host do, again and again.
#pragma once

#include <string>

namespace migprof::tools {

struct TopOptions {
  double interval_seconds = 1;
  bool once = false;
  bool json = false;    // for programs; one line per reading unless `once`
  bool schema = false;  // print the JSON Schema of the former instead
  std::string sort = "slice";
  bool only_used = false;
  std::string openmetrics;  // where to serve metrics; empty: nowhere
};

// Exit status: 0 after q, a signal, or `once`; 1 when no driver can be asked, stdout cannot be written, or the metrics
// cannot be served.
int Top(const TopOptions& options);

}  // namespace migprof::tools
