// SPDX-License-Identifier: Apache-2.0
// migprof-bench [TOPIC…]: measures, prints what it measured, and at the end the figures. No topic means all.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tests/bench/figures.h"

int main(int argc, char** argv) {
  using migprof::bench::Figures;
  struct Topic {
    const char* name;
    void (*run)(Figures*);
  };
  const Topic topics[] = {
#ifdef MIGPROF_BENCH_RECORDER
      {"ring", migprof::bench::BenchRing},         {"capture", migprof::bench::BenchCapture},
      {"launch", migprof::bench::BenchLaunch},     {"start", migprof::bench::BenchStart},
      {"trace", migprof::bench::BenchTrace},       {"python", migprof::bench::BenchPython},
      {"counters", migprof::bench::BenchCounters}, {"top", migprof::bench::BenchTop},
      {"storm", migprof::bench::BenchStorm},
#endif
      {"merge", migprof::bench::BenchMerge},       {"draw", migprof::bench::BenchDraw},
      {"symbols", migprof::bench::BenchSymbols},
  };
  // Pairs that are compared run interleaved, so that a change of the machine's speed meets both.
  const char* settings[] = {argv[0], "--benchmark_repetitions=5", "--benchmark_enable_random_interleaving=true",
                            "--benchmark_min_time=0.2"};
  int settings_count = 4;
  benchmark::Initialize(&settings_count, const_cast<char**>(settings));

  for (int i = 1; i < argc; ++i) {
    bool known = false;
    for (const Topic& topic : topics) known |= std::strcmp(argv[i], topic.name) == 0;
    if (!known) {
      std::fprintf(stderr, "migprof-bench: no topic '%s'; there are:", argv[i]);
      for (const Topic& topic : topics) std::fprintf(stderr, " %s", topic.name);
      std::fprintf(stderr, "\n");
      return 2;
    }
  }
  Figures figures;
  for (const Topic& topic : topics) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= std::strcmp(argv[i], topic.name) == 0;
    if (wanted) topic.run(&figures);
  }
  std::printf("\n");
  figures.Print();
  return 0;
}
