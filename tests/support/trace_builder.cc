// SPDX-License-Identifier: Apache-2.0
#include "tests/support/trace_builder.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace migprof::testing_support {

using format::ChunkBuilder;
using format::ChunkKind;
using format::ColumnEncoding;
namespace column = format::column;

namespace {

void Must(const Error& error) {
  if (error.ok()) return;
  std::cerr << "trace builder: " << error.what << "\n";
  std::abort();
}

std::span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

Error TraceBuilder::Sink::Append(std::span<const uint8_t> bytes) {
  out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out_.flush();
  return out_ ? Error::None() : Error{"cannot write", 0};
}

TraceBuilder::TraceBuilder(const std::string& path) : sink_(path) {}

void TraceBuilder::WriteText(ChunkKind kind, const std::map<std::string, std::string>& facts) {
  std::vector<uint64_t> keys;
  std::vector<uint64_t> texts;
  std::string bytes;
  for (const auto& [key, text] : facts) {
    keys.push_back(key.size());
    texts.push_back(text.size());
    bytes += key + text;
  }
  ChunkBuilder chunk(kind, static_cast<uint32_t>(keys.size()));
  chunk.AddColumn(column::key_value::kKeyLength, ColumnEncoding::kPlain, keys);
  chunk.AddColumn(column::key_value::kTextLength, ColumnEncoding::kPlain, texts);
  chunk.AddBytes(column::key_value::kBytes, AsBytes(bytes));
  Must(writer_.Write(chunk));
}

void TraceBuilder::Process(const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> facts = {{"host", "node1"},       {"boot_id", "boot"},       {"pid", "100"},
                                              {"process_name", "app"}, {"start_ns", "1000"},      {"simulated", "0"},
                                              {"stacks", "1"},         {"migprof_version", "0.0"}};
  for (const auto& [key, text] : changes) facts[key] = text;
  WriteText(ChunkKind::kProcess, facts);
}

void TraceBuilder::Slice(const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> facts = {{"gpu_uuid", "GPU-11111111-1111-1111-1111-111111111111"},
                                              {"mig_uuid", "MIG-22222222-2222-2222-2222-222222222222"},
                                              {"gpu_name", "NVIDIA H100 80GB HBM3"},
                                              {"profile", "1g.10gb"},
                                              {"gpu_instance_id", "7"},
                                              {"compute_instance_id", "0"},
                                              {"sm_count", "16"},
                                              {"memory_bytes", "10468982784"}};
  for (const auto& [key, text] : changes) facts[key] = text;
  WriteText(ChunkKind::kSlice, facts);
}

uint64_t TraceBuilder::String(const std::string& text) {
  const auto [entry, is_new] = strings_.try_emplace(text, strings_.size() + 1);
  if (is_new) new_strings_.emplace_back(entry->second, text);
  return entry->second;
}

uint64_t TraceBuilder::Module(const std::string& path, uint64_t bias, const std::string& build_id) {
  modules_.push_back({next_module_, String(path), build_id.empty() ? 0 : String(build_id), bias});
  return next_module_++;
}

uint64_t TraceBuilder::Frame(const std::string& symbol, uint64_t module, uint64_t address) {
  frames_.push_back({next_frame_, address, module});
  if (!symbol.empty()) frame_names_.push_back({next_frame_, String(symbol), 0});
  return next_frame_++;
}

uint64_t TraceBuilder::Stack(const std::vector<uint64_t>& frames) {
  uint64_t node = 0;
  for (const uint64_t frame : frames) {
    const auto [entry, is_new] = nodes_.try_emplace({node, frame}, next_node_);
    if (is_new) stack_nodes_.push_back({next_node_++, node, frame});
    node = entry->second;
  }
  return node;
}

uint64_t TraceBuilder::PythonFrame(const std::string& function, const std::string& file, uint64_t line, bool is_entry) {
  const uint64_t id = python_frames_.size() + 1;
  python_code_.push_back({id, String(function), String(file), 1});
  python_frames_.push_back({id, id, line, is_entry ? format::kPythonFrameEntry : 0});
  return id;
}

uint64_t TraceBuilder::PythonStack(const std::vector<uint64_t>& frames) {
  uint64_t node = 0;
  for (const uint64_t frame : frames) {
    python_stack_nodes_.push_back({python_stack_nodes_.size() + 1, node, frame});
    node = python_stack_nodes_.size();
  }
  return node;
}

uint64_t TraceBuilder::Range(const std::string& name, uint64_t parent, const std::string& domain) {
  ranges_.push_back({next_range_, parent, String(name), domain.empty() ? 0 : String(domain), 0});
  return next_range_++;
}

uint64_t TraceBuilder::Shape(const std::string& kernel, const ShapeSizes& sizes) {
  if (sizes.grid == 0) {
    shapes_.push_back({next_shape_, String(kernel), 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  } else {
    const uint64_t one = sizes.cluster != 0 ? 1 : 0;
    shapes_.push_back({next_shape_, String(kernel), sizes.grid, 1, 1, sizes.block, 1, 1, sizes.registers,
                       sizes.static_shared, sizes.dynamic_shared, sizes.cluster, one, one});
  }
  return next_shape_++;
}

void TraceBuilder::WriteStrings() {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> lengths;
  std::string bytes;
  for (const auto& [id, text] : new_strings_) {
    ids.push_back(id);
    lengths.push_back(text.size());
    bytes += text;
  }
  if (ids.empty()) return;
  new_strings_.clear();
  ChunkBuilder chunk(ChunkKind::kStrings, static_cast<uint32_t>(ids.size()));
  chunk.AddColumn(column::strings::kId, ColumnEncoding::kDelta, ids);
  chunk.AddColumn(column::strings::kLength, ColumnEncoding::kPlain, lengths);
  chunk.AddBytes(column::strings::kBytes, AsBytes(bytes));
  Must(writer_.Write(chunk));
}

ChunkBuilder TraceBuilder::Table(ChunkKind kind, const std::vector<uint16_t>& columns, Rows* rows) {
  ChunkBuilder chunk(kind, static_cast<uint32_t>(rows->size()));
  std::vector<uint64_t> values(rows->size());
  for (size_t i = 0; i < columns.size(); ++i) {
    for (size_t row = 0; row < rows->size(); ++row) values[row] = (*rows)[row][i];
    // Times and correlations as the recorder writes them.
    chunk.AddColumn(columns[i], columns[i] <= 2 ? ColumnEncoding::kDelta : ColumnEncoding::kPlain, values);
  }
  rows->clear();
  return chunk;
}

void TraceBuilder::Flush() {
  WriteStrings();
  const auto write = [&](ChunkKind kind, const std::vector<uint16_t>& columns, Rows* rows) {
    if (!rows->empty()) Must(writer_.Write(Table(kind, columns, rows)));
  };
  write(ChunkKind::kPauses,
        {column::pauses::kStopped, column::pauses::kStarted, column::pauses::kLastBefore, column::pauses::kFirstAfter},
        &pauses_);
  write(ChunkKind::kModules,
        {column::modules::kId, column::modules::kPath, column::modules::kBuildId, column::modules::kBias}, &modules_);
  write(ChunkKind::kFrames, {column::frames::kId, column::frames::kAddress, column::frames::kModule}, &frames_);
  write(ChunkKind::kFrameNames, {column::frame_names::kFrame, column::frame_names::kName, column::frame_names::kOffset},
        &frame_names_);
  write(ChunkKind::kStackNodes, {column::stack_nodes::kId, column::stack_nodes::kParent, column::stack_nodes::kFrame},
        &stack_nodes_);
  write(ChunkKind::kPythonCode,
        {column::python_code::kId, column::python_code::kName, column::python_code::kFile,
         column::python_code::kFirstLine},
        &python_code_);
  write(ChunkKind::kPythonFrames,
        {column::python_frames::kId, column::python_frames::kCode, column::python_frames::kLine,
         column::python_frames::kFlags},
        &python_frames_);
  write(ChunkKind::kPythonStackNodes,
        {column::python_stack_nodes::kId, column::python_stack_nodes::kParent, column::python_stack_nodes::kFrame},
        &python_stack_nodes_);
  write(ChunkKind::kKernelShapes,
        {column::kernel_shapes::kId, column::kernel_shapes::kName, column::kernel_shapes::kGridX,
         column::kernel_shapes::kGridY, column::kernel_shapes::kGridZ, column::kernel_shapes::kBlockX,
         column::kernel_shapes::kBlockY, column::kernel_shapes::kBlockZ, column::kernel_shapes::kRegisters,
         column::kernel_shapes::kStaticShared, column::kernel_shapes::kDynamicShared, column::kernel_shapes::kClusterX,
         column::kernel_shapes::kClusterY, column::kernel_shapes::kClusterZ},
        &shapes_);
  write(ChunkKind::kRangeNodes,
        {column::range_nodes::kId, column::range_nodes::kParent, column::range_nodes::kName,
         column::range_nodes::kDomain, column::range_nodes::kFlags},
        &ranges_);

  const auto write_events = [&](ChunkKind kind, const std::vector<uint16_t>& columns, Rows rows, uint64_t first,
                                uint64_t last, uint64_t lost) {
    if (rows.empty() && lost == 0) return;
    ChunkBuilder chunk = Table(kind, columns, &rows);
    if (last != 0) chunk.SetTimes(first, last);
    chunk.SetLost(lost);
    Must(writer_.Write(chunk));
  };
  Rows rows;
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  for (const CallRow& row : calls_) {
    rows.push_back({row.correlation, row.time_ns, row.stack_node, row.api, static_cast<uint64_t>(row.call_class),
                    row.flags, row.python_node, row.range_node, row.stands_for});
    if ((row.flags & format::kCallCarried) != 0) continue;
    first = std::min(first, row.time_ns);
    last = std::max(last, row.time_ns);
  }
  write_events(ChunkKind::kCalls,
               {column::calls::kCorrelation, column::calls::kTime, column::calls::kStackNode, column::calls::kApi,
                column::calls::kClass, column::calls::kFlags, column::calls::kPythonStackNode,
                column::calls::kRangeNode, column::calls::kStandsFor},
               rows, first, last, std::exchange(lost_, 0));
  rows.clear();
  for (const auto& [correlation, outcome] : outcomes_) rows.push_back({correlation, static_cast<uint64_t>(outcome)});
  write_events(ChunkKind::kCallOutcomes, {column::call_outcomes::kCorrelation, column::call_outcomes::kOutcome}, rows,
               0, 0, 0);
  rows.clear();
  first = UINT64_MAX, last = 0;
  for (const GraphNodesRow& row : graph_nodes_) {
    rows.push_back(
        {row.node, row.time_ns, static_cast<uint64_t>(row.event), row.origin, row.correlation, row.count, row.flags});
    if ((row.flags & format::kRowCarried) != 0) continue;
    first = std::min(first, row.time_ns);
    last = std::max(last, row.time_ns);
  }
  write_events(ChunkKind::kGraphNodes,
               {column::graph_nodes::kNode, column::graph_nodes::kTime, column::graph_nodes::kEvent,
                column::graph_nodes::kOrigin, column::graph_nodes::kCorrelation, column::graph_nodes::kCount,
                column::graph_nodes::kFlags},
               rows, first, last, 0);
  rows.clear();
  first = UINT64_MAX, last = 0;
  for (const KernelRow& row : kernels_) {
    rows.push_back({row.correlation, row.start_ns, row.duration_ns, row.shape, row.flags, row.graph_node});
    if ((row.flags & format::kActivityUntimed) != 0) continue;
    first = std::min(first, row.start_ns);
    last = std::max(last, row.start_ns + row.duration_ns);
  }
  write_events(ChunkKind::kKernels,
               {column::kernels::kCorrelation, column::kernels::kStart, column::kernels::kDuration,
                column::kernels::kShape, column::kernels::kFlags, column::kernels::kGraphNode},
               rows, first, last, 0);
  rows.clear();
  first = UINT64_MAX, last = 0;
  for (const TransferRow& row : transfers_) {
    rows.push_back({row.correlation, row.start_ns, row.duration_ns, row.bytes, row.what, row.flags});
    first = std::min(first, row.start_ns);
    last = std::max(last, row.start_ns + row.duration_ns);
  }
  write_events(ChunkKind::kTransfers,
               {column::transfers::kCorrelation, column::transfers::kStart, column::transfers::kDuration,
                column::transfers::kBytes, column::transfers::kWhat, column::transfers::kFlags},
               rows, first, last, 0);
  rows.clear();
  first = UINT64_MAX, last = 0;
  for (const GraphRunRow& row : graph_runs_) {
    rows.push_back({row.correlation, row.start_ns, row.duration_ns, row.flags});
    first = std::min(first, row.start_ns);
    last = std::max(last, row.start_ns + row.duration_ns);
  }
  write_events(ChunkKind::kGraphRuns,
               {column::graph_runs::kCorrelation, column::graph_runs::kStart, column::graph_runs::kDuration,
                column::graph_runs::kFlags},
               rows, first, last, 0);
  rows.clear();
  first = UINT64_MAX, last = 0;
  for (const AllocationRow& row : allocations_) {
    rows.push_back({row.correlation, row.time_ns, row.address, row.bytes, static_cast<uint64_t>(row.operation),
                    row.memory, row.flags});
    if ((row.flags & format::kRowCarried) != 0) continue;
    first = std::min(first, row.time_ns);
    last = std::max(last, row.time_ns);
  }
  write_events(ChunkKind::kAllocations,
               {column::allocations::kCorrelation, column::allocations::kTime, column::allocations::kAddress,
                column::allocations::kBytes, column::allocations::kOperation, column::allocations::kMemory,
                column::allocations::kFlags},
               rows, first, last, 0);
  allocations_.clear();

  for (const CounterRow& row : counters_) rows.push_back({row.time_ns, row.counter, row.value, row.flags, row.span_ns});
  write_events(ChunkKind::kCounterSamples,
               {column::counter_samples::kTime, column::counter_samples::kCounter, column::counter_samples::kValue,
                column::counter_samples::kFlags, column::counter_samples::kSpan},
               rows, 0, 0, 0);
  counters_.clear();
  graph_nodes_.clear();
  graph_runs_.clear();
  calls_.clear();
  outcomes_.clear();
  kernels_.clear();
  transfers_.clear();
}

void TraceBuilder::Rotated(const std::vector<RotatedRow>& rows) {
  Rows values;
  for (const RotatedRow& row : rows) {
    values.push_back({row.first_segment, row.last_segment, row.segments, row.bytes, row.launches, row.kernels, row.lost,
                      row.last_correlation});
  }
  Must(writer_.Write(Table(ChunkKind::kRotated,
                           {column::rotated::kFirstSegment, column::rotated::kLastSegment, column::rotated::kSegments,
                            column::rotated::kBytes, column::rotated::kLaunches, column::rotated::kKernels,
                            column::rotated::kLost, column::rotated::kLastCorrelation},
                           &values)));
}

void TraceBuilder::Counters(const std::map<std::string, uint64_t>& counters) {
  Flush();
  std::vector<uint64_t> keys;
  std::vector<uint64_t> numbers;
  std::string bytes;
  for (const auto& [key, number] : counters) {
    keys.push_back(key.size());
    numbers.push_back(number);
    bytes += key;
  }
  ChunkBuilder chunk(ChunkKind::kCounters, static_cast<uint32_t>(keys.size()));
  chunk.AddColumn(column::key_value::kKeyLength, ColumnEncoding::kPlain, keys);
  chunk.AddColumn(column::key_value::kNumber, ColumnEncoding::kPlain, numbers);
  chunk.AddBytes(column::key_value::kBytes, AsBytes(bytes));
  Must(writer_.Write(chunk));
}

void TraceBuilder::Close(uint64_t end_ns) {
  Flush();
  const std::string key = "process.end_ns";
  const uint64_t length = key.size();
  ChunkBuilder trailer(ChunkKind::kTrailer, end_ns != 0 ? 1 : 0);
  if (end_ns != 0) {
    trailer.AddColumn(column::key_value::kKeyLength, ColumnEncoding::kPlain, {&length, 1});
    trailer.AddColumn(column::key_value::kNumber, ColumnEncoding::kPlain, {&end_ns, 1});
    trailer.AddBytes(column::key_value::kBytes, AsBytes(key));
  }
  Must(writer_.Write(trailer));
}

void TraceBuilder::ClockSample(uint64_t cupti_ns) {
  ChunkBuilder sample(ChunkKind::kClockSamples, 1);
  sample.AddColumn(column::clock_samples::kCupti, ColumnEncoding::kDelta, {&cupti_ns, 1});
  Must(writer_.Write(sample));
}

}  // namespace migprof::testing_support
