// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_scan.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/file_budget.h"
#include "libmigprof/analyze/file_source.h"

namespace migprof::analyze {
namespace {

using format::ChunkKind;

// No honest recorder names more, or longer.
constexpr size_t kMostCounters = 4096;
constexpr size_t kMostPauses = 1024 * 1024;
constexpr size_t kMostGaps = 4096;
constexpr size_t kLongestText = 64 * 1024;

// Reads the rows of a chunk of named values. False when lengths and bytes disagree.
template <typename Visitor>
bool ForEachKey(const format::Chunk& chunk, Visitor&& visit) {
  namespace column = format::column::key_value;
  std::vector<uint64_t> key_lengths;
  std::vector<uint64_t> text_lengths;
  std::vector<uint64_t> numbers;
  if (!chunk.Column(column::kKeyLength, &key_lengths) || !chunk.Column(column::kTextLength, &text_lengths) ||
      !chunk.Column(column::kNumber, &numbers)) {
    return false;
  }
  std::string_view bytes = chunk.Bytes(column::kBytes);
  for (size_t row = 0; row < key_lengths.size(); ++row) {
    if (key_lengths[row] > bytes.size() || text_lengths[row] > bytes.size() - key_lengths[row]) return false;
    if (row >= kMostCounters || key_lengths[row] > kLongestText || text_lengths[row] > kLongestText) return false;
    visit(std::string(bytes.substr(0, key_lengths[row])),
          std::string(bytes.substr(key_lengths[row], text_lengths[row])), numbers[row]);
    bytes.remove_prefix(key_lengths[row] + text_lengths[row]);
  }
  return true;
}

template <typename Number>
std::optional<Number> ToOptional(const std::string& text) {
  Number number = 0;
  if (!absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

template <typename Number>
Number ToNumber(const std::string& text) {
  return ToOptional<Number>(text).value_or(0);
}

void SetProcessFact(const std::string& key, const std::string& text, TraceProcess* process) {
  if (key == "host") process->host = text;
  if (key == "boot_id") process->boot_id = text;
  if (key == "pid") process->pid = ToNumber<uint32_t>(text);
  if (key == "start_ns") process->start_ns = ToNumber<uint64_t>(text);
  if (key == "recording_start_ns") process->recording_start_ns = ToNumber<uint64_t>(text);
  if (key == "segment") process->segment = ToOptional<uint32_t>(text);
  if (key == "process_name") process->name = text;
  if (key == "command_line") process->command_line = text;
  if (key == "migprof_version") process->migprof_version = text;
  if (key == "cupti_version") process->cupti_version = text;
  if (key == "driver_version") process->driver_version = text;
  if (key == "simulated") process->simulated = text == "1";
  if (key == "stacks") process->stacks = text == "1";
  if (key == "graphs") process->graph_nodes = text == "node";
}

mig::Placement* PlacementOf(mig::SliceIdentity* slice) {
  return slice->placement ? &*slice->placement : &slice->placement.emplace();
}

void SetSliceFact(const std::string& key, const std::string& text, mig::SliceIdentity* slice) {
  if (key == "gpu_uuid") slice->gpu_uuid = text;
  if (key == "mig_uuid") slice->mig_uuid = text;
  if (key == "gpu_name") slice->gpu_name = text;
  if (key == "profile") slice->profile = text;
  if (key == "pci_bus_id") slice->pci_bus_id = text;
  if (key == "gpu_instance_id") slice->gpu_instance_id = ToOptional<uint32_t>(text);
  if (key == "compute_instance_id") slice->compute_instance_id = ToOptional<uint32_t>(text);
  if (key == "placement_start") PlacementOf(slice)->start = ToNumber<uint32_t>(text);
  if (key == "placement_size") PlacementOf(slice)->size = ToNumber<uint32_t>(text);
  if (key == "memory_slices") slice->memory_slices = ToNumber<uint32_t>(text);
  if (key == "sm_count") slice->sm_count = ToNumber<uint32_t>(text);
  if (key == "memory_bytes") slice->memory_bytes = ToNumber<uint64_t>(text);
  if (key == "compute_major") slice->compute_major = ToNumber<uint32_t>(text);
  if (key == "compute_minor") slice->compute_minor = ToNumber<uint32_t>(text);
  if (key == "source") slice->source = text;
}

void TakePauses(const format::ChunkRef& ref, format::ChunkReader* reader, TraceScan* scan) {
  namespace column = format::column::pauses;
  format::Chunk chunk;
  if (!reader->ReadPayload(ref, &chunk)) return;
  std::vector<uint64_t> stopped, started, last, first;
  if (!chunk.Column(column::kStopped, &stopped) || !chunk.Column(column::kStarted, &started) ||
      !chunk.Column(column::kLastBefore, &last) || !chunk.Column(column::kFirstAfter, &first)) {
    return reader->ReportBadContent(ref, "the chunk's columns do not fit together");
  }
  for (size_t row = 0; row < stopped.size(); ++row) {
    const TracePause pause = {stopped[row], started[row] != 0 ? started[row] : UINT64_MAX,
                              static_cast<uint32_t>(last[row]), static_cast<uint32_t>(first[row])};
    const bool is_known = !scan->pauses.empty() && scan->pauses.back().stopped_ns == pause.stopped_ns;
    const bool makes_sense = pause.started_ns >= pause.stopped_ns && scan->pauses.size() < kMostPauses &&
                             (is_known || scan->pauses.empty() || scan->pauses.back().started_ns <= pause.stopped_ns);
    if (!makes_sense) return reader->ReportBadContent(ref, "pauses that overlap, or too many of them");
    is_known ? void(scan->pauses.back() = pause) : scan->pauses.push_back(pause);
  }
}

// The last time on the events' clock that the process wrote down; 0 when there is none.
uint64_t LastClockSample(const format::ChunkRef& ref, format::ChunkReader* reader) {
  format::Chunk chunk;
  std::vector<uint64_t> times;
  if (!reader->ReadPayload(ref, &chunk)) return 0;
  if (!chunk.Column(format::column::clock_samples::kCupti, &times)) {
    reader->ReportBadContent(ref, "the chunk's columns do not fit together");
  }
  return times.empty() || times.back() > INT64_MAX ? 0 : times.back();
}

void TakeRotated(const format::ChunkRef& ref, format::ChunkReader* reader, TraceScan* scan) {
  namespace column = format::column::rotated;
  constexpr std::array<uint16_t, 10> kColumns = {
      column::kFirstSegment, column::kLastSegment, column::kSegments,  column::kBytes, column::kLaunches,
      column::kKernels,      column::kTransfers,   column::kGraphRuns, column::kLost,  column::kLastCorrelation};
  format::Chunk chunk;
  if (!reader->ReadPayload(ref, &chunk)) return;
  std::array<std::vector<uint64_t>, kColumns.size()> columns;
  for (size_t i = 0; i < kColumns.size(); ++i) {
    if (!chunk.Column(kColumns[i], &columns[i])) {
      return reader->ReportBadContent(ref, "the chunk's columns do not fit together");
    }
  }
  const auto& [firsts, lasts, segments, bytes, launches, kernels, transfers, runs, lost, correlations] = columns;
  std::vector<RotatedGap> gaps;
  for (size_t row = 0; row < firsts.size(); ++row) {
    // What is gone came before this file, and nothing is gone twice.
    const bool makes_sense = row < kMostGaps && firsts[row] <= lasts[row] && scan->process.segment &&
                             lasts[row] < *scan->process.segment && segments[row] != 0 &&
                             segments[row] <= lasts[row] - firsts[row] + 1 &&
                             (gaps.empty() || gaps.back().last_segment < firsts[row]);
    if (!makes_sense) return reader->ReportBadContent(ref, "deleted files that cannot be");
    gaps.push_back({static_cast<uint32_t>(firsts[row]), static_cast<uint32_t>(lasts[row]), segments[row], bytes[row],
                    launches[row], kernels[row] + transfers[row] + runs[row], lost[row],
                    static_cast<uint32_t>(correlations[row])});
  }
  scan->rotated = std::move(gaps);  // the last chunk counts
}

bool IsNamedValues(ChunkKind kind) {
  return kind == ChunkKind::kProcess || kind == ChunkKind::kSlice || kind == ChunkKind::kCounters ||
         kind == ChunkKind::kTrailer;
}

void TakeNamedValues(const format::ChunkRef& ref, format::ChunkReader* reader, TraceScan* scan) {
  format::Chunk chunk;
  if (!reader->ReadPayload(ref, &chunk)) return;
  if (ref.kind() == ChunkKind::kSlice) scan->slice = {};  // the last one is the best
  if (ref.kind() == ChunkKind::kTrailer) scan->closed = true;
  const bool sound = ForEachKey(chunk, [&](const std::string& key, const std::string& text, uint64_t number) {
    switch (ref.kind()) {
      case ChunkKind::kProcess:
        return SetProcessFact(key, text, &scan->process);
      case ChunkKind::kSlice:
        return SetSliceFact(key, text, &scan->slice);
      default:
        if (scan->counters.size() < kMostCounters || scan->counters.count(key) != 0) scan->counters[key] = number;
    }
  });
  // One half of a placement says nothing.
  if (ref.kind() == ChunkKind::kSlice && scan->slice.placement && scan->slice.placement->size == 0) {
    scan->slice.placement.reset();
  }
  if (!sound) reader->ReportBadContent(ref, "named values do not fit their lengths, or are too many");
}

}  // namespace

bool IsActivity(ChunkKind kind) {
  return kind == ChunkKind::kKernels || kind == ChunkKind::kTransfers || kind == ChunkKind::kGraphRuns;
}

namespace {

absl::StatusOr<TraceScan> Scan(const std::string& path) {
  auto source = OpenTraceFile(path);
  if (!source.ok()) return source.status();
  if ((*source)->size() == 0) return absl::DataLossError("the file is empty");
  TraceScan scan;
  scan.path = path;
  scan.bytes = (*source)->size();
  ProblemCollector damage(path);
  format::ChunkReader reader(source->get(), &damage);
  format::ChunkRef ref;
  format::ChunkReader::Status status;
  RowBudget rows(scan.bytes);
  bool has_process = false;
  uint32_t next_sequence = 0;
  uint64_t damaged_before = 0;
  uint64_t last_sign_ns = 0;  // of the process, beside its events
  while ((status = reader.Next(&ref)) == format::ChunkReader::Status::kChunk) {
    if (ref.kind() == ChunkKind::kProcess && has_process) {
      damage.OnDamage(ref.offset, scan.bytes - ref.offset, "another trace begins here; only the first is read");
      break;
    }
    if (ref.header.sequence > next_sequence && damage.damaged_bytes() == damaged_before) {
      scan.missing_chunks += ref.header.sequence - next_sequence;
      damage.OnDamage(ref.offset, 0, "chunks that should stand before here are missing");
    }
    next_sequence = ref.header.sequence + 1;
    damaged_before = damage.damaged_bytes();
    if (!rows.Take(ref.header)) {
      damage.OnDamage(ref.offset, scan.bytes - ref.offset, kTooManyRows);
      break;
    }
    if (IsNamedValues(ref.kind())) {
      has_process |= ref.kind() == ChunkKind::kProcess;
      TakeNamedValues(ref, &reader, &scan);
      continue;
    }
    if (ref.kind() == ChunkKind::kPauses) {
      TakePauses(ref, &reader, &scan);
      continue;
    }
    if (ref.kind() == ChunkKind::kClockSamples) {
      last_sign_ns = std::max(last_sign_ns, LastClockSample(ref, &reader));
      continue;
    }
    if (ref.kind() == ChunkKind::kRotated) {
      TakeRotated(ref, &reader, &scan);
      continue;
    }
    if (HasTimes(ref.header)) {
      scan.first_ns = scan.last_ns == 0 ? ref.header.first_ns : std::min(scan.first_ns, ref.header.first_ns);
      scan.last_ns = std::max(scan.last_ns, ref.header.last_ns);
    }
    scan.lost += ref.header.lost;
    scan.chunks.push_back(ref);
  }
  if (status == format::ChunkReader::Status::kUnknownVersion) {
    return absl::UnimplementedError(absl::StrCat("trace format version ", reader.unknown_major(),
                                                 "; this migprof reads version ", format::kMajorVersion,
                                                 ": use the migprof that wrote it, or a newer one"));
  }
  if (!has_process && scan.chunks.empty()) return absl::InvalidArgumentError("not a migprof trace");
  const auto end = scan.counters.find("process.end_ns");
  // The clocks are read once more when the last events are written, which is after it.
  if (end != scan.counters.end() && end->second != 0 && end->second <= INT64_MAX) last_sign_ns = end->second;
  if (scan.last_ns != 0) scan.last_ns = std::max(scan.last_ns, last_sign_ns);
  for (const char* reason : {"process.cupti_fatal_error", "process.stopped_by_error"}) {
    const auto counter = scan.counters.find(reason);
    scan.stopped |= counter != scan.counters.end() && counter->second != 0;
  }
  const auto taken_over = scan.counters.find("process.taken_over_ns");
  if (taken_over != scan.counters.end() && taken_over->second != 0) {
    scan.stopped = true;
    scan.taken_over_ns = taken_over->second;
  }
  scan.parts = {{.path = path, .first_ns = scan.first_ns, .end_chunk = scan.chunks.size()}};
  scan.damaged_bytes = damage.damaged_bytes();
  scan.problems = std::move(damage.problems());
  return scan;
}

}  // namespace

absl::StatusOr<TraceScan> ScanTrace(const std::string& path) {
  try {
    return Scan(path);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("there is not enough memory to read it");
  }
}

}  // namespace migprof::analyze
