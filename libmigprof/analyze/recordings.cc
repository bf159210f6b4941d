// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/recordings.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/slice_groups.h"

namespace migprof::analyze {
namespace {

// Of one recording, by segment.
using Segments = std::vector<TraceScan>;

uint32_t NumberOf(const TraceScan& scan) { return scan.process.segment.value_or(0); }

uint64_t CountSegments(const std::vector<RotatedGap>& gaps) {
  uint64_t segments = 0;
  for (const RotatedGap& gap : gaps) segments += gap.segments;
  return segments;
}

bool IsIn(const RotatedGap& gap, uint32_t segment) {
  return gap.first_segment <= segment && segment <= gap.last_segment;
}

bool IsWhole(const RotatedGap& gap) { return gap.segments == uint64_t{gap.last_segment} - gap.first_segment + 1; }

// What the recording says of its deleted files: the latest word, which tells of the most.
std::vector<RotatedGap> LatestGaps(const Segments& segments) {
  const auto latest = std::max_element(segments.begin(), segments.end(), [](const TraceScan& a, const TraceScan& b) {
    return CountSegments(a.rotated) < CountSegments(b.rotated);
  });
  return latest->rotated;
}

// Files between `before` and `after` that nobody says were deleted.
uint64_t MissingBetween(uint32_t before, uint32_t after, const std::vector<RotatedGap>& gaps) {
  uint64_t missing = after - before - 1;
  for (const RotatedGap& gap : gaps) {
    if (gap.first_segment >= after || gap.last_segment <= before) continue;
    const uint64_t first = std::max<uint64_t>(gap.first_segment, uint64_t{before} + 1);
    const uint64_t last = std::min<uint64_t>(gap.last_segment, uint64_t{after} - 1);
    missing -= std::min(missing, last - first + 1);
  }
  return missing;
}

void AddPauses(const std::vector<TracePause>& pauses, std::vector<TracePause>* all) {
  for (const TracePause& pause : pauses) {
    const auto at =
        std::lower_bound(all->begin(), all->end(), pause.stopped_ns,
                         [](const TracePause& known, uint64_t stopped_ns) { return known.stopped_ns < stopped_ns; });
    if (at != all->end() && at->stopped_ns == pause.stopped_ns) {
      *at = pause;  // later files know more of it
    } else {
      all->insert(at, pause);
    }
  }
}

// Appends `next`, the file after those in `whole`.
void Append(TraceScan next, uint64_t missing, bool follows_gap, TraceScan* whole) {
  TracePart part = std::move(next.parts.front());
  part.follows_gap = follows_gap;
  part.gap_is_rotated = missing == 0;
  if (missing != 0) {
    whole->missing_chunks += missing;
    whole->problems.push_back(
        {part.path, 0, 0,
         absl::StrCat(missing, missing == 1 ? " file of the recording that comes" : " files of the recording that come",
                      " before it ", missing == 1 ? "is" : "are", " missing")});
  }
  if (follows_gap && whole->last_ns != 0 && next.last_ns != 0 && next.first_ns > whole->last_ns) {
    whole->gaps.push_back({.stopped_ns = whole->last_ns, .started_ns = next.first_ns});
  }
  whole->chunks.insert(whole->chunks.end(), std::make_move_iterator(next.chunks.begin()),
                       std::make_move_iterator(next.chunks.end()));
  part.end_chunk = whole->chunks.size();
  whole->parts.push_back(std::move(part));
  whole->bytes += next.bytes;
  AddIdentity(next.slice, &whole->slice);
  if (!next.counters.empty()) whole->counters = std::move(next.counters);
  whole->closed = next.closed;
  AddPauses(next.pauses, &whole->pauses);
  if (next.last_ns != 0) {
    whole->first_ns = whole->last_ns == 0 ? next.first_ns : std::min(whole->first_ns, next.first_ns);
    whole->last_ns = std::max(whole->last_ns, next.last_ns);
  }
  whole->lost += next.lost;
  whole->damaged_bytes += next.damaged_bytes;
  whole->missing_chunks += next.missing_chunks;
  whole->stopped |= next.stopped;
  if (whole->taken_over_ns == 0) whole->taken_over_ns = next.taken_over_ns;
  for (Problem& problem : next.problems) whole->problems.push_back(std::move(problem));
}

TraceScan Join(Segments segments) {
  std::sort(segments.begin(), segments.end(),
            [](const TraceScan& a, const TraceScan& b) { return NumberOf(a) < NumberOf(b); });
  const std::vector<RotatedGap> gaps = LatestGaps(segments);
  std::vector<Problem> problems;
  std::erase_if(segments, [&](TraceScan& scan) {
    const bool is_gone = std::any_of(gaps.begin(), gaps.end(),
                                     [&](const RotatedGap& gap) { return IsWhole(gap) && IsIn(gap, NumberOf(scan)); });
    // What is wrong with it is of no importance any more, but of interest.
    if (is_gone) std::move(scan.problems.begin(), scan.problems.end(), std::back_inserter(problems));
    return is_gone;
  });
  // The file that said so is never among them: it comes after what it tells of.
  TraceScan whole = std::move(segments.front());
  whole.parts.front().follows_gap = NumberOf(whole) != 0;
  uint32_t before = NumberOf(whole);
  for (size_t i = 1; i < segments.size(); ++i) {
    const uint32_t number = NumberOf(segments[i]);
    Append(std::move(segments[i]), MissingBetween(before, number, gaps), number != before + 1, &whole);
    before = number;
  }
  whole.rotated = gaps;
  for (const RotatedGap& gap : gaps) whole.lost += gap.lost;
  std::move(problems.begin(), problems.end(), std::back_inserter(whole.problems));
  return whole;
}

}  // namespace

std::vector<TraceScan> JoinSegments(std::vector<TraceScan> scans) {
  std::vector<const TraceScan*> pointers;
  for (const TraceScan& scan : scans) pointers.push_back(&scan);
  // By slice, process and the start of its recording.
  std::map<std::tuple<size_t, uint32_t, uint64_t>, Segments> recordings;
  std::vector<TraceScan> joined;
  const std::vector<std::vector<size_t>> slices = GroupBySlice(pointers);
  for (size_t slice = 0; slice < slices.size(); ++slice) {
    for (const size_t file : slices[slice]) {
      TraceScan& scan = scans[file];
      if (!scan.process.segment || scan.process.recording_start_ns == 0) {
        joined.push_back(std::move(scan));
      } else {
        recordings[{slice, scan.process.pid, scan.process.recording_start_ns}].push_back(std::move(scan));
      }
    }
  }
  for (auto& [key, segments] : recordings) joined.push_back(Join(std::move(segments)));
  std::sort(joined.begin(), joined.end(), [](const TraceScan& a, const TraceScan& b) { return a.path < b.path; });
  return joined;
}

}  // namespace migprof::analyze
