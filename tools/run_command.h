// SPDX-License-Identifier: Apache-2.0
// `migprof run`: a program under the recorder, then the merged result.
#pragma once

#include <string>
#include <vector>

#include "tools/merge_command.h"

namespace migprof::tools {

struct RunOptions {
  std::vector<std::string> command;
  std::string traces;   // folder; empty: MIGPROF_OUTPUT, else its default
  std::string library;  // libmigprof.so; empty: the one beside this program
  bool merge = true;
  MergeOptions merge_options;
};

// Exit status: that of the program, or Merge's if that is 0 and the options ask to be strict, 128 + n when signal n
// ended it, 127 when it cannot be started; 125 when libmigprof.so is missing.
int Run(const RunOptions& options);

}  // namespace migprof::tools
