// SPDX-License-Identifier: Apache-2.0
// One pass over the chunk headers of a trace file: who wrote it, and what is where. Event payloads are not touched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libmigprof/analyze/trace_pause.h"
#include "libmigprof/format/chunk_reader.h"
#include "libmigprof/mig/slice_identity.h"

namespace migprof::analyze {

// Something about an input that its owner should know.
struct Problem {
  std::string path;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string what;
};

// Collects damage as problems of one file.
class ProblemCollector : public format::DamageReporter {
 public:
  explicit ProblemCollector(std::string path) : path_(std::move(path)) {}
  void OnDamage(uint64_t offset, uint64_t bytes, const char* reason) override {
    damaged_bytes_ += bytes;
    problems_.push_back({path_, offset, bytes, reason});
  }
  uint64_t damaged_bytes() const { return damaged_bytes_; }
  std::vector<Problem>& problems() { return problems_; }

 private:
  std::string path_;
  uint64_t damaged_bytes_ = 0;
  std::vector<Problem> problems_;
};

// The process that wrote a trace.
struct TraceProcess {
  std::string host;
  std::string boot_id;
  uint32_t pid = 0;
  uint64_t start_ns = 0;                 // of the file, where a recording consists of several
  uint64_t recording_start_ns = 0;       // the same for all files of a recording; 0: it consists of one
  std::optional<uint32_t> segment = {};  // number of the file among those of the recording
  std::string name;
  std::string command_line;  // empty unless it was asked for
  std::string migprof_version;
  std::string cupti_version;
  std::string driver_version;
  bool simulated = false;
  bool stacks = true;
  bool graph_nodes = false;  // it was recorded where the nodes of graphs come from
};

// Files of a recording that follow each other and were deleted, to stay within MIGPROF_MAX_BYTES or MIGPROF_WINDOW.
struct RotatedGap {
  uint32_t first_segment = 0;
  uint32_t last_segment = 0;
  uint64_t segments = 0;  // fewer than from first to last: what lies between may be there
  uint64_t bytes = 0;
  uint64_t launches = 0;
  uint64_t activities = 0;
  uint64_t lost = 0;
  uint32_t last_correlation = 0;  // of the calls in them; 0: there were none
};

// A file of a recording.
struct TracePart {
  std::string path;
  uint64_t first_ns = 0;
  size_t end_chunk = 0;        // number of its last chunk, plus one, among those of all parts
  bool follows_gap = false;    // the file before it is not there
  bool gap_is_rotated = true;  // … because it was deleted, and counted
};

struct TraceScan {
  std::string path;
  uint64_t bytes = 0;
  TraceProcess process;
  mig::SliceIdentity slice;
  std::vector<format::ChunkRef> chunks;      // in file order
  std::map<std::string, uint64_t> counters;  // the last that were written
  bool closed = false;                       // the process ended well
  std::vector<TracePause> pauses;            // in order of time
  std::vector<RotatedGap> rotated;           // in order of their segments
  std::vector<TracePart> parts;              // one or more; of the files that are there
  std::vector<TracePause> gaps;              // between parts that do not follow each other: times only
  uint64_t first_ns = 0;                     // over all events; 0 when there are none
  // The last time of which it is known that the process was there: the end of its recording, or, where it was killed,
  // its last event or flush. Not 0 only if there are events.
  uint64_t last_ns = 0;
  uint64_t lost = 0;           // events the writer knew it lost
  uint64_t damaged_bytes = 0;  // seen so far
  uint64_t missing_chunks = 0;
  bool stopped = false;        // the recorder gave up before the process ended
  uint64_t taken_over_ns = 0;  // because another CUPTI client had taken over, at that time since 1970; 0: not so
  std::vector<Problem> problems;
};

// Fails with a sentence when the file cannot be opened, is empty, is no trace, or is of an unknown version. Damage
// inside is not a failure.
absl::StatusOr<TraceScan> ScanTrace(const std::string& path);

// Whether a chunk says times that can be. What is beyond comes after the year 2262, or from a damaged file.
constexpr bool HasTimes(const format::ChunkHeader& header) {
  return header.last_ns != 0 && header.first_ns <= header.last_ns && header.last_ns <= INT64_MAX;
}

// Whether chunks of this kind hold GPU activity, whose times count as busy.
bool IsActivity(format::ChunkKind kind);

}  // namespace migprof::analyze
