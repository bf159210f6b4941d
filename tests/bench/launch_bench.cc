// SPDX-License-Identifier: Apache-2.0
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "libmigprof/base/clock.h"
#include "libmigprof/record/call_recorder.h"
#include "tests/bench/figures.h"
#include "tests/bench/micro.h"

namespace migprof::bench {
namespace {

using Clock = std::chrono::steady_clock;

// How many frames there are on the stack when the measured code runs.
constexpr int kDepth = 64;
constexpr int kBatch = 8192;

int CountFrames() {
  void* frames[512];
  return unw_backtrace(frames, 512);
}

// Frames of different sizes, as real programs have.
template <int kBytes, typename Body>
__attribute__((noinline)) void Recurse(int levels, Body& body) {
  volatile char space[kBytes];
  space[0] = static_cast<char>(levels);
  if (levels > 0) {
    if (levels % 3 == 0) {
      Recurse<16>(levels - 1, body);
    } else if (levels % 3 == 1) {
      Recurse<200>(levels - 1, body);
    } else {
      Recurse<72>(levels - 1, body);
    }
  } else {
    body();
  }
  asm volatile("" : : "r"(space) : "memory");  // no tail call
}

// Runs `body` with kDepth frames on the stack.
template <typename Body>
void AtDepth(Body&& body) {
  const int here = CountFrames();
  Recurse<16>(kDepth - here > 0 ? kDepth - here : 0, body);
}

void LaunchUnwBacktrace(benchmark::State& state) {
  AtDepth([&] {
    void* frames[512];
    for (auto unused : state) benchmark::DoNotOptimize(unw_backtrace(frames, 512));
  });
}
BENCHMARK(LaunchUnwBacktrace);

// Everything the application's thread does for one launch, from CUPTI's callback on: both sites of it, clock, stack,
// hash, ring.
void LaunchRecorded(benchmark::State& state) {
  static auto* const slots = [] {
    auto* made = new record::ThreadSlots;
    return made->Init(2 << 20).ok() ? made : nullptr;
  }();
  static auto* const contexts = new record::ContextTable;
  contexts->Add(1, 0);
  record::CallRecorder recorder(
      slots, contexts, [] { return RealtimeNs(); }, 256);
  uint64_t dropped = 0;
  AtDepth([&] {
    uint32_t correlation = 0;
    for (auto unused : state) {
      const auto start = Clock::now();
      for (int i = 0; i < kBatch; ++i) {
        ++correlation;
        recorder.Enter(307, correlation, 1);
        recorder.Exit(correlation, 0);
      }
      const std::chrono::duration<double> elapsed = Clock::now() - start;
      state.SetIterationTime(elapsed.count() / kBatch);
      slots->ForEach([&](record::ThreadSlot* slot) {
        slot->ring.Drain([](const record::RingRecordHeader*) {});
        dropped += slot->dropped_calls.of_device[0].exchange(0);
      });
    }
  });
  if (dropped != 0) state.SkipWithError("the ring was full");
}
BENCHMARK(LaunchRecorded)->UseManualTime()->Iterations(40);

}  // namespace

void BenchLaunch(Figures* figures) {
  std::printf("\n== launch: what recording adds to a launch on the application's thread, %d native frames deep\n",
              kDepth);
  auto times = RunMicro("Launch");
  figures->Add("launch_added", times["LaunchRecorded"], "ns");
  figures->Add("launch_unw_backtrace", times["LaunchUnwBacktrace"], "ns");
  figures->Add("launch_ratio", times["LaunchRecorded"] / times["LaunchUnwBacktrace"], "x");
}

}  // namespace migprof::bench
