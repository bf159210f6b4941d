// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/slice_analysis.h"

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/counter_samples.h"
#include "libmigprof/analyze/counter_series.h"
#include "libmigprof/analyze/file_analysis.h"
#include "libmigprof/analyze/file_source.h"
#include "libmigprof/analyze/process_info.h"
#include "libmigprof/analyze/slice_groups.h"
#include "libmigprof/analyze/slice_meter.h"

namespace migprof::analyze {
namespace {

// Files that stay open between two of their chunks. More than that, and each is opened again for every chunk.
constexpr size_t kKeptOpen = 64;

// A recording of a process in the course of being read: a file, or several.
struct OpenFile {
  const TraceScan* scan = nullptr;
  std::unique_ptr<ProblemCollector> damage;
  std::unique_ptr<format::ByteSource> source;
  std::unique_ptr<format::ChunkReader> reader;
  std::unique_ptr<FileAnalysis> analysis;
  uint16_t number = 0;  // among those of the slice; the last one stands for all beyond
  size_t next_chunk = 0;
  size_t part = 0;                 // of the scan: the file that `next_chunk` is in
  std::vector<uint64_t> earliest;  // [i]: no activity or allocation in chunks i, i + 1, … starts before this
  uint32_t memory_process = 0;     // in the meter's memory
  uint64_t damaged_bytes = 0;      // of what was read, in the files before the one at hand
};

// Whether all processes' chunks of this kind are to come nearly in order of time.
bool HasOrderedTimes(format::ChunkKind kind) { return IsActivity(kind) || kind == format::ChunkKind::kAllocations; }

std::vector<uint64_t> EarliestActivity(const TraceScan& scan) {
  const std::vector<format::ChunkRef>& chunks = scan.chunks;
  std::vector<uint64_t> earliest(chunks.size() + 1, UINT64_MAX);
  size_t part = scan.parts.size() - 1;
  for (size_t i = chunks.size(); i-- > 0;) {
    while (part > 0 && i < scan.parts[part - 1].end_chunk) --part;
    earliest[i] = earliest[i + 1];
    if (HasOrderedTimes(chunks[i].kind()) && HasTimes(chunks[i].header)) {
      earliest[i] = std::min(earliest[i], chunks[i].header.first_ns);
    } else if (chunks[i].kind() == format::ChunkKind::kAllocations) {
      earliest[i] = std::min(earliest[i], scan.parts[part].first_ns);  // carried: there when the file begins
    }
  }
  return earliest;
}

void AddTotals(const FileTotals& file, SliceProfile* slice) {
  const auto add = [](const Totals& from, Totals* to) {
    to->count += from.count;
    to->total_ns += from.total_ns;
    to->bytes += from.bytes;
  };
  add(file.kernels, &slice->kernels);
  add(file.memcpys, &slice->memcpys);
  add(file.memsets, &slice->memsets);
  add(file.graph_runs, &slice->graph_runs);
  slice->graph_launches += file.graph_launches;
  slice->synchronize_ns += file.synchronize_ns;
  slice->allocated_bytes += file.allocated_bytes;
}

class SliceReader {
 public:
  SliceReader(const StackView& view, bool metrics, std::atomic<uint64_t>* bytes_done)
      : view_(view), metrics_(metrics), bytes_done_(bytes_done) {}

  SliceResult Read(const std::vector<const TraceScan*>& files);

 private:
  // Promises that no activity that is still unread starts before `time`.
  void SettleBefore(uint64_t time, std::vector<OpenFile>* files);
  void FinishCounters();
  void ReadNextChunk(OpenFile* file);
  // Goes on to the file that the next chunk is in, if that is another one.
  void TurnToPart(OpenFile* file);
  // Counts the chunks from `from` on as damaged.
  void LeaveRestOut(const format::ChunkRef& from, OpenFile* file);
  // Closes the file that was read, and takes note of what was wrong with it.
  void TakeDamage(OpenFile* file);
  void FinishFile(OpenFile* file);
  void TakeIdentity(const TraceScan& scan);
  // Time in which nothing ran, and that no work ended: before the process that ended it began, or after all work.
  void TakeTimeWithoutWork(uint64_t start, uint64_t end, std::vector<OpenFile>* files);
  void AddTimeWithoutProcess(uint64_t start, uint64_t end);
  // A gap before work, all of which was recorded.
  void TakeGap(uint64_t start, uint64_t end, const WorkOrigin& ended_by, std::vector<OpenFile>* files);
  // Takes of a gap everything up to the end of the last pause in it. Returns where that is.
  uint64_t TakePauses(uint64_t start, uint64_t end, std::vector<OpenFile>* files);

