// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <vector>

#include "tests/bench/child.h"
#include "tests/bench/figures.h"

namespace migprof::bench {

void BenchStart(Figures* figures) {
  std::printf("\n== start: a program without CUDA (/bin/true), plain and with libmigprof.so preloaded, in turn\n");
  const std::string library = BuiltFile("lib/libmigprof.so");
  std::vector<double> plain;
  std::vector<double> preloaded;
  for (int round = 0; round < 600; ++round) {
    plain.push_back(RunChild({"/bin/true"}).seconds * 1e3);
    preloaded.push_back(RunChild({"/bin/true"}, {{"LD_PRELOAD", library}}).seconds * 1e3);
  }
  const double plain_ms = Median(plain);
  const double preloaded_ms = Median(preloaded);
  std::printf("plain %.3f ms, preloaded %.3f ms (medians of %zu)\n", plain_ms, preloaded_ms, plain.size());
  figures->Add("plain_start_ms", preloaded_ms - plain_ms, "ms");
  figures->Add("plain_start_ratio", preloaded_ms / plain_ms, "x");
}

}  // namespace migprof::bench
