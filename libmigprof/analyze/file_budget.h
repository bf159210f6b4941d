// SPDX-License-Identifier: Apache-2.0
// How much one trace file may ask of whoever reads it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {

// Columns of equal values cost a file next to nothing, so a few kilobytes can claim to be millions of rows, and define
// millions of things. What a file may do grows with its size; far beyond all honest files, but not beyond all bounds.
inline constexpr char kTooManyDefinitions[] = "the file defines more than one of its size can; the rest is left out";
inline constexpr char kTooManyRows[] = "the file has more rows than one of its size can; the rest is left out";

// Memory for what is kept of a file until its end: definitions, places that give work, sums. Not thread-safe.
class FileBudget {
 public:
  explicit FileBudget(uint64_t file_bytes)
      : most_(std::min(kFloor + std::min(file_bytes, kCeiling) * kPerByte, kCeiling)) {}

  // Takes `bytes` out of the budget. False when there are not so many left, and from then on.
  bool Take(uint64_t bytes) {
    used_ += std::min(bytes, kCeiling);
    return !is_spent();
  }
  bool is_spent() const { return used_ > most_; }
  uint64_t used() const { return used_; }

 private:
  // Each definition that is new takes a few bytes of the file, and a few hundred here.
  static constexpr uint64_t kFloor = uint64_t{64} << 20;
  static constexpr uint64_t kPerByte = 512;
  static constexpr uint64_t kCeiling = uint64_t{1} << 30;

  const uint64_t most_;
  uint64_t used_ = 0;
};

// Time: rows, and bytes of columns.
class RowBudget {
 public:
  explicit RowBudget(uint64_t file_bytes) : left_(kFloor + std::min(file_bytes, UINT64_MAX / 64) * kPerByte) {}

  // Takes the rows of a chunk. False when there are not so many left, and from then on.
  bool Take(const format::ChunkHeader& header) {
    const uint64_t rows = std::max(header.row_count, header.raw_bytes / kRowBytes);
    is_spent_ |= rows > left_;
    if (!is_spent_) left_ -= rows;
    return !is_spent_;
  }

 private:
  // Honest files have more than one byte per row as soon as they have many.
  static constexpr uint64_t kFloor = uint64_t{16} << 20;
  static constexpr uint64_t kPerByte = 16;
  static constexpr uint32_t kRowBytes = 16;

  uint64_t left_;
  bool is_spent_ = false;
};

// Changes to nodes of graphs that are followed: a row may stand for a million, and honest changes are followed by work
// of those nodes, which takes a row each.
constexpr uint64_t MostNodeChanges(uint64_t file_bytes) {
  return (uint64_t{16} << 20) + std::min(file_bytes, UINT64_MAX / 64) * 8;
}

}  // namespace migprof::analyze
