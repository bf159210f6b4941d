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
  std::vector<double> more_faults;
  for (int round = 0; round < 600; ++round) {
    const ChildResult without = RunChild({"/bin/true"});
    const ChildResult with = RunChild({"/bin/true"}, {{"LD_PRELOAD", library}});
    plain.push_back(without.seconds * 1e3);
    preloaded.push_back(with.seconds * 1e3);
    more_faults.push_back(static_cast<double>(with.faults - without.faults));
  }
  const double plain_ms = Median(plain);
  const double preloaded_ms = Median(preloaded);
  std::printf("plain %.3f ms, preloaded %.3f ms (medians of %zu)\n", plain_ms, preloaded_ms, plain.size());
  figures->Add("plain_start_ms", preloaded_ms - plain_ms, "ms");
  figures->Add("plain_start_ratio", preloaded_ms / plain_ms, "x");
  figures->Add("plain_start_page_faults", Median(more_faults), "more");
}

}  // namespace migprof::bench
