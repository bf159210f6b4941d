// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/micro.h"

#include <vector>

#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

class Collector : public benchmark::ConsoleReporter {
 public:
  Collector() : ConsoleReporter(OO_None) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration && !run.error_occurred) {
        times[run.run_name.function_name].push_back(run.GetAdjustedRealTime());
      }
    }
  }

  std::map<std::string, std::vector<double>> times;
};

}  // namespace

std::map<std::string, double> RunMicro(const std::string& prefix) {
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector, "^" + prefix);
  std::map<std::string, double> medians;
  for (const auto& [name, times] : collector.times) medians[name] = Median(times);
  return medians;
}

}  // namespace migprof::bench
