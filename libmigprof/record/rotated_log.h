// SPDX-License-Identifier: Apache-2.0
// What was deleted of the recording of one device, so that it is counted after it is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libmigprof/format/chunk_writer.h"
#include "libmigprof/record/tally.h"

namespace migprof::record {

// Drain thread only.
class RotatedLog {
 public:
  // More are not told apart: the two oldest then become one.
  static constexpr size_t kMostGaps = 64;

  // Segments that follow each other and are gone.
  struct Gap {
    uint32_t first_segment = 0;
    uint32_t last_segment = 0;
    uint64_t segments = 0;  // fewer than from first to last when gaps became one: what lies between may be there
    uint64_t bytes = 0;
    Tally tally;
  };

  // Segment `number`, which was not added before.
  void Add(uint32_t number, uint64_t bytes, const Tally& tally);

  // In the order of their segments.
  const std::vector<Gap>& gaps() const { return gaps_; }
  // All of them.
  format::ChunkBuilder Chunk() const;

 private:
  void MergeWithNext(size_t gap);

  std::vector<Gap> gaps_;
};

}  // namespace migprof::record
