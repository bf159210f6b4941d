// SPDX-License-Identifier: Apache-2.0
// Writes small sound traces for the fuzzer to start from. usage: fuzz_make_seeds FOLDER
#include <filesystem>

#include "tests/support/trace_builder.h"

int main(int argc, char** argv) {
  using migprof::testing_support::TraceBuilder;
  namespace format = migprof::format;
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  {
    TraceBuilder trace((folder / "one_of_everything").string());
    trace.Process();
    trace.Slice();
    const uint64_t app = trace.Module("/usr/bin/app", 0x1000);
    const uint64_t cuda = trace.Module("/lib/libcuda.so.1");
    const uint64_t stack = trace.Stack({trace.Frame("_start", app, 0x1500), trace.Frame("main", app, 0x2000),
                                        trace.Frame("", app, 0x3000), trace.Frame("cuLaunchKernel", cuda, 0x9000)});
    const uint64_t api = trace.String("cuLaunchKernel");
    const uint64_t shape = trace.Shape("_ZN2nn4geluINS_4Bf16EEEvPT_i");
    for (uint64_t i = 1; i <= 3; ++i) {
      trace.Call({.correlation = i, .time_ns = 1000 * i, .stack_node = stack, .api = api});
      trace.Kernel({.correlation = i, .start_ns = 1000 * i + 100, .duration_ns = 50, .shape = shape});
    }
    trace.Call({.correlation = 4, .time_ns = 4000, .api = api, .call_class = format::CallClass::kGraphLaunch});
    trace.Kernel({.correlation = 4, .shape = shape, .flags = format::kActivityUntimed});
    trace.Outcome(3, format::CallOutcome::kFailed);
    trace.Transfer({.correlation = 9, .start_ns = 5000, .duration_ns = 10, .bytes = 64, .what = format::kMemset});
    trace.Counter({.time_ns = 6000, .counter = 17, .value = 990'000, .span_ns = 5000});
    trace.Counter({.time_ns = 6000, .counter = 1, .value = 4, .flags = format::kCounterRefused});
    trace.Lost(2);
    trace.Close();
  }
  {
    TraceBuilder trace((folder / "only_facts").string());
    trace.Process({{"simulated", "1"}, {"host", "a;b<c>&\"\x01"}});
    trace.Slice({{"mig_uuid", ""}, {"profile", ""}});
    trace.Close();
  }
  return 0;
}
