// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/rotated_log.h"

#include <algorithm>
#include <array>

#include "libmigprof/format/trace_format.h"
#include "libmigprof/record/row_table.h"

namespace migprof::record {

using format::ColumnEncoding;
namespace column = format::column::rotated;

void RotatedLog::Add(uint32_t number, uint64_t bytes, const Tally& tally) {
  const auto next = std::upper_bound(gaps_.begin(), gaps_.end(), number,
                                     [](uint32_t segment, const Gap& gap) { return segment < gap.first_segment; });
  const auto at = static_cast<size_t>(next - gaps_.begin());
  gaps_.insert(next, {number, number, 1, bytes, tally});
  if (at + 1 < gaps_.size() && gaps_[at + 1].first_segment == number + 1) MergeWithNext(at);
  // A gap that was made of several may lie around the segment.
  if (at > 0 && gaps_[at - 1].last_segment + 1 >= number) MergeWithNext(at - 1);
  if (gaps_.size() > kMostGaps) MergeWithNext(0);
}

void RotatedLog::MergeWithNext(size_t gap) {
  Gap& into = gaps_[gap];
  const Gap& next = gaps_[gap + 1];
  into.last_segment = std::max(into.last_segment, next.last_segment);
  into.segments += next.segments;
  into.bytes += next.bytes;
  into.tally.Add(next.tally);
  gaps_.erase(gaps_.begin() + static_cast<ptrdiff_t>(gap) + 1);
}

format::ChunkBuilder RotatedLog::Chunk() const {
  RowTable<15> table(format::ChunkKind::kRotated, {{{column::kFirstSegment, ColumnEncoding::kDelta},
                                                    {column::kLastSegment, ColumnEncoding::kDelta},
                                                    {column::kSegments, ColumnEncoding::kPlain},
                                                    {column::kBytes, ColumnEncoding::kPlain},
                                                    {column::kFirst, ColumnEncoding::kDelta},
                                                    {column::kLast, ColumnEncoding::kDelta},
                                                    {column::kLaunches, ColumnEncoding::kPlain},
                                                    {column::kOtherCalls, ColumnEncoding::kPlain},
                                                    {column::kKernels, ColumnEncoding::kPlain},
                                                    {column::kTransfers, ColumnEncoding::kPlain},
                                                    {column::kGraphRuns, ColumnEncoding::kPlain},
                                                    {column::kAllocations, ColumnEncoding::kPlain},
                                                    {column::kSynchronizations, ColumnEncoding::kPlain},
                                                    {column::kLost, ColumnEncoding::kPlain},
                                                    {column::kLastCorrelation, ColumnEncoding::kPlain}}});
  for (const Gap& gap : gaps_) {
    const Tally& tally = gap.tally;
    table.Append({gap.first_segment, gap.last_segment, gap.segments, gap.bytes, tally.first_ns, tally.last_ns,
                  tally.launches, tally.other_calls, tally.kernels, tally.transfers, tally.graph_runs,
                  tally.allocations, tally.synchronizations, tally.lost, tally.last_correlation});
  }
  // No times: these events are not in the file.
  return table.Take();
}

}  // namespace migprof::record
