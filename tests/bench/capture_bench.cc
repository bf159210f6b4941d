// SPDX-License-Identifier: Apache-2.0
// What capturing stacks and recording launches cost, side by side with what they are compared to.
#include <algorithm>
#include <cstdio>
#include <map>
#include <thread>
#include <vector>

#include "libmigprof/record/native_stack.h"
#include "tests/bench/climber.h"
#include "tests/bench/figures.h"

namespace migprof::bench {
namespace {

// What the figures are of; the table has others too.
constexpr int kCaptureDepth = 66;
constexpr int kLaunchDepth = 64;

// The columns of the table, after what reading the clock takes. They take turns in this order, so the first one finds
// caches and predictors full of Python's; with a hash, unw_backtrace follows itself and is at its best, and it is that
// one that captures are compared to.
const std::vector<Way> kWays = {Way::kNothing, Way::kUnwBacktrace, Way::kUnwBacktraceAndHash, Way::kCapture,
                                Way::kPython,  Way::kLaunch,       Way::kPythonLaunch};

// One line of the table: medians in ns, less the clock's own time, on the slower of the threads.
struct Line {
  int frames = 0;
  std::map<Way, double> ns;
};

Line MeasureLine(const std::vector<Way>& ways, int depth, bool evict, size_t thread_count) {
  std::vector<Line> lines(thread_count);
  const auto measure = [&](Line* line) {
    Climber climber(depth, evict);
    climber.Measure(ways, static_cast<int>(ways.size()) * (evict ? 3'000 : 20'000));
    line->frames = climber.frames();
    for (size_t i = 1; i < ways.size(); ++i) line->ns[ways[i]] = climber.MedianOf(i) - climber.MedianOf(0);
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < thread_count; ++i) others.emplace_back(measure, &lines[i]);
  measure(&lines[0]);
  for (std::thread& thread : others) thread.join();
  Line slowest = lines[0];
  for (const Line& line : lines) {
    for (auto& [way, ns] : slowest.ns) ns = std::max(ns, line.ns.at(way));
  }
  return slowest;
}

void BenchTable() {
  std::printf("%6s %8s %8s %14s %20s %8s %7s %9s %16s\n", "frames", "evicted", "threads", "unw_backtrace",
              "unw_backtrace+hash", "capture", "Python", "launch", "launch + Python");
  for (const int depth : {16, kLaunchDepth, kCaptureDepth, 128}) {
    for (const bool evict : {false, true}) {
      for (const size_t threads : {1, 2}) {
        const Line line = MeasureLine(kWays, depth, evict, threads);
        const auto ns = [&](Way way) { return line.ns.at(way); };
        std::printf("%6d %8s %8zu %14.0f %20.0f %8.0f %7.0f %9.0f %16.0f\n", line.frames, evict ? "2 MiB" : "-",
                    threads, ns(Way::kUnwBacktrace), ns(Way::kUnwBacktraceAndHash), ns(Way::kCapture), ns(Way::kPython),
                    ns(Way::kLaunch), ns(Way::kPythonLaunch));
      }
    }
  }
}

// Without the ways that read Python's memory: these take turns too, and would leave less of the shared cache to the
// rest.
void BenchCold(Figures* figures) {
  const std::vector<Way> ways = {Way::kNothing, Way::kUnwBacktrace, Way::kUnwBacktraceAndHash, Way::kCapture,
                                 Way::kLaunch};
  const Line line = MeasureLine(ways, kCaptureDepth, true, 1);
  const double hash = line.ns.at(Way::kUnwBacktraceAndHash);
  const double capture = line.ns.at(Way::kCapture);
  std::printf("%d frames, 2 MiB evicted, no Python in between: unw_backtrace+hash %.0f, capture %.0f\n", line.frames,
              hash, capture);
  figures->Add("capture_ratio_cold", capture / hash, "x");
}

// Warm, reading the clock takes a good part of what it measures, and keeps the processor from overlapping one round
// with what comes before and after it. So here many rounds are timed as one, less the rounds' own cost. Medians of
// turns, so that a change of the machine's speed meets all ways. In ns.
std::map<Way, double> MeasureWholeRounds(int depth) {
  constexpr int kTurns = 5;
  constexpr double kSeconds = 0.1;
  Climber climber(depth, false);
  std::map<Way, std::vector<double>> turns;
  for (int turn = 0; turn < kTurns; ++turn) {
    for (const Way way : kWays) turns[way].push_back(climber.RoundNs(way, kSeconds));
  }
  std::map<Way, double> ns;
  for (const Way way : kWays) ns[way] = Median(turns[way]) - Median(turns[Way::kNothing]);
  std::printf(
      "%d frames, without a clock in between: unw_backtrace %.0f, with a hash %.0f, capture %.0f, Python %.0f, "
      "launch %.0f, launch + Python %.0f\n",
      depth, ns[Way::kUnwBacktrace], ns[Way::kUnwBacktraceAndHash], ns[Way::kCapture], ns[Way::kPython],
      ns[Way::kLaunch], ns[Way::kPythonLaunch]);
  return ns;
}

void BenchTwoThreads(Figures* figures) {
  constexpr double kSeconds = 1;
  const auto launch = [] { return Climber(kCaptureDepth, false).RoundNs(Way::kLaunch, kSeconds); };
  const double alone = launch();
  double together[2] = {};
  std::thread threads[2];
  for (int i = 0; i < 2; ++i) threads[i] = std::thread([&together, &launch, i] { together[i] = launch(); });
  for (std::thread& thread : threads) thread.join();
  std::printf("a launch takes %.0f ns of its thread's time on one thread; on two at once %.0f and %.0f\n", alone,
              together[0], together[1]);
  figures->Add("two_thread_scaling", alone / std::max(together[0], together[1]), "x");
}

}  // namespace

void BenchCapture(Figures* figures) {
  record::PrepareNativeStacks();
  std::printf(
      "\n== capture: native stacks whose %d innermost frames change, and %u Python frames of which one does, in ns "
      "(medians, less the clock's own time; of two threads the slower one)\n",
      kChangingFrames, PythonThread::kFrames);
  BenchTable();
  BenchCold(figures);
  const std::map<Way, double> capture = MeasureWholeRounds(kCaptureDepth);
  figures->Add("capture_ratio", capture.at(Way::kCapture) / capture.at(Way::kUnwBacktraceAndHash), "x");
  figures->Add("capture", capture.at(Way::kCapture), "ns");
  const std::map<Way, double> launch = MeasureWholeRounds(kLaunchDepth);
  figures->Add("launch_with_python", launch.at(Way::kPythonLaunch), "ns");
  figures->Add("launch_with_python_ratio", launch.at(Way::kPythonLaunch) / launch.at(Way::kUnwBacktrace), "x");
  BenchTwoThreads(figures);
}

}  // namespace migprof::bench
