// SPDX-License-Identifier: Apache-2.0
// A thread whose five innermost frames change from one round to the next, as those of a program that launches kernels
// from many places do, and what is measured at the innermost end of its stack.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "libmigprof/record/call_recorder.h"
#include "libmigprof/record/native_stack.h"
#include "tests/bench/python_thread.h"

namespace migprof::bench {

inline constexpr int kChangingFrames = 5;

enum class Way {
  kNothing,
  kUnwBacktrace,
  kUnwBacktraceAndHash,
  kCapture,       // of the native stack, with its hash
  kPython,        // the Python frames alone
  kLaunch,        // everything a launch costs its thread from CUPTI's callback on, both sites of it: clock, stack, ring
  kPythonLaunch,  // the same with Python frames
};

// To be used by the thread that makes it.
class Climber {
 public:
  // `depth`: native frames that unw_backtrace finds. `evict`: push everything out of the near caches before each round.
  Climber(int depth, bool evict);

  // Runs `rounds` times at the innermost end, in the order of `ways`, and keeps how long each took.
  void Measure(const std::vector<Way>& ways, int rounds);
  int frames() const { return frames_; }
  // In ns, what reading the clock takes included.
  double MedianOf(size_t way) const;

  // Nanoseconds of the thread's own time per round by one way, the rounds' own cost included.
  double RoundNs(Way way, double seconds);

  void Go(int level);

 private:
  void Loop();
  void Leaf();
  void Do(Way way);
  void Launch(record::CallRecorder* recorder);

  int depth_;
  std::vector<char> cache_;
  PythonThread python_{true};
  record::PythonRuntime runtime_;
  std::unique_ptr<record::NativeStackState> state_{new record::NativeStackState{}};
  std::unique_ptr<record::WholePythonStackState> python_state_{new record::WholePythonStackState{}};
  std::vector<uint64_t> ring_memory_;
  record::SpscRing ring_;  // for Python alone
  record::CallRecorder recorder_;
  record::CallRecorder python_recorder_;
  std::vector<Way> ways_;
  std::vector<std::vector<double>> times_;
  int rounds_ = 0;
  int done_ = 0;
  double rate_seconds_ = 0;
  double round_ns_ = 0;
  uint32_t correlation_ = 0;
  uint64_t sink_ = 0;
  int frames_ = 0;
  std::minstd_rand fixed_;
  std::minstd_rand changing_;
};

}  // namespace migprof::bench
