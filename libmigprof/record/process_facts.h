// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "libmigprof/record/key_values.h"

namespace migprof::record {

// What a trace says of the process that wrote it. Nothing of its environment, and of its arguments only where asked.
struct ProcessInfo {
  std::string host;
  std::string boot_id;  // of the running kernel: tells hosts of one name apart
  uint32_t pid = 0;
  std::string name;          // as in /proc/self/comm, whole where that is cut
  uint64_t start_ns = 0;     // of the session, since 1970
  std::string command_line;  // the arguments with spaces between them, 4096 bytes at most; empty unless asked for
};

// `with_arguments`: MIGPROF_RECORD_ARGS.
ProcessInfo ReadProcessInfo(bool with_arguments);

// "20261120T081958.123Z": UTC, for file names.
std::string CompactUtc(uint64_t realtime_ns);

}  // namespace migprof::record
