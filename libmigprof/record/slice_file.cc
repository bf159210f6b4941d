// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/slice_file.h"

#include <algorithm>

namespace migprof::record {

using format::ChunkBuilder;
using format::ChunkKind;
using format::ColumnEncoding;
namespace column = format::column;

namespace {

constexpr ColumnEncoding kPlain = ColumnEncoding::kPlain;
constexpr ColumnEncoding kDelta = ColumnEncoding::kDelta;

// Rows after which a chunk is written early: large enough to compress well, small enough that waiting rows take a few
// megabytes.
constexpr uint32_t kFullRows = 32 * 1024;

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

Error SliceFile::Create(const std::string& path, const Facts& process, const mig::SliceIdentity& identity) {
  path_ = path;
  if (Error error = sink_.Create(path); !error.ok()) return error;
  if (Error error = writer_.Write(FactsChunk(ChunkKind::kProcess, process)); !error.ok()) return error;
  return WriteIdentity(identity);
}

Error SliceFile::WriteIdentity(const mig::SliceIdentity& identity) {
  return writer_.Write(FactsChunk(ChunkKind::kSlice, IdentityFacts(identity)));
}

void SliceFile::NeedString(uint32_t id) {
  if (id != 0 && strings_defined_.Insert(id)) new_strings_.push_back(id);
}

void SliceFile::NeedModule(uint32_t id) {
  if (id == 0 || !modules_defined_.Insert(id)) return;
  const Module& module = definitions_->frames.modules()[id];
  const uint32_t path = definitions_->strings.Intern(module.path);
  const uint32_t build_id = module.build_id.empty() ? 0 : definitions_->strings.Intern(module.build_id);
  NeedString(path);
  NeedString(build_id);
  const auto role = module.is_profiler ? format::ModuleRole::kProfiler : format::ModuleRole::kOrdinary;
  modules_.Append({id, path, build_id, module.bias, module.start, module.end, static_cast<uint64_t>(role)});
}

void SliceFile::NeedFrame(uint32_t id) {
  if (!frames_defined_.Insert(id)) return;
  const FrameDefinition& frame = definitions_->frames[id];
  NeedModule(frame.module);
  frames_.Append({id, frame.address, frame.module});
  unnamed_frames_.push_back(id);
}

void SliceFile::NeedStack(uint32_t node) {
  stack_path_.clear();
  for (; node != 0 && stacks_defined_.Insert(node); node = definitions_->stacks[node].parent) {
    stack_path_.push_back(node);
  }
  for (auto path_node = stack_path_.rbegin(); path_node != stack_path_.rend(); ++path_node) {  // parents first
    const StackNode& stack_node = definitions_->stacks[*path_node];
    NeedFrame(stack_node.frame);
    stack_nodes_.Append({*path_node, stack_node.parent, stack_node.frame});
  }
}

void SliceFile::NeedPythonFrame(uint32_t id) {
  if (!python_frames_defined_.Insert(id)) return;
  const PythonFrameDefinition& frame = definitions_->python.frame(id);
  if (frame.code != 0 && python_code_defined_.Insert(frame.code)) {
    const PythonCodeDefinition& code = definitions_->python.code(frame.code);
    NeedString(code.name);
    NeedString(code.file);
    python_code_.Append({frame.code, code.name, code.file, static_cast<uint64_t>(std::max(code.lines.first_line, 0))});
  }
  python_frames_.Append({id, frame.code, frame.line, frame.is_entry ? format::kPythonFrameEntry : 0});
}

void SliceFile::NeedPythonStack(uint32_t node) {
  stack_path_.clear();
  for (; node != 0 && python_stacks_defined_.Insert(node); node = definitions_->python.node(node).parent) {
    stack_path_.push_back(node);
  }
  for (auto path_node = stack_path_.rbegin(); path_node != stack_path_.rend(); ++path_node) {  // parents first
    const PythonStackNode& stack_node = definitions_->python.node(*path_node);
    NeedPythonFrame(stack_node.frame);
    python_stack_nodes_.Append({*path_node, stack_node.parent, stack_node.frame});
  }
}

void SliceFile::NeedRange(uint32_t node) {
  if (node == 0 || !ranges_defined_.Insert(node)) return;
  const RangeNode& range = definitions_->ranges[node];
  NeedRange(range.parent);  // as deep as a thread's open ranges
  NeedString(range.name);
  NeedString(range.domain);
  range_nodes_.Append({node, range.parent, range.name, range.domain, range.is_started ? format::kRangeStarted : 0});
}

void SliceFile::NeedShape(uint32_t id) {
  if (!shapes_defined_.Insert(id)) return;
  const ShapeDefinition& definition = definitions_->shapes[id];
  const KernelShape& shape = definition.shape;
  NeedString(definition.name);
  shapes_.Append({id, definition.name, shape.grid[0], shape.grid[1], shape.grid[2], shape.block[0], shape.block[1],
                  shape.block[2], shape.registers, shape.static_shared, shape.dynamic_shared, shape.local_per_thread,
                  shape.cluster[0], shape.cluster[1], shape.cluster[2]});
}

void SliceFile::NeedThread(uint32_t serial) {
  if (!threads_defined_.Insert(serial)) return;
  const ThreadIndex::Thread& thread = definitions_->threads[serial];
  NeedString(thread.name);
  threads_.Append({serial, thread.system_id, thread.name});
}

void SliceFile::AddCall(const CallEvent& call) {
  NeedThread(call.thread);
  NeedStack(call.stack_node);
  NeedPythonStack(call.python_node);
  NeedString(call.api);
  NeedRange(call.range_node);
  calls_.Append({call.correlation, call.time_ns, call.thread, call.stack_node, call.api,
                 static_cast<uint64_t>(call.call_class), call.flags, call.python_node, call.range_node,
                 call.stands_for > 1 ? call.stands_for : 0});
  calls_.NoteTime(call.time_ns, call.time_ns);
  unwritten_calls_ += format::GivesWork(call.call_class);
}

void SliceFile::AddOutcome(uint32_t correlation, format::CallOutcome outcome, uint64_t detail) {
  outcomes_.Append({correlation, static_cast<uint64_t>(outcome), detail});
}

void SliceFile::AddGraphNodes(const GraphNodesEvent& nodes) {
  graph_nodes_.Append(
      {nodes.node, nodes.time_ns, static_cast<uint64_t>(nodes.event), nodes.origin, nodes.correlation, nodes.count});
  graph_nodes_.NoteTime(nodes.time_ns, nodes.time_ns);
  has_graph_nodes_ = true;
}

void SliceFile::AddGraphRun(const GraphRunActivity& run) {
  graph_runs_.Append({run.correlation, run.start_ns, run.duration_ns, run.graph, run.stream, run.context,
                      run.untimed ? format::kActivityUntimed : 0});
  if (!run.untimed) graph_runs_.NoteTime(run.start_ns, run.start_ns + run.duration_ns);
}

void SliceFile::AddKernel(const KernelActivity& kernel) {
  const uint32_t shape = definitions_->shapes.Intern(kernel.name, kernel.shape);
  NeedShape(shape);
  kernels_.Append({kernel.correlation, kernel.start_ns, kernel.duration_ns, shape, kernel.stream, kernel.context,
                   kernel.graph, kernel.graph_node, kernel.untimed ? format::kActivityUntimed : 0});
  if (!kernel.untimed) kernels_.NoteTime(kernel.start_ns, kernel.start_ns + kernel.duration_ns);
}

void SliceFile::AddTransfer(const TransferActivity& transfer) {
  transfers_.Append({transfer.correlation, transfer.start_ns, transfer.duration_ns, transfer.bytes, transfer.what,
                     transfer.stream, transfer.context, transfer.graph, transfer.graph_node,
                     transfer.untimed ? format::kActivityUntimed : 0});
  if (!transfer.untimed) transfers_.NoteTime(transfer.start_ns, transfer.start_ns + transfer.duration_ns);
}

void SliceFile::AddAllocation(const AllocationActivity& allocation) {
  allocations_.Append({allocation.correlation, allocation.time_ns, allocation.address, allocation.bytes,
                       static_cast<uint64_t>(allocation.operation), allocation.memory_kind, allocation.stream,
                       allocation.context});
  allocations_.NoteTime(allocation.time_ns, allocation.time_ns);
}

void SliceFile::AddSynchronization(const SynchronizationActivity& synchronization) {
  synchronizations_.Append({synchronization.correlation, synchronization.start_ns, synchronization.duration_ns,
                            synchronization.what, synchronization.stream, synchronization.context});
  synchronizations_.NoteTime(synchronization.start_ns, synchronization.start_ns + synchronization.duration_ns);
}

void SliceFile::AddPause(const Pause& pause) {
  pauses_.Append({pause.stopped_ns, pause.started_ns, pause.last_before, pause.first_after});
}

void SliceFile::AddClockSample(const ClockSample& sample) {
  clock_samples_.Append({sample.cupti_ns, sample.realtime_ns, sample.monotonic_ns});
}

bool SliceFile::is_full() const {
  return calls_.rows() >= kFullRows || kernels_.rows() >= kFullRows || transfers_.rows() >= kFullRows ||
         allocations_.rows() >= kFullRows || synchronizations_.rows() >= kFullRows || outcomes_.rows() >= kFullRows ||
         graph_nodes_.rows() >= kFullRows || graph_runs_.rows() >= kFullRows || stack_nodes_.rows() >= kFullRows ||
         python_stack_nodes_.rows() >= kFullRows;
}

bool SliceFile::is_empty() const {
  return calls_.rows() + outcomes_.rows() + kernels_.rows() + transfers_.rows() + allocations_.rows() +
                 synchronizations_.rows() + graph_nodes_.rows() + graph_runs_.rows() + counters_.rows() +
                 pauses_.rows() ==
             0 &&
         lost_calls_ == 0 && lost_activities_ == 0 && lost_graph_nodes_ == 0 &&
         std::none_of(unnamed_frames_.begin(), unnamed_frames_.end(),
                      [this](uint32_t id) { return definitions_->frames[id].name != 0; });
}

void SliceFile::CollectFrameNames() {
  std::erase_if(unnamed_frames_, [this](uint32_t id) {
    const FrameDefinition& frame = definitions_->frames[id];
    if (frame.name == 0) return false;
    NeedString(frame.name);
    frame_names_.Append({id, frame.name, frame.name_offset});
    return true;
  });
}

Error SliceFile::WriteStrings() {
  if (new_strings_.empty()) return Error::None();
  std::vector<uint64_t> ids;
  std::vector<uint64_t> lengths;
  std::vector<uint8_t> bytes;
  for (const uint32_t id : new_strings_) {
    const std::string& text = definitions_->strings[id];
    ids.push_back(id);
    lengths.push_back(text.size());
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  new_strings_.clear();
  ChunkBuilder chunk(ChunkKind::kStrings, static_cast<uint32_t>(ids.size()));
  chunk.AddColumn(column::strings::kId, kDelta, ids);
  chunk.AddColumn(column::strings::kLength, kPlain, lengths);
  chunk.AddBytes(column::strings::kBytes, bytes);
  return writer_.Write(chunk);
}

Error SliceFile::Flush() {
  CollectFrameNames();
  Error error = WriteStrings();
  const auto write = [&](auto& table, uint64_t* lost) {
    // What comes after a chunk that is missing may rely on it.
    if (!error.ok() || (table.rows() == 0 && (lost == nullptr || *lost == 0))) return;
    ChunkBuilder chunk = table.Take();
    if (lost != nullptr) chunk.SetLost(*lost);
    error = writer_.Write(chunk);
    if (error.ok() && lost != nullptr) *lost = 0;
  };
  write(modules_, nullptr);
  write(frames_, nullptr);
  write(frame_names_, nullptr);
  write(stack_nodes_, nullptr);
  write(python_code_, nullptr);
  write(python_frames_, nullptr);
  write(python_stack_nodes_, nullptr);
  write(shapes_, nullptr);
  write(threads_, nullptr);
  write(range_nodes_, nullptr);
  write(calls_, &lost_calls_);
  if (error.ok()) unwritten_calls_ = 0;
  write(outcomes_, nullptr);
  write(graph_nodes_, &lost_graph_nodes_);  // before the work of the nodes, so that this is not work of nodes unknown
  write(kernels_, &lost_activities_);
  write(transfers_, nullptr);
  write(allocations_, nullptr);
  write(synchronizations_, nullptr);
  write(graph_runs_, nullptr);
  write(counters_, nullptr);
  write(pauses_, nullptr);
  write(clock_samples_, nullptr);
  return error;
}

Error SliceFile::WriteCounters(ChunkKind kind, const Counters& counters) {
  return writer_.Write(CountersChunk(kind, counters));
}

}  // namespace migprof::record
