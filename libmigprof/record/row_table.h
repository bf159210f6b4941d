// SPDX-License-Identifier: Apache-2.0
// Rows that wait to become a chunk.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "libmigprof/format/chunk_writer.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::record {

struct ColumnSpec {
  uint16_t id;
  format::ColumnEncoding encoding;
};

// The integer columns of one kind of chunk. Drain thread only.
template <size_t N>
class RowTable {
 public:
  RowTable(format::ChunkKind kind, const std::array<ColumnSpec, N>& columns) : kind_(kind), columns_(columns) {}

  void Append(const std::array<uint64_t, N>& row) {
    for (size_t i = 0; i < N; ++i) values_[i].push_back(row[i]);
  }
  // Widens the chunk's time range.
  void NoteTime(uint64_t first_ns, uint64_t last_ns) {
    first_ns_ = std::min(first_ns_, first_ns);
    last_ns_ = std::max(last_ns_, last_ns);
  }

  // Memory it takes, for rows that wait or may come.
  size_t bytes() const { return N * values_[0].capacity() * sizeof(uint64_t); }
  // Gives back the room for rows that may come. Only when none wait.
  void Release() {
    for (std::vector<uint64_t>& column : values_) column = {};
  }

  uint64_t first_ns() const { return first_ns_; }
  uint64_t last_ns() const { return last_ns_; }  // 0: no times were noted

  uint32_t rows() const { return static_cast<uint32_t>(values_[0].size()); }

  // The rows as a chunk, to which bytes and losses can be added; the table is empty afterwards.
  format::ChunkBuilder Take() {
    format::ChunkBuilder chunk(kind_, rows());
    for (size_t i = 0; i < N; ++i) {
      chunk.AddColumn(columns_[i].id, columns_[i].encoding, values_[i]);
      values_[i].clear();
    }
    if (last_ns_ != 0) chunk.SetTimes(first_ns_, last_ns_);
    first_ns_ = UINT64_MAX;
    last_ns_ = 0;
    return chunk;
  }

 private:
  format::ChunkKind kind_;
  std::array<ColumnSpec, N> columns_;
  std::array<std::vector<uint64_t>, N> values_;
  uint64_t first_ns_ = UINT64_MAX;
  uint64_t last_ns_ = 0;
};

}  // namespace migprof::record
