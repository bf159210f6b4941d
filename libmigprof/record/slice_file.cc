// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/slice_file.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace migprof::record {

using format::ChunkKind;
namespace column = format::column;

namespace {

// A call and its kernel, in the two tables that are the fullest of most programs.
constexpr size_t kBytesOfFullRow = 19 * sizeof(uint64_t);
constexpr size_t kMostThreadsKnown = 4096;

}  // namespace

Facts IdentityFacts(const mig::SliceIdentity& identity) {
  Facts facts = {{"gpu_uuid", identity.gpu_uuid},
                 {"mig_uuid", identity.mig_uuid},
                 {"gpu_name", identity.gpu_name},
                 {"profile", identity.profile},
                 {"pci_bus_id", identity.pci_bus_id},
                 {"sm_count", std::to_string(identity.sm_count)},
                 {"memory_bytes", std::to_string(identity.memory_bytes)},
                 {"compute_major", std::to_string(identity.compute_major)},
                 {"compute_minor", std::to_string(identity.compute_minor)},
                 {"source", identity.source}};
  if (identity.gpu_instance_id) facts.emplace_back("gpu_instance_id", std::to_string(*identity.gpu_instance_id));
  if (identity.compute_instance_id) {
    facts.emplace_back("compute_instance_id", std::to_string(*identity.compute_instance_id));
  }
  if (identity.placement) {
    facts.emplace_back("placement_start", std::to_string(identity.placement->start));
    facts.emplace_back("placement_size", std::to_string(identity.placement->size));
  }
  if (identity.memory_slices != 0) facts.emplace_back("memory_slices", std::to_string(identity.memory_slices));
  return facts;
}

uint64_t SliceFile::NextSerial() {
  static uint64_t next = 0;
  return ++next;
}

void SliceFile::SetBounds(DiskRoom* room, uint32_t full_rows) {
  sink_.SetRoom(room);
  bounded_full_rows_ = full_rows;
  full_rows_ = std::min(full_rows_, full_rows);
}

Error SliceFile::Create(const std::string& path, const Facts& process, const mig::SliceIdentity& identity) {
  path_ = path;
  if (Error error = sink_.Create(path); !error.ok()) return error;
  if (Error error = writer_.Write(FactsChunk(ChunkKind::kProcess, process)); !error.ok()) return error;
  return writer_.Write(FactsChunk(ChunkKind::kSlice, IdentityFacts(identity)));
}

Error SliceFile::WriteIdentity(const mig::SliceIdentity& identity) {
  MarkPlace();
  const Error error = writer_.Write(FactsChunk(ChunkKind::kSlice, IdentityFacts(identity)));
  return IsNoRoom(error) ? Error::None() : error;  // the next file says it
}

void SliceFile::NeedString(uint32_t id) {
  if (id != 0 && strings_defined_.Insert(id)) new_strings_.push_back(id);
}

void SliceFile::NeedModule(uint32_t id) {
  if (id == 0 || !modules_defined_.Insert(id)) return;
  const Module& module = definitions_->Of(id).frames.modules()[id];
  StringIndex& strings = definitions_->now().strings;
  const uint32_t path = strings.Intern(module.path);
  const uint32_t build_id = module.build_id.empty() ? 0 : strings.Intern(module.build_id);
  NeedString(path);
  NeedString(build_id);
  const auto role = module.is_profiler ? format::ModuleRole::kProfiler : format::ModuleRole::kOrdinary;
  modules_.Append({id, path, build_id, module.bias, module.start, module.end, static_cast<uint64_t>(role)});
}

void SliceFile::NeedFrame(uint32_t id) {
  if (!frames_defined_.Insert(id)) return;
  const FrameDefinition& frame = definitions_->Of(id).frames[id];
  NeedModule(frame.module);
  frames_.Append({id, frame.address, frame.module});
  unnamed_frames_.push_back(id);
}

