// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>

namespace migprof::bench {

// Runs the registered benchmarks whose names start with `prefix`, several times in random order, and returns the median
// time per iteration in ns by name.
std::map<std::string, double> RunMicro(const std::string& prefix);

}  // namespace migprof::bench
