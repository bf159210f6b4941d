// SPDX-License-Identifier: Apache-2.0
// The one table of MIGPROF_* environment variables: name, default, range and help text live here and nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "libmigprof/base/raw_log.h"

namespace migprof {

// How much is recorded of the work in CUDA graphs.
enum class GraphDetail : uint8_t {
  kNode,   // every kernel and copy, and where each node was captured or added
  kGraph,  // one duration per launch of a graph
  kOff,    // every kernel and copy, under the launch of the graph
};

// The settings of one recording, as read from the environment.
struct Options {
  std::array<char, 4096> output{};   // folder for traces
  std::array<char, 4096> cupti{};    // libcupti to load; empty: search
  std::array<char, 4096> chain{};    // injection library to load as well; empty: none
  std::array<char, 4096> control{};  // folder of control files; empty: the default one
  bool disabled = false;
  bool start = true;       // record from the start
  bool controlled = true;  // obey a control file
  bool yield = false;      // give CUPTI up when another client wants it, and while recording is stopped
  bool stacks = true;
  bool python = true;
  bool record_args = false;  // the command line goes into the trace
  GraphDetail graphs = GraphDetail::kNode;
  LogLevel log = LogLevel::kNormal;
  uint32_t max_depth = 0;         // native frames kept per call
  uint32_t ring_kb = 0;           // KiB of ring per launching thread
  uint32_t flush_ms = 0;          // longest time an event stays in memory only
  uint32_t exit_timeout_ms = 0;   // longest time exit is delayed
  uint32_t buffer_kb = 0;         // KiB per CUPTI activity buffer
  uint64_t max_memory_bytes = 0;  // what the recorder may take of the process's memory
  uint32_t budget_ppm = 0;        // share of a thread's time that recording may take, in millionths; 0: no limit
  uint32_t counters_ms = 0;       // between two samples of NVML's counters; 0: none
  uint64_t max_bytes = 0;         // of all trace files of the process; 0: no limit
  uint32_t window_ms = 0;         // of events that are kept; 0: all
  uint32_t check_stacks = 0;      // compare one of so many captured stacks with libunwind's; 0: none
};

// What one variable means. `parse` reads `text` into `options` and returns false when it is out of range.
struct OptionSpec {
  const char* name;
  const char* default_text;
  const char* range;  // for humans
  const char* help;
  bool (*parse)(const char* text, Options* options);
};

// All variables, in the order in which they are documented.
extern const std::array<OptionSpec, 23> kOptionSpecs;

// Called once per complaint about the environment, with a sentence such as "MIGPROF_RING_KB=x is not …".
using OptionComplaint = void (*)(const char* sentence);

// Reads every MIGPROF_* variable of `environment` (a null-terminated list of NAME=value). A value out of range keeps
// the default and is complained about; so is a name that starts with MIGPROF_ and is in no table. Allocates nothing.
Options ReadOptions(const char* const* environment, OptionComplaint complain);

// The table as Markdown rows, as printed by `migprof options` and shown in the README.
std::string OptionTableMarkdown();

}  // namespace migprof
