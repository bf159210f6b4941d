// SPDX-License-Identifier: Apache-2.0
// The trace file of one slice in one process.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libmigprof/base/error.h"
#include "libmigprof/format/chunk_writer.h"
#include "libmigprof/mig/slice_identity.h"
#include "libmigprof/record/activity.h"
#include "libmigprof/record/counter_rows.h"
#include "libmigprof/record/defined_set.h"
#include "libmigprof/record/definitions.h"
#include "libmigprof/record/file_sink.h"
#include "libmigprof/record/key_values.h"
#include "libmigprof/record/rotated_log.h"
#include "libmigprof/record/row_table.h"
#include "libmigprof/record/tally.h"
#include "libmigprof/record/u64_map.h"

namespace migprof::record {

// A recorded call, with the numbers of the process-wide definitions filled in.
struct CallEvent {
  uint32_t correlation = 0;
  uint64_t time_ns = 0;
  uint32_t thread = 0;      // serial of the thread
  uint32_t stack_node = 0;  // in StackIndex; 0: none
  uint32_t api = 0;         // in StringIndex
  format::CallClass call_class = format::CallClass::kKernelLaunch;
  uint64_t flags = 0;
  uint32_t python_node = 0;  // in PythonIndex; 0: none
  uint32_t range_node = 0;   // in RangeIndex; 0: none
  uint32_t stands_for = 1;   // calls, itself included, whose stacks this one stands for
};

// Something that happened to `count` graph nodes with ids, and origins if any, that follow each other.
struct GraphNodesEvent {
  uint64_t node = 0;
  uint64_t time_ns = 0;
  format::GraphNodeEvent event = format::GraphNodeEvent::kCreated;
  uint64_t origin = 0;
  uint32_t correlation = 0;  // of the recorded call it happened in; 0: none
  uint32_t count = 1;
};

// Time in which recording was stopped, on CUPTI's clock.
struct Pause {
  uint64_t stopped_ns = 0;
  uint64_t started_ns = 0;   // 0: not yet again
  uint32_t last_before = 0;  // correlation of the last call recorded before; 0: none was
  uint32_t first_after = 0;  // of the first one after; 0: none was yet
};

// Three clocks read together.
struct ClockSample {
  uint64_t cupti_ns = 0;
  uint64_t realtime_ns = 0;
  uint64_t monotonic_ns = 0;
};

// Collects events in columns and writes them in chunks, each definition before the first event that needs it. Drain
// thread only.
class SliceFile {
 public:
  // `compressor` may serve several files.
  SliceFile(Definitions* definitions, std::shared_ptr<format::Compressor> compressor);

  // Of a file that is one of several of its recording, before Create: whom to ask for room on disk, and rows after
  // which it is_full.
  void SetBounds(DiskRoom* room, uint32_t full_rows);
  // Creates the file and writes who the process and the slice are.
  Error Create(const std::string& path, const Facts& process, const mig::SliceIdentity& identity);
  // The slice is better known now. Readers use the last.
  Error WriteIdentity(const mig::SliceIdentity& identity);

  void AddCall(const CallEvent& call);
  void AddOutcome(uint32_t correlation, format::CallOutcome outcome, uint64_t detail);
  void AddGraphNodes(const GraphNodesEvent& nodes);
  void AddGraphRun(const GraphRunActivity& run);
  void AddKernel(const KernelActivity& kernel);
  void AddTransfer(const TransferActivity& transfer);
  void AddAllocation(const AllocationActivity& allocation);
  void AddSynchronization(const SynchronizationActivity& synchronization);
  // Later rows with the same `stopped_ns` replace earlier ones.
  void AddPause(const Pause& pause);
  void AddClockSample(const ClockSample& sample);
  CounterRows* counters() { return &counters_; }
  // Of nodes of which another file has told, and the call that made them, if there is one: it is counted there, and
  // here only told of because of the nodes. Neither happened on this slice.
  void AddGraphNodesOfOthers(const GraphNodesEvent& nodes, const CallEvent* call);
  // What an earlier file of the recording told, and a reader needs to understand this one without it.
  void AddCarriedCall(const CallEvent& call);
  void AddCarriedGraphNodes(const GraphNodesEvent& nodes);
  void AddCarriedAllocation(const AllocationActivity& allocation);
  // What `before`, the file of the recording before this one and written out, could not write any more.
  void TakeRestOf(SliceFile* before);
  // Losses to be stated in the header of the next chunk of calls, and of kernels.
  void AddLostCalls(uint64_t count) { lost_calls_ += count; }
  void AddLostActivities(uint64_t count) { lost_activities_ += count; }

