// SPDX-License-Identifier: Apache-2.0
// What each part of the recorder may take of MIGPROF_MAX_MEMORY.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace migprof::record {

// Hard shares instead of one pot: what a program has too much of (threads, kernels in flight, distinct stacks) takes
// nothing from the rest, and each part can be held, and tested, alone. docs/injection-safety.md has the same table.
struct MemoryShares {
  size_t threads;      // ThreadSlots: slots and rings
  size_t ranges;       // RangeStack
  size_t activities;   // ActivityBuffers: what CUPTI may write to or has written
  size_t definitions;  // Definitions, two generations of them
  size_t graph_log;    // GraphLog
  size_t rows;         // rows of all files that wait; as much again is for making chunks of them
  size_t carried;      // LiveGraphNodes and LiveAllocations, half each, in bounded recordings
  // The rest, a thirty-second: unwind rules, the drain thread's stack, and what does not grow.

  static constexpr MemoryShares Of(uint64_t most_bytes, bool is_bounded) {
    const size_t part = static_cast<size_t>(most_bytes / 32);
    const size_t carried = is_bounded ? 3 * part : 0;
    return {.threads = 11 * part - carried,
            .ranges = part,
            .activities = 5 * part,
            .definitions = 6 * part,
            .graph_log = 2 * part,
            .rows = 3 * part,
            .carried = carried};
  }
};

// Most processes launch from few threads, whose slots never take the whole share of threads. Half of what they leave is
// lent to the activity buffers, which give it back as soon as they are read, within milliseconds; the other half stays
// for threads to come.
struct LentMemory {
  std::atomic<size_t> offered{0};
  std::atomic<size_t> taken{0};
};

}  // namespace migprof::record
