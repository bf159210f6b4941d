// SPDX-License-Identifier: Apache-2.0
// Work on files that nobody vouches for, in a process of its own: whatever they do to the library that reads them, this
// process goes on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace migprof::analyze {

struct TaskLimits {
  std::chrono::milliseconds time{60'000};
  uint64_t memory_bytes = uint64_t{4} << 30;  // of the heap; not limited in builds with a sanitizer
  size_t output_bytes = 256 << 20;
};

struct TaskResult {
  std::string output;   // what the task wrote, up to where it ended
  std::string failure;  // "ended with signal 11", "took longer than 60 s"; empty when it ended well
};

// Forks, runs `task(descriptor)` in the child, and collects what it writes to the descriptor. The task may use memory
// and files, but start no threads. Any thread; tasks of several threads run side by side.
TaskResult RunIsolated(const std::function<void(int descriptor)>& task, const TaskLimits& limits = {});

}  // namespace migprof::analyze