  void AddLostGraphNodes(uint64_t count) { lost_graph_nodes_ += count; }
  // GraphLog's: how much of it this file has, and whether it ever got any.
  uint64_t graph_events_seen() const { return graph_events_seen_; }
  void SetGraphEventsSeen(uint64_t events) { graph_events_seen_ = events; }
  bool has_graph_nodes() const { return has_graph_nodes_; }

  // Writes everything collected so far. What there is no room for is counted as lost, which is no error. After an
  // error, or when something was thrown, nothing more may be added.
  Error Flush();
  // States what of the recording was deleted. May be called in the middle of Flush, by who makes room.
  Error WriteRotated(const RotatedLog& log);
  Error WriteCounters(format::ChunkKind kind, const Counters& counters);
  // Tries once more what could not be written when it should have been. No error while there is nothing left.
  Error WriteWaiting() { return sink_.WriteWaiting(); }
  size_t waiting_bytes() const { return sink_.waiting_bytes(); }
  // See FileSink.
  Error Check() const { return sink_.Check(); }
  // Gives up what waits, and a little of what is in the file, so that it ends with a whole chunk and what is written
  // next may find room on a full disk. To be called again while that does not: false when it was of no use.
  bool CutBack();

  // Calls that give the GPU work and were added or stated as lost, but are not said in any chunk yet.
  uint64_t unwritten_calls() const { return lost_calls_ + unwritten_calls_; }
  // The same of activities and of what happened to graphs, as far as they are known to be lost.
  uint64_t unwritten_activities() const { return lost_activities_ + lost_graph_nodes_; }
  // Calls that give no work, and were lost with the end of the file.
  uint64_t lost_other_calls() const { return lost_other_calls_; }

  // Rows that wait take at most so much memory, together with the room that is kept for the next ones.
  void LimitRows(size_t most_bytes);
  // Writes everything, and refers to no definition any more that is not of the present generation. To be called right
  // before Definitions::Forget.
  Error ForgetDefinitions();

  // Whether enough has been collected that a Flush is due whatever the time.
  bool is_full();
  // Whether there is nothing to write.
  bool is_empty() const;
  const std::string& path() const { return path_; }
  uint64_t bytes_written() const { return sink_.bytes_written(); }
  FileIdentity identity() const { return sink_.identity(); }
  // What is in the file.
  const Tally& tally() const { return written_; }
  // Whether a Flush found no room for all it had to write. The file lacks definitions from then on.
  bool is_starved() const { return is_starved_; }
  uint64_t rows_without_room() const { return rows_without_room_; }
  // Of all files of the process, ever.
  uint64_t serial() const { return serial_; }
  // The CUDA device ordinal it is of.
  uint32_t device() const { return device_; }
  void SetDevice(uint32_t device) { device_ = device; }

 private:
  // Rows after which a chunk is written early: large enough to compress well, small enough that waiting rows take a few
  // megabytes.
  static constexpr uint32_t kFullRows = 32 * 1024;
  static uint64_t NextSerial();

