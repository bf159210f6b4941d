// SPDX-License-Identifier: Apache-2.0
// The options of merging on a command line: of migprof-merge, and of `migprof run`, which merges too.
#pragma once

#include "tools/command_line.h"
#include "tools/merge_command.h"

namespace migprof::tools {

// Makes `app` fill `options`, which must outlive it, with all but the inputs.
void AddMergeOptions(CLI::App* app, MergeOptions* options);

}  // namespace migprof::tools
