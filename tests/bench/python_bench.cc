// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <vector>

#include "libmigprof/record/python_stack.h"
#include "tests/bench/figures.h"
#include "tests/bench/micro.h"
#include "tests/bench/python_thread.h"

namespace migprof::bench {
namespace {

// Walking, looking up each code object, and hashing; nothing is new, so nothing is sent.
void Capture(benchmark::State& state, PythonThread* thread) {
  const auto stack_state = std::make_unique<record::WholePythonStackState>();
  std::vector<uint64_t> memory((1 << 20) / 8);
  record::SpscRing ring;
  ring.Init(reinterpret_cast<uint8_t*>(memory.data()), memory.size() * 8);
  for (auto unused : state) {
    const record::PythonStack stack = record::CapturePythonStack(thread->reader(), stack_state.get(), &ring);
    if (stack.depth != PythonThread::kFrames) state.SkipWithError("the stack is not what it should be");
    benchmark::DoNotOptimize(stack.hash);
  }
}

void PythonCaptureNumbered(benchmark::State& state) {
  PythonThread thread(true);
  Capture(state, &thread);
}
BENCHMARK(PythonCaptureNumbered);

void PythonCaptureUnnumbered(benchmark::State& state) {
  PythonThread thread(false);
  Capture(state, &thread);
}
BENCHMARK(PythonCaptureUnnumbered);

}  // namespace

void BenchPython(Figures* figures) {
  std::printf("\n== python: capturing %u Python frames whose code is known\n", PythonThread::kFrames);
  auto times = RunMicro("PythonCapture");
  figures->Add("python_capture", times["PythonCaptureNumbered"], "ns");        // 3.12 and later
  figures->Add("python_capture_old", times["PythonCaptureUnnumbered"], "ns");  // up to 3.11
}

}  // namespace migprof::bench