  void NeedString(uint32_t id);
  void NeedModule(uint32_t id);
  void NeedFrame(uint32_t id);
  void NeedStack(uint32_t node);
  void NeedPythonFrame(uint32_t id);
  void NeedPythonStack(uint32_t node);
  void NeedRange(uint32_t node);
  void NeedShape(uint32_t id);
  void NeedThread(uint32_t serial);
  // A call that is counted elsewhere.
  void AppendToldCall(const CallEvent& call, uint64_t more_flags);
  void AppendCall(const CallEvent& call);
  void AppendGraphNodes(const GraphNodesEvent& nodes, uint64_t flags);
  void CollectFrameNames();
  Error WriteStrings();
  template <typename Visitor>
  void ForEachTable(Visitor&& visit);
  void ReleaseRows();
  // Of everything whose numbers Definitions gives.
  std::array<DefinedSet*, 9> AllDefined() {
    return {&strings_defined_,       &modules_defined_,       &frames_defined_, &stacks_defined_, &python_code_defined_,
            &python_frames_defined_, &python_stacks_defined_, &ranges_defined_, &shapes_defined_};
  }
  // A place where the file may be cut.
  struct Mark {
    uint64_t begin;  // of a chunk
    uint32_t sequence;
    Tally before;
  };
  static constexpr uint64_t kBytesBetweenMarks = 4096;
  static constexpr uint64_t kMarkedBytes = 64 * 1024;  // at the end of what is on disk, and all that waits
  // Before a chunk is written.
  void MarkPlace();
  // What was written when there was `before`, and since, is not in the file any more.
  void LoseAllAfter(const Tally& before);
  // Writes a chunk, or counts its `rows` as ones there was no room for. Returns whether it was written.
  bool Write(const format::ChunkBuilder& chunk, uint32_t rows, Error* first_error);

  Definitions* definitions_;
  std::string path_;
  FileSink sink_;
  format::ChunkWriter writer_;

  DefinedSet strings_defined_;
  DefinedSet modules_defined_;
  DefinedSet frames_defined_;
  DefinedSet stacks_defined_;
  DefinedSet python_code_defined_;
  DefinedSet python_frames_defined_;
  DefinedSet python_stacks_defined_;
  DefinedSet ranges_defined_;
  DefinedSet shapes_defined_;
  U64Map threads_defined_;  // by serial
  std::vector<uint32_t> new_strings_;
  std::vector<uint32_t> unnamed_frames_;  // defined, but without a name so far
  std::vector<uint32_t> stack_path_;      // scratch

  RowTable<7> modules_;
  RowTable<3> frames_;
  RowTable<3> frame_names_;
  RowTable<3> stack_nodes_;
  RowTable<4> python_code_;
  RowTable<4> python_frames_;
  RowTable<3> python_stack_nodes_;
  RowTable<15> shapes_;
  RowTable<3> threads_;
  RowTable<5> range_nodes_;
  RowTable<10> calls_;
  RowTable<3> outcomes_;
  RowTable<9> kernels_;
  RowTable<10> transfers_;
  RowTable<9> allocations_;
  RowTable<6> synchronizations_;
  RowTable<7> graph_nodes_;
  RowTable<7> graph_runs_;
  RowTable<4> pauses_;
  RowTable<3> clock_samples_;
  CounterRows counters_;
  uint64_t unwritten_calls_ = 0;
  uint32_t full_rows_ = kFullRows;
  uint32_t bounded_full_rows_ = kFullRows;  // see SetBounds
  size_t most_row_bytes_ = SIZE_MAX;
  uint64_t lost_calls_ = 0;
  uint64_t lost_activities_ = 0;
  uint64_t lost_graph_nodes_ = 0;
  uint64_t graph_events_seen_ = 0;
  bool has_graph_nodes_ = false;
  const uint64_t serial_ = NextSerial();
  uint32_t device_ = 0;
  Tally waiting_;  // of the rows that wait for the next Flush
  Tally written_;
  bool is_starved_ = false;
  uint64_t rows_without_room_ = 0;
  std::vector<Mark> marks_;
  bool has_lost_end_ = false;
  bool is_cut_ = false;  // then what is added may only be cut together with what was there before
  uint64_t lost_other_calls_ = 0;
};

// The facts of kSlice chunks.
Facts IdentityFacts(const mig::SliceIdentity& identity);

}  // namespace migprof::record
