// SPDX-License-Identifier: Apache-2.0
// Writes two traces, of two hosts, in which whatever somebody can name is named after MARKER.
// They are FOLDER/1.migtrace and 2.migtrace.
// usage: marked_traces MARKER FOLDER [PROFILE]
#include <cstdint>
#include <string>

#include "tests/support/trace_builder.h"

namespace {

using migprof::format::AllocationOperation;
using migprof::format::CallClass;
using migprof::format::CallOutcome;
using migprof::testing_support::TraceBuilder;

constexpr uint64_t kStart = 1'700'000'000'000'000'000;
constexpr uint64_t kStep = 1'000'000;

void Write(const std::string& marker, const std::string& folder, int host, const std::string& profile) {
  const std::string number = std::to_string(host);
  TraceBuilder trace(folder + "/" + number + ".migtrace");
  trace.Process({{"host", marker + "-node" + number},
                 {"boot_id", marker + "-boot" + number},
                 {"pid", std::to_string(100 + host)},
                 {"process_name", marker + "_train"},
                 {"command_line", marker + "_train --token " + marker}});
  trace.Slice({{"gpu_uuid", "GPU-" + marker + number + "-1111"},
               {"mig_uuid", profile.empty() ? "" : "MIG-" + marker + number + "-2222"},
               {"profile", profile},
               {"pci_bus_id", marker + ":00.0"},
               {"source", marker}});
  const uint64_t app = trace.Module("/opt/" + marker + "/" + marker + "_app", 0x1000);
  const uint64_t python = trace.Module("/usr/bin/python3.12");
  const uint64_t cuda = trace.Module("/lib/libcuda.so.1");
  const uint64_t launch = trace.Frame("cuLaunchKernel", cuda, 0x9000);
  const uint64_t main_frame = trace.Frame("main", app, 0x2000);
  const uint64_t step = trace.Frame(marker + "::Step<" + marker + "::Model>(int)", app, 0x3000);
  const uint64_t native = trace.Stack({main_frame, step, trace.Frame("", app, 0x3500), launch});
  const uint64_t nameless = trace.Stack(
      {main_frame, trace.Frame(marker + "_jit", 0, 0x7f0000001000), trace.Frame("", 0, 0x7f0000002000), launch});
  const uint64_t interpreted =
      trace.Stack({main_frame, trace.Frame("_PyEval_EvalFrameDefault", python, 0x5000), step, launch});
  const uint64_t python_stack = trace.PythonStack(
      {trace.PythonFrame("<module>", "/home/" + marker + "/" + marker + ".py", 3, true),
       trace.PythonFrame(marker + ".fit", "/home/" + marker + "/lib (" + marker + ").py", 30, false)});
  const uint64_t outer = trace.Range(marker + " epoch", 0, marker + "_domain");
  const uint64_t range = trace.Range(marker + " [step]", outer);
  const uint64_t shapes[] = {trace.Shape(marker + "_wgmma_kernel", {.grid = 64, .block = 128, .registers = 32}),
                             trace.Shape(marker + "_plain<" + marker + ">(float*)", {.grid = 3, .block = 64})};
  const uint64_t stacks[] = {native, nameless, interpreted};
  for (uint64_t i = 0; i < 12; ++i) {
    const uint64_t now = kStart + host * 7 + i * kStep;
    trace.Call({.correlation = i + 1,
                .time_ns = now,
                .stack_node = stacks[i % 3],
                .api = trace.String("cuLaunchKernel"),
                .python_node = i % 3 == 2 ? python_stack : 0,
                .range_node = i % 2 == 0 ? range : outer});
    trace.Kernel({.correlation = i + 1,
                  .start_ns = now + 1000 * (i + 1),
                  .duration_ns = 100'000 + i * 1111,
                  .shape = shapes[i % 2]});
  }
  trace.Call({.correlation = 50,
              .time_ns = kStart + 100,
              .stack_node = native,
              .api = trace.String("cuMemAlloc_v2"),
              .call_class = CallClass::kAllocate});
  trace.Outcome(50, CallOutcome::kReturned);
  trace.Allocation({.correlation = 50, .time_ns = kStart + 200, .address = 0x1000, .bytes = 1 << 20});
  trace.Call({.correlation = 51,
              .time_ns = kStart + 2 * kStep + 300'000,
              .stack_node = native,
              .api = trace.String(marker + "_api"),
              .call_class = CallClass::kMemcpy});
  trace.Transfer({.correlation = 51, .start_ns = kStart + 2 * kStep + 310'000, .duration_ns = 5000, .bytes = 4096});
  trace.Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  Write(argv[1], argv[2], 1, argc == 4 ? argv[3] : "1g.10gb");
  Write(argv[1], argv[2], 2, "");
  return 0;
}
