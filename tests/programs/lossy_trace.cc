// SPDX-License-Identifier: Apache-2.0
// Writes a trace in which something is lost in every way that a recorder can lose it, each with a number of its own. A
// file is damaged, or lacks a part, only when somebody does that to it: for that there are several Flushes.
//
// usage: lossy_trace FILE PID [killed]: the file is not closed
#include <cstdint>
#include <string>

#include "libmigprof/format/trace_format.h"
#include "tests/support/trace_builder.h"

using migprof::format::CallClass;
using migprof::format::CallOutcome;
using migprof::testing_support::TraceBuilder;

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  TraceBuilder trace(argv[1]);
  trace.Process({{"pid", argv[2]}, {"graphs", "node"}});
  trace.Slice();
  const uint64_t module = trace.Module("/opt/app", 0x1000);
  const uint64_t launch = trace.Frame("cuLaunchKernel", trace.Module("/lib/libcuda.so.1"), 0x9000);
  const uint64_t stack = trace.Stack({trace.Frame("main", module, 0x2000), launch});
  // Python frames without an interpreter between the native ones.
  const uint64_t python = trace.PythonStack({trace.PythonFrame("<module>", "train.py", 12, true)});
  const uint64_t api = trace.String("cuLaunchKernel");
  const uint64_t shape = trace.Shape("kernel");
  uint64_t correlation = 0;
  uint64_t now_ns = 1'000'000;
  const auto call = [&](uint64_t times, uint64_t flags, bool with_kernel, uint64_t stack_node, uint64_t python_node) {
    for (uint64_t i = 0; i < times; ++i) {
      now_ns += 1000;
      trace.Call({.correlation = ++correlation,
                  .time_ns = now_ns,
                  .stack_node = stack_node,
                  .api = api,
                  .flags = flags,
                  .python_node = python_node});
      if (!with_kernel) continue;
      trace.Kernel({.correlation = correlation, .start_ns = now_ns + 100, .duration_ns = 500, .shape = shape});
    }
  };
  call(50, 0, true, stack, 0);
  call(2, 0, false, stack, 0);  // unmatched
  for (int i = 0; i < 3; ++i) {
    call(1, 0, false, stack, 0);
    trace.Outcome(correlation, CallOutcome::kCaptured);
  }
  for (int i = 0; i < 4; ++i) {
    call(1, 0, false, stack, 0);
    trace.Outcome(correlation, CallOutcome::kFailed);
  }
  trace.Flush();
  call(5, migprof::format::kCallStackMissing, true, 0, 0);
  call(6, migprof::format::kCallStackTruncated, true, stack, 0);
  call(7, migprof::format::kCallStackSampledOut, true, 0, 0);
  call(8, migprof::format::kCallPythonLost, true, stack, 0);
  call(9, 0, true, stack, python);  // unspliced
  trace.Lost(10);
  trace.Flush();
  for (uint64_t i = 0; i < 11; ++i) {  // orphaned
    now_ns += 1000;
    trace.Kernel({.correlation = 1'000'000 + i, .start_ns = now_ns, .duration_ns = 300, .shape = shape});
  }
  for (int i = 0; i < 12; ++i) {
    call(1, 0, false, stack, 0);
    trace.Kernel({.correlation = correlation, .shape = shape, .flags = migprof::format::kActivityUntimed});
  }
  trace.Flush();
  now_ns += 1000;
  trace.Call({.correlation = ++correlation,
              .time_ns = now_ns,
              .stack_node = stack,
              .api = trace.String("cuGraphLaunch"),
              .call_class = CallClass::kGraphLaunch});
  for (uint64_t i = 0; i < 13; ++i) {  // of nodes that nobody knows
    now_ns += 1000;
    trace.Kernel(
        {.correlation = correlation, .start_ns = now_ns, .duration_ns = 100, .shape = shape, .graph_node = 900 + i});
  }
  trace.Counters({{"process.ranges_lost", 14},
                  {"process.unplaced_losses", 16},
                  {"device.dropped_other_calls", 15},
                  {"process.stopped_by_error", 28}});
  if (argc == 3) trace.Close();
  return 0;
}