void SliceFile::NeedStack(uint32_t node) {
  stack_path_.clear();
  for (; node != 0 && stacks_defined_.Insert(node); node = definitions_->Of(node).stacks[node].parent) {
    stack_path_.push_back(node);
  }
  for (auto path_node = stack_path_.rbegin(); path_node != stack_path_.rend(); ++path_node) {  // parents first
    const StackNode& stack_node = definitions_->Of(*path_node).stacks[*path_node];
    NeedFrame(stack_node.frame);
    stack_nodes_.Append({*path_node, stack_node.parent, stack_node.frame});
  }
}

void SliceFile::NeedPythonFrame(uint32_t id) {
  if (!python_frames_defined_.Insert(id)) return;
  const PythonFrameDefinition& frame = definitions_->Of(id).python.frame(id);
  if (frame.code != 0 && python_code_defined_.Insert(frame.code)) {
    const PythonCodeDefinition& code = definitions_->Of(frame.code).python.code(frame.code);
    NeedString(code.name);
    NeedString(code.file);
    python_code_.Append({frame.code, code.name, code.file, static_cast<uint64_t>(std::max(code.lines.first_line, 0))});
  }
  python_frames_.Append({id, frame.code, frame.line, frame.is_entry ? format::kPythonFrameEntry : 0});
}

void SliceFile::NeedPythonStack(uint32_t node) {
  stack_path_.clear();
  for (; node != 0 && python_stacks_defined_.Insert(node); node = definitions_->Of(node).python.node(node).parent) {
    stack_path_.push_back(node);
  }
  for (auto path_node = stack_path_.rbegin(); path_node != stack_path_.rend(); ++path_node) {  // parents first
    const PythonStackNode& stack_node = definitions_->Of(*path_node).python.node(*path_node);
    NeedPythonFrame(stack_node.frame);
    python_stack_nodes_.Append({*path_node, stack_node.parent, stack_node.frame});
  }
}

void SliceFile::NeedRange(uint32_t node) {
  if (node == 0 || !ranges_defined_.Insert(node)) return;
  const RangeNode& range = definitions_->Of(node).ranges[node];
  NeedRange(range.parent);  // as deep as a thread's open ranges
  NeedString(range.name);
  NeedString(range.domain);
  range_nodes_.Append({node, range.parent, range.name, range.domain, range.is_started ? format::kRangeStarted : 0});
}

void SliceFile::NeedShape(uint32_t id) {
  if (!shapes_defined_.Insert(id)) return;
  const ShapeDefinition& definition = definitions_->Of(id).shapes[id];
  const KernelShape& shape = definition.shape;
  NeedString(definition.name);
  shapes_.Append({id, definition.name, shape.grid[0], shape.grid[1], shape.grid[2], shape.block[0], shape.block[1],
                  shape.block[2], shape.registers, shape.static_shared, shape.dynamic_shared, shape.local_per_thread,
                  shape.cluster[0], shape.cluster[1], shape.cluster[2]});
}

void SliceFile::NeedThread(uint32_t serial) {
  if (threads_defined_.Find(serial) != nullptr) return;
  // Serials go up for ever; what is defined twice does no harm.
  if (threads_defined_.size() >= kMostThreadsKnown) threads_defined_ = {};
  threads_defined_.Insert(serial, 1);
  const ThreadIndex::Thread thread = definitions_->FindThread(serial);
  NeedString(thread.name);
  threads_.Append({serial, thread.system_id, thread.name});
}

void SliceFile::AddCall(const CallEvent& call) {
  AppendCall(call);
  calls_.NoteTime(call.time_ns, call.time_ns);
  const bool gives_work = format::GivesWork(call.call_class);
  ++(gives_work ? waiting_.launches : waiting_.other_calls);
  unwritten_calls_ += gives_work;
  waiting_.NoteCorrelation(call.correlation);
}

void SliceFile::AddCarriedCall(const CallEvent& call) { AppendToldCall(call, format::kCallCarried); }

