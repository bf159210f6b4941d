// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace migprof::bench {

struct ChildResult {
  int status = -1;     // exit status; -1 when it could not be started or was killed
  double seconds = 0;  // wall
  double peak_mb = 0;  // largest resident set
  long faults = 0;     // pages that were touched for the first time, without reading a disk
};

// Runs a program to its end with its output thrown away.
ChildResult RunChild(const std::vector<std::string>& command,
                     const std::vector<std::pair<std::string, std::string>>& environment = {});

}  // namespace migprof::bench
