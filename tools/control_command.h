// SPDX-License-Identifier: Apache-2.0
// `migprof start|stop|flush PID`: what another process of the same user is to record.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "libmigprof/base/control_file.h"

namespace migprof::tools {

struct ControlOptions {
  ControlVerb verb = ControlVerb::kFlush;
  std::vector<pid_t> pids;
  double timeout_seconds = 10;
};

// Asks each process and waits for its answer. Exit status: 0 when all have obeyed, else 1.
int Control(const ControlOptions& options);

}  // namespace migprof::tools