void SliceFile::AppendToldCall(const CallEvent& call, uint64_t more_flags) {
  CallEvent told = call;
  told.call_class = format::CallClass::kGraphConstruction;
  told.flags |= more_flags;
  AppendCall(told);
}

void SliceFile::AppendCall(const CallEvent& call) {
  NeedThread(call.thread);
  NeedStack(call.stack_node);
  NeedPythonStack(call.python_node);
  NeedString(call.api);
  NeedRange(call.range_node);
  calls_.Append({call.correlation, call.time_ns, call.thread, call.stack_node, call.api,
                 static_cast<uint64_t>(call.call_class), call.flags, call.python_node, call.range_node,
                 call.stands_for > 1 ? call.stands_for : 0});
}

void SliceFile::AddOutcome(uint32_t correlation, format::CallOutcome outcome, uint64_t detail) {
  outcomes_.Append({correlation, static_cast<uint64_t>(outcome), detail});
}

void SliceFile::AddGraphNodes(const GraphNodesEvent& nodes) {
  AppendGraphNodes(nodes, 0);
  graph_nodes_.NoteTime(nodes.time_ns, nodes.time_ns);
}

void SliceFile::AddGraphNodesOfOthers(const GraphNodesEvent& nodes, const CallEvent* call) {
  if (call != nullptr) AppendToldCall(*call, 0);
  AppendGraphNodes(nodes, 0);
}

void SliceFile::AddCarriedGraphNodes(const GraphNodesEvent& nodes) { AppendGraphNodes(nodes, format::kRowCarried); }

void SliceFile::AppendGraphNodes(const GraphNodesEvent& nodes, uint64_t flags) {
  graph_nodes_.Append({nodes.node, nodes.time_ns, static_cast<uint64_t>(nodes.event), nodes.origin, nodes.correlation,
                       nodes.count, flags});
  has_graph_nodes_ = true;
}

void SliceFile::AddGraphRun(const GraphRunActivity& run) {
  graph_runs_.Append({run.correlation, run.start_ns, run.duration_ns, run.graph, run.stream, run.context,
                      run.untimed ? format::kActivityUntimed : 0});
  ++waiting_.graph_runs;
  if (!run.untimed) graph_runs_.NoteTime(run.start_ns, run.start_ns + run.duration_ns);
}

void SliceFile::AddKernel(const KernelActivity& kernel) {
  const uint32_t shape = definitions_->now().shapes.Intern(kernel.name, kernel.shape);
  NeedShape(shape);
  kernels_.Append({kernel.correlation, kernel.start_ns, kernel.duration_ns, shape, kernel.stream, kernel.context,
                   kernel.graph, kernel.graph_node, kernel.untimed ? format::kActivityUntimed : 0});
  ++waiting_.kernels;
  if (!kernel.untimed) kernels_.NoteTime(kernel.start_ns, kernel.start_ns + kernel.duration_ns);
}

void SliceFile::AddTransfer(const TransferActivity& transfer) {
  transfers_.Append({transfer.correlation, transfer.start_ns, transfer.duration_ns, transfer.bytes, transfer.what,
                     transfer.stream, transfer.context, transfer.graph, transfer.graph_node,
                     transfer.untimed ? format::kActivityUntimed : 0});
  ++waiting_.transfers;
  if (!transfer.untimed) transfers_.NoteTime(transfer.start_ns, transfer.start_ns + transfer.duration_ns);
}

void SliceFile::AddAllocation(const AllocationActivity& allocation) {
  allocations_.Append({allocation.correlation, allocation.time_ns, allocation.address, allocation.bytes,
                       static_cast<uint64_t>(allocation.operation), allocation.memory_kind, allocation.stream,
                       allocation.context, 0});
  allocations_.NoteTime(allocation.time_ns, allocation.time_ns);
  ++waiting_.allocations;
}