  StackView view_;
  bool metrics_;
  std::atomic<uint64_t>* bytes_done_;
  std::optional<CounterMerge> counters_;  // before busy_, which tells it what settles
  BusyTime busy_;
  std::optional<SliceMeter> meter_;  // if metrics are wanted, once the window is known
  IdleTimes idle_{};
  // In which some process on the slice had stopped its recording: nobody knows what ran. Disjoint, ascending.
  std::vector<std::pair<uint64_t, uint64_t>> pauses_;
  bool all_settled_ = false;
  SliceResult result_;
  bool keep_open_ = true;
  std::vector<OpenFile> open_;
};

SliceResult SliceReader::Read(const std::vector<const TraceScan*>& files) {
  keep_open_ = files.size() <= kKeptOpen;
  // The file whose remaining activity starts earliest goes on, so that the busy intervals of all processes come nearly
  // in order.
  using Entry = std::pair<uint64_t, OpenFile*>;
  const auto later = [](const Entry& a, const Entry& b) {
    return std::pair(a.first, a.second->scan->path) > std::pair(b.first, b.second->scan->path);
  };
  std::priority_queue<Entry, std::vector<Entry>, decltype(later)> queue(later);
  std::vector<CounterSample> samples;
  for (const TraceScan* file : files) ReadCounterSamples(*file, &samples);
  counters_.emplace(std::move(samples)).Watch(&busy_);
  open_.resize(files.size());
  std::vector<OpenFile>& open = open_;
  for (size_t i = 0; i < files.size(); ++i) {
    TakeIdentity(*files[i]);
    open[i].scan = files[i];
    open[i].number = static_cast<uint16_t>(std::min<size_t>(i, UINT16_MAX));
    open[i].earliest = EarliestActivity(*files[i]);
    queue.emplace(open[i].earliest[0], &open[i]);
  }
  std::vector<const std::vector<TracePause>*> pauses;
  for (const TraceScan* file : files) {
    pauses.push_back(&file->pauses);
    pauses.push_back(&file->gaps);
  }
  pauses_ = UnionOfPauses(pauses);
  busy_.SetBegin(result_.profile.first_ns);
  if (metrics_) {
    const SliceProfile& profile = result_.profile;
    meter_.emplace(profile.first_ns, profile.window_ns, profile.identity);
    busy_.WantTimeline(profile.first_ns, profile.window_ns);
    for (OpenFile& file : open) file.memory_process = meter_->memory()->AddProcess(file.scan->last_ns);
  }
  while (!queue.empty()) {
    OpenFile* const file = queue.top().second;
    // No file has any times to come: the first to end has to wait for the last, as its key is the largest there is.
    // Gaps that its work ended are told before it is done with.
    if (file->next_chunk == file->scan->chunks.size()) SettleBefore(UINT64_MAX, &open);
    queue.pop();
    if (file->next_chunk < file->scan->chunks.size()) {
      const format::ChunkKind kind = file->scan->chunks[file->next_chunk].kind();
      ReadNextChunk(file);
      const uint64_t earliest = file->earliest[file->next_chunk];
      queue.emplace(earliest, file);
      if (HasOrderedTimes(kind)) SettleBefore(queue.top().first, &open);
    } else {
      FinishFile(file);
    }
  }
  SliceProfile& profile = result_.profile;
  busy_.SettleBefore(UINT64_MAX);
  profile.busy_ns = busy_.busy_ns();
  if (meter_) {
    profile.metrics = meter_->Finish();
    profile.metrics.kernel_busy_ns = busy_.kernel_ns();
    profile.metrics.timeline = busy_.timeline();
    std::vector<Timeline::Bin>& bins = profile.metrics.timeline.bins;
    for (size_t bin = 0; bin < bins.size(); ++bin) bins[bin].idle_ns = meter_->idle_timeline()->bins()[bin];
  }
  profile.metrics.idle_ns = idle_;
  FinishCounters();
  std::sort(profile.processes.begin(), profile.processes.end(), [](const ProcessInfo& a, const ProcessInfo& b) {
    return std::tie(a.pid, a.name) < std::tie(b.pid, b.name);
  });
  return std::move(result_);
}

void SliceReader::SettleBefore(uint64_t time, std::vector<OpenFile>* files) {
  if (!metrics_) return busy_.SettleBefore(time);
  meter_->SettleBefore(time);
  busy_.SettleBefore(time, [&](uint64_t start, uint64_t end, const WorkOrigin& ended_by) {
    if (!pauses_.empty()) [[unlikely]]
      start = TakePauses(start, end, files);
    TakeGap(start, end, ended_by, files);
  });
  if (time != UINT64_MAX || std::exchange(all_settled_, true)) return;
  const uint64_t end = result_.profile.first_ns + result_.profile.window_ns;
  if (busy_.covered_until() < end) TakeTimeWithoutWork(TakePauses(busy_.covered_until(), end, files), end, files);
}

void SliceReader::TakeGap(uint64_t start, uint64_t end, const WorkOrigin& ended_by, std::vector<OpenFile>* files) {
  OpenFile& file = (*files)[ended_by.file];
  const uint64_t begin = std::clamp(file.scan->first_ns, start, end);
  if (start < begin) [[unlikely]]
    TakeTimeWithoutWork(start, begin, files);
  if (begin < end && file.analysis != nullptr) file.analysis->TakeGap(begin, end, ended_by);
}

uint64_t SliceReader::TakePauses(uint64_t start, uint64_t end, std::vector<OpenFile>* files) {
  auto pause = std::upper_bound(pauses_.begin(), pauses_.end(), start,
                                [](uint64_t time, const auto& candidate) { return time < candidate.second; });
  for (; pause != pauses_.end() && pause->first < end; ++pause) {
    const uint64_t from = std::max(start, pause->first);
    const uint64_t to = std::min(end, pause->second);
    // What ended the time before it nobody knows.
    if (start < from) TakeTimeWithoutWork(start, from, files);
    result_.profile.not_recorded_ns += to - from;
    start = to;
  }
  return start;
}

// Of the processes that were there, one that had its last work behind it is as good as any other: the one that stayed
// longest.
void SliceReader::TakeTimeWithoutWork(uint64_t start, uint64_t end, std::vector<OpenFile>* files) {
  while (start < end) {
    OpenFile* there = nullptr;
    uint64_t next_begin = end;
    for (OpenFile& file : *files) {
      const TraceScan& scan = *file.scan;
      if (scan.first_ns > start) {
        next_begin = std::min(next_begin, scan.first_ns);
      } else if (scan.last_ns > start && file.analysis != nullptr &&
                 (there == nullptr || scan.last_ns > there->scan->last_ns)) {
        there = &file;
      }
    }
    const uint64_t until = there != nullptr ? std::min(end, there->scan->last_ns) : next_begin;
    if (there != nullptr) {
      there->analysis->TakeTimeAfterWork(start, until);
    } else {
      AddTimeWithoutProcess(start, until);
    }
    start = until;
  }
}

void SliceReader::AddTimeWithoutProcess(uint64_t start, uint64_t end) {
  const uint64_t ns = end - start;
  StackTree& idle = result_.profile.idle;
  const char* const name = Name(IdleCause::kNothingRunning);
  idle.Add(
      idle.Child(0, result_.frames.Intern({.name = name, .full_name = name, .module = "", .kind = FrameKind::kIdle})),
      ns, 1);
  idle_[static_cast<size_t>(IdleCause::kNothingRunning)] += ns;
  meter_->idle_timeline()->Add(IdleCause::kNothingRunning, start, end);
}

void SliceReader::FinishCounters() {
  SliceProfile& profile = result_.profile;
  const Health& health = profile.health;
  const bool complete =
      health.dropped + health.unplaced + health.untimed + health.damaged_bytes + health.missing_chunks == 0 &&
      !health.stopped && !health.killed;
  profile.metrics.counters = counters_->Finish(complete, profile.first_ns, profile.metrics.timeline);
}

void SliceReader::TurnToPart(OpenFile* file) {
  const std::vector<TracePart>& parts = file->scan->parts;
  const auto begin = [&](const TracePart& part) {
    file->damage = std::make_unique<ProblemCollector>(part.path);
    file->analysis->BeginPart(part);
  };
  if (file->analysis == nullptr) {
    const FileAnalysis::Role role = {file->number, meter_ ? &*meter_ : nullptr, file->memory_process,
                                     &file->scan->pauses, &file->scan->rotated};
    file->analysis = std::make_unique<FileAnalysis>(&busy_, role, file->scan->bytes);
    begin(parts.front());
  }
  while (file->part + 1 < parts.size() && file->next_chunk >= parts[file->part].end_chunk) {
    TakeDamage(file);
    begin(parts[++file->part]);
  }
}

void SliceReader::TakeDamage(OpenFile* file) {
  file->reader.reset();
  file->source.reset();
  file->damaged_bytes += file->damage->damaged_bytes();
  for (Problem& problem : file->damage->problems()) result_.problems.push_back(std::move(problem));
}

void SliceReader::LeaveRestOut(const format::ChunkRef& from, OpenFile* file) {
  const TraceScan& scan = *file->scan;
  const size_t end = scan.parts[file->part].end_chunk;
  const format::ChunkRef& last = scan.chunks[end - 1];
  uint64_t bytes = last.offset + last.total_bytes() - from.offset;
  for (size_t chunk = end; chunk < scan.chunks.size(); ++chunk) bytes += scan.chunks[chunk].total_bytes();
  file->damage->OnDamage(from.offset, bytes, file->analysis->trouble());
  file->next_chunk = scan.chunks.size();
}

void SliceReader::ReadNextChunk(OpenFile* file) {
  TurnToPart(file);
  const format::ChunkRef& ref = file->scan->chunks[file->next_chunk++];
  bytes_done_->fetch_add(ref.total_bytes(), std::memory_order_relaxed);
  if (file->source == nullptr) {
    auto source = OpenTraceFile(file->scan->parts[file->part].path);
    if (!source.ok()) {
      file->damage->OnDamage(ref.offset, ref.total_bytes(), "the file cannot be opened again");
      return;
    }
    file->source = *std::move(source);
    file->reader = std::make_unique<format::ChunkReader>(file->source.get(), file->damage.get());
  }
  format::Chunk chunk;
  if (file->reader->ReadPayload(ref, &chunk) && !file->analysis->Take(chunk)) {
    if (file->analysis->budget().is_spent()) {
      LeaveRestOut(ref, file);
    } else {
      file->reader->ReportBadContent(ref, file->analysis->trouble());
    }
  }
  if (!keep_open_) {
    file->reader.reset();
    file->source.reset();
  }
}

void SliceReader::FinishFile(OpenFile* file) {
  const TraceScan& scan = *file->scan;
  ProcessInfo process = DescribeProcess(scan);
  SliceProfile& profile = result_.profile;
  if (file->analysis != nullptr) {
    const LaunchJoin::Counts& join = file->analysis->FinishJoin();
    const FileTotals& totals = file->analysis->totals();
    process.gpu_ns =
        totals.kernels.total_ns + totals.memcpys.total_ns + totals.memsets.total_ns + totals.graph_runs.total_ns;
    process.health.launches = join.launches;
    process.health.matched = join.matched;
    process.health.unmatched = join.unmatched;
    process.health.captured = join.captured;
    process.health.failed = join.failed;
    process.health.cut_off_launches = join.cut_off;
    process.health.cut_off_activities = totals.cut_off;
    process.health.orphaned = join.orphaned - totals.cut_off;
    process.health.untimed = totals.untimed;
    process.health.stackless = scan.process.stacks ? totals.stackless : 0;
    process.health.graph_unattributed = scan.process.graph_nodes ? totals.graph_unattributed : 0;
    process.health.truncated = totals.truncated;
    process.health.sampled_out = totals.sampled_out;
    process.health.python_lost = totals.python_lost;
    TakeDamage(file);
    process.health.damaged_bytes += file->damaged_bytes;
    const std::string name = absl::StrCat(process.name.empty() ? "process" : process.name, " (", process.pid, ")");
    const FrameId frame =
        result_.frames.Intern({.name = name, .full_name = name, .module = "", .kind = FrameKind::kProcess});
    file->analysis->AddStacks(view_, &result_.frames, &profile.stacks, profile.stacks.Child(0, frame), &profile.idle,
                              profile.idle.Child(0, frame));
    const IdleTimes idle = file->analysis->idle();
    for (size_t cause = 0; cause < kIdleCauses; ++cause) idle_[cause] += idle[cause];
    if (meter_) {
      file->analysis->CountLaunches();
      file->analysis->AddMemory(&profile.memory, profile.memory.Child(0, frame));
    }
    process.health.unspliced = totals.unspliced;
    AddTotals(totals, &profile);
  }
  AddHealth(process.health, &profile.health);
  profile.processes.push_back(std::move(process));
  *file = OpenFile{};
}

void SliceReader::TakeIdentity(const TraceScan& scan) {
  SliceProfile& profile = result_.profile;
  if (profile.host.empty()) {
    profile.host = scan.process.host;
    profile.boot_id = scan.process.boot_id;
  }
  // One process may have been allowed to ask NVML and another not.
  AddIdentity(scan.slice, &profile.identity);
  profile.simulated |= scan.process.simulated;
  if (scan.last_ns == 0) return;
  const uint64_t end_before = profile.first_ns + profile.window_ns;
  profile.first_ns = end_before == 0 ? scan.first_ns : std::min(profile.first_ns, scan.first_ns);
  profile.window_ns = std::max(end_before, scan.last_ns) - profile.first_ns;
}

// Of files that took more memory than there is, the one that unfolds the most.
size_t Densest(const std::vector<const TraceScan*>& files) {
  const auto density = [](const TraceScan* file) {
    double raw = 0;
    for (const format::ChunkRef& chunk : file->chunks) raw += std::max(chunk.header.raw_bytes, chunk.header.row_count);
    return raw / static_cast<double>(std::max<uint64_t>(file->bytes, 1));
  };
  size_t densest = 0;
  for (size_t i = 1; i < files.size(); ++i) {
    if (density(files[i]) > density(files[densest])) densest = i;
  }
  return densest;
}

}  // namespace

SliceResult AnalyzeSlice(const std::vector<const TraceScan*>& files, const StackView& view, bool metrics,
                         std::atomic<uint64_t>* bytes_done) {
  std::vector<const TraceScan*> rest = files;
  std::vector<Problem> left_out;
  SliceResult result;
  while (!rest.empty()) {
    auto reader = std::make_unique<SliceReader>(view, metrics, bytes_done);
    try {
      result = reader->Read(rest);
      break;
    } catch (const std::bad_alloc&) {
      // Abseil's tables cannot be destroyed after they failed to grow. What they hold is lost.
      static_cast<void>(reader.release());
      const auto file = rest.begin() + static_cast<ptrdiff_t>(Densest(rest));
      left_out.push_back({(*file)->path, 0, (*file)->bytes, "there is not enough memory to read it"});
      rest.erase(file);
    }
  }
  result.files_left_out = left_out.size();
  for (Problem& problem : left_out) result.problems.push_back(std::move(problem));
  return result;
}

}  // namespace migprof::analyze
