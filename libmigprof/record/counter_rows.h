// SPDX-License-Identifier: Apache-2.0
// Counter samples on their way into a trace file.
#pragma once

#include <array>
#include <cstdint>

#include "libmigprof/mig/slice_counters.h"
#include "libmigprof/record/row_table.h"

namespace migprof::record {

// Drain thread only.
class CounterRows {
 public:
  // Time, counter, value, flags, span. `time_ns` and `span_ns` (the time that a value over an interval is about) are of
  // CUPTI's clock.
  using Row = std::array<uint64_t, 5>;
  static Row RowOf(const mig::CounterReading& reading, uint64_t time_ns, uint64_t span_ns);

  // No times in the chunk's header: these are no events of the program, and do not make its window longer.
  void Append(const Row& row) { table_.Append(row); }

  uint32_t rows() const { return table_.rows(); }
  uint64_t first_ns() const { return table_.first_ns(); }
  uint64_t last_ns() const { return table_.last_ns(); }
  format::ChunkBuilder Take() { return table_.Take(); }

 private:
  RowTable<5> table_{format::ChunkKind::kCounterSamples,
                     {{{format::column::counter_samples::kTime, format::ColumnEncoding::kDelta},
                       {format::column::counter_samples::kCounter, format::ColumnEncoding::kPlain},
                       {format::column::counter_samples::kValue, format::ColumnEncoding::kPlain},
                       {format::column::counter_samples::kFlags, format::ColumnEncoding::kPlain},
                       {format::column::counter_samples::kSpan, format::ColumnEncoding::kPlain}}}};
};

}  // namespace migprof::record