void SliceFile::AddCarriedAllocation(const AllocationActivity& allocation) {
  allocations_.Append({allocation.correlation, allocation.time_ns, allocation.address, allocation.bytes,
                       static_cast<uint64_t>(allocation.operation), allocation.memory_kind, allocation.stream,
                       allocation.context, format::kRowCarried});
}

void SliceFile::TakeRestOf(SliceFile* before) {
  lost_calls_ += std::exchange(before->lost_calls_, 0);
  lost_activities_ += std::exchange(before->lost_activities_, 0);
  lost_graph_nodes_ += std::exchange(before->lost_graph_nodes_, 0);
  // A just-in-time compiler may still say what its code is called.
  for (const uint32_t frame : before->unnamed_frames_) {
    if (definitions_->Of(frame).frames[frame].module == 0) NeedFrame(frame);
  }
}

void SliceFile::AddSynchronization(const SynchronizationActivity& synchronization) {
  synchronizations_.Append({synchronization.correlation, synchronization.start_ns, synchronization.duration_ns,
                            synchronization.what, synchronization.stream, synchronization.context});
  ++waiting_.synchronizations;
  synchronizations_.NoteTime(synchronization.start_ns, synchronization.start_ns + synchronization.duration_ns);
}

void SliceFile::AddPause(const Pause& pause) {
  pauses_.Append({pause.stopped_ns, pause.started_ns, pause.last_before, pause.first_after});
}

void SliceFile::AddClockSample(const ClockSample& sample) {
  clock_samples_.Append({sample.cupti_ns, sample.realtime_ns, sample.monotonic_ns});
}

template <typename Visitor>
void SliceFile::ForEachTable(Visitor&& visit) {
  std::apply([&](auto&... table) { (visit(table), ...); },
             std::tie(modules_, frames_, frame_names_, stack_nodes_, python_code_, python_frames_, python_stack_nodes_,
                      shapes_, threads_, range_nodes_, calls_, outcomes_, kernels_, transfers_, allocations_,
                      synchronizations_, graph_nodes_, graph_runs_, pauses_, clock_samples_));
}

bool SliceFile::is_full() {
  uint32_t rows = 0;
  size_t bytes = 0;
  ForEachTable([&](const auto& table) {
    rows = std::max(rows, table.rows());
    bytes += table.bytes();
  });
  // A little early, so that the tables, which double, need not grow for what comes before the next look.
  return rows >= full_rows_ - full_rows_ / 32 || bytes > most_row_bytes_;
}

void SliceFile::LimitRows(size_t most_bytes) {
  most_row_bytes_ = most_bytes;
  full_rows_ = static_cast<uint32_t>(std::clamp<size_t>(std::bit_floor(most_bytes / kBytesOfFullRow), 512, kFullRows));
  full_rows_ = std::min(full_rows_, bounded_full_rows_);
}

void SliceFile::ReleaseRows() {
  size_t bytes = 0;
  ForEachTable([&](const auto& table) { bytes += table.bytes(); });
  if (bytes <= most_row_bytes_) return;
  ForEachTable([](auto& table) { table.Release(); });
}

Error SliceFile::ForgetDefinitions() {
  const Error error = Flush();
  const uint32_t last = definitions_->now().base;
  for (DefinedSet* const set : AllDefined()) set->Reset(last);
  threads_defined_ = {};
  unnamed_frames_ = {};  // they have no names, and nobody will look for any
  return error;
}

bool SliceFile::is_empty() const {
  return calls_.rows() + outcomes_.rows() + kernels_.rows() + transfers_.rows() + allocations_.rows() +
                 synchronizations_.rows() + graph_nodes_.rows() + graph_runs_.rows() + counters_.rows() +
                 pauses_.rows() ==
             0 &&
         lost_calls_ == 0 && lost_activities_ == 0 && lost_graph_nodes_ == 0 &&
         std::none_of(unnamed_frames_.begin(), unnamed_frames_.end(),
                      [this](uint32_t id) { return definitions_->Of(id).frames[id].name != 0; });
}

}  // namespace migprof::record
