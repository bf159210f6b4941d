// SPDX-License-Identifier: Apache-2.0
// What SliceFile does with what was collected: into chunks, and to the disk.
#include <algorithm>
#include <utility>

#include "libmigprof/record/slice_file.h"

namespace migprof::record {

using format::ChunkBuilder;
using format::ChunkKind;
using format::ColumnEncoding;
namespace column = format::column;

void SliceFile::CollectFrameNames() {
  std::erase_if(unnamed_frames_, [this](uint32_t id) {
    const FrameDefinition& frame = definitions_->Of(id).frames[id];
    if (frame.name == 0) return false;
    NeedString(frame.name);
    frame_names_.Append({id, frame.name, frame.name_offset});
    return true;
  });
}

void SliceFile::MarkPlace() {
  const uint64_t begin = sink_.bytes_written() + sink_.waiting_bytes();
  if (is_cut_ || (!marks_.empty() && begin - marks_.back().begin < kBytesBetweenMarks)) return;
  marks_.push_back({begin, writer_.sequence(), written_});
  const auto is_behind = [this](const Mark& mark) { return mark.begin + kMarkedBytes > sink_.bytes_written(); };
  const auto first = std::find_if(marks_.begin(), marks_.end(), is_behind);
  marks_.erase(marks_.begin(), first);
}

bool SliceFile::CutBack() {
  is_cut_ = true;
  while (!marks_.empty() && marks_.back().begin > sink_.bytes_written()) marks_.pop_back();
  if (marks_.empty()) {
    if (!has_lost_end_) LoseAllAfter({});  // it was not even begun
    sink_.EndCut();
    return false;
  }
  const Mark mark = marks_.back();
  marks_.pop_back();
  LoseAllAfter(mark.before);
  if (!sink_.CutTo(mark.begin).ok()) {
    marks_.clear();
    return false;
  }
  writer_.SetSequence(mark.sequence);
  return true;
}

void SliceFile::LoseAllAfter(const Tally& before) {
  const uint64_t lost_calls = written_.lost_calls - before.lost_calls;
  lost_calls_ += written_.launches - before.launches + lost_calls;
  lost_activities_ += written_.kernels - before.kernels + written_.transfers - before.transfers + written_.graph_runs -
                      before.graph_runs + written_.lost - before.lost - lost_calls;
  lost_other_calls_ += written_.other_calls - before.other_calls;
  written_ = before;
  has_lost_end_ = true;
}

bool SliceFile::Write(const ChunkBuilder& chunk, uint32_t rows, Error* first_error) {
  MarkPlace();
  // Without its definitions an event says nothing: after the first chunk that found no room, none is tried.
  const Error error = is_starved_ ? kNoRoom : writer_.Write(chunk);
  if (IsNoRoom(error)) {
    is_starved_ = true;
    rows_without_room_ += rows;
  } else if (first_error->ok()) {
    *first_error = error;
  }
  return error.ok();
}

Error SliceFile::WriteStrings() {
  if (new_strings_.empty()) return Error::None();
  std::vector<uint64_t> ids;
  std::vector<uint64_t> lengths;
  std::vector<uint8_t> bytes;
  for (const uint32_t id : new_strings_) {
    const std::string& text = definitions_->Of(id).strings[id];
    ids.push_back(id);
    lengths.push_back(text.size());
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  new_strings_.clear();
  ChunkBuilder chunk(ChunkKind::kStrings, static_cast<uint32_t>(ids.size()));
  chunk.AddColumn(column::strings::kId, ColumnEncoding::kDelta, ids);
  chunk.AddColumn(column::strings::kLength, ColumnEncoding::kPlain, lengths);
  chunk.AddBytes(column::strings::kBytes, bytes);
  Error error;
  Write(chunk, static_cast<uint32_t>(ids.size()), &error);
  return error;
}

Error SliceFile::Flush() {
  CollectFrameNames();
  Error error = WriteStrings();
  // What there is no room for is lost: its launches as calls, its work as activities.
  const Tally waiting = std::exchange(waiting_, {});
  uint64_t unwritten_calls = 0;
  uint64_t unwritten_activities = 0;
  const auto write = [&](auto& table, uint64_t* lost = nullptr) {
    const uint32_t rows = table.rows();
    if (!error.ok()) return false;  // what comes after a chunk that is missing may rely on it
    if (rows == 0 && (lost == nullptr || *lost == 0)) return true;
    Tally times;
    times.NoteTime(table.first_ns(), table.last_ns());
    ChunkBuilder chunk = table.Take();
    if (lost != nullptr) chunk.SetLost(*lost);
    if (!Write(chunk, rows, &error)) return false;
    written_.Add(times);
    if (lost != nullptr) written_.lost += std::exchange(*lost, 0);
    return true;
  };
  const auto write_activities = [&](auto& table, uint64_t count, uint64_t Tally::*counter, uint64_t* lost = nullptr) {
    write(table, lost) ? written_.*counter += count : unwritten_activities += count;
  };
  write(modules_);
  write(frames_);
  write(frame_names_);
  write(stack_nodes_);
  write(python_code_);
  write(python_frames_);
  write(python_stack_nodes_);
  write(shapes_);
  write(threads_);
  write(range_nodes_);
  const uint64_t lost_calls = lost_calls_;
  if (write(calls_, &lost_calls_)) {
    written_.lost_calls += lost_calls - lost_calls_;
    written_.launches += waiting.launches;
    written_.other_calls += waiting.other_calls;
    if (waiting.last_correlation != 0) written_.NoteCorrelation(waiting.last_correlation);
  } else {
    unwritten_calls += waiting.launches;
  }
  if (error.ok()) unwritten_calls_ = 0;
  write(outcomes_);
  write(graph_nodes_, &lost_graph_nodes_);  // before the work of the nodes, so that this is not work of nodes unknown
  write_activities(kernels_, waiting.kernels, &Tally::kernels, &lost_activities_);
  write_activities(transfers_, waiting.transfers, &Tally::transfers);
  if (write(allocations_)) written_.allocations += waiting.allocations;
  if (write(synchronizations_)) written_.synchronizations += waiting.synchronizations;
  write_activities(graph_runs_, waiting.graph_runs, &Tally::graph_runs);
  write(counters_);
  write(pauses_);
  write(clock_samples_);
  if (!error.ok()) return error;
  ReleaseRows();
  lost_calls_ += unwritten_calls;
  lost_activities_ += unwritten_activities;
  return error;
}

Error SliceFile::WriteRotated(const RotatedLog& log) {
  MarkPlace();
  return writer_.Write(log.Chunk());
}

Error SliceFile::WriteCounters(ChunkKind kind, const Counters& counters) {
  MarkPlace();
  const Error error = writer_.Write(CountersChunk(kind, counters));
  return IsNoRoom(error) ? Error::None() : error;  // the next ones say more
}

}  // namespace migprof::record
