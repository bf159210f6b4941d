// SPDX-License-Identifier: Apache-2.0
// Trace files made by hand, through the format's own writer but without the recorder.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libmigprof/format/chunk_writer.h"

namespace migprof::testing_support {

struct CallRow {
  uint64_t correlation = 0;
  uint64_t time_ns = 0;
  uint64_t stack_node = 0;
  uint64_t api = 0;
  format::CallClass call_class = format::CallClass::kKernelLaunch;
  uint64_t flags = 0;
  uint64_t python_node = 0;
  uint64_t range_node = 0;
  uint64_t stands_for = 0;
};

struct KernelRow {
  uint64_t correlation = 0;
  uint64_t start_ns = 0;
  uint64_t duration_ns = 0;
  uint64_t shape = 0;
  uint64_t flags = 0;
  uint64_t graph_node = 0;
};

// What a kernel's launch asked for, along one axis. Without a grid: a shape of which nothing but a part of it is known.
struct ShapeSizes {
  uint64_t grid = 0;
  uint64_t block = 1;
  uint64_t registers = 0;
  uint64_t static_shared = 0;
  uint64_t dynamic_shared = 0;
  uint64_t cluster = 0;
};

struct AllocationRow {
  uint64_t correlation = 0;
  uint64_t time_ns = 0;
  uint64_t address = 0;
  uint64_t bytes = 0;
  format::AllocationOperation operation = format::AllocationOperation::kAllocate;
  uint64_t memory = 3;  // CUPTI's kind: device
  uint64_t flags = 0;
};

struct GraphNodesRow {
  uint64_t node = 0;
  uint64_t time_ns = 0;
  format::GraphNodeEvent event = format::GraphNodeEvent::kCreated;
  uint64_t origin = 0;
  uint64_t correlation = 0;
  uint64_t count = 1;
  uint64_t flags = 0;
};

struct GraphRunRow {
  uint64_t correlation = 0;
  uint64_t start_ns = 0;
  uint64_t duration_ns = 0;
  uint64_t flags = 0;
};

struct CounterRow {
  uint64_t time_ns = 0;
  uint64_t counter = 0;
  uint64_t value = 0;
  uint64_t flags = 0;
  uint64_t span_ns = 0;
};

struct PauseRow {
  uint64_t stopped_ns = 0;
  uint64_t started_ns = 0;
  uint64_t last_before = 0;
  uint64_t first_after = 0;
};

// Files that were deleted.
struct RotatedRow {
  uint64_t first_segment = 0;
  uint64_t last_segment = 0;
  uint64_t segments = 1;
  uint64_t bytes = 0;
  uint64_t launches = 0;
  uint64_t kernels = 0;
  uint64_t lost = 0;
  uint64_t last_correlation = 0;
};

struct TransferRow {
  uint64_t correlation = 0;
  uint64_t start_ns = 0;
  uint64_t duration_ns = 0;
  uint64_t bytes = 0;
  uint64_t what = 1;
  uint64_t flags = 0;
};

// Rows wait until Flush, which writes definitions before events. Failures to write end the test program.
class TraceBuilder {
 public:
  explicit TraceBuilder(const std::string& path);

  // `changes` replace or add to plausible facts.
  void Process(const std::map<std::string, std::string>& changes = {});
  void Slice(const std::map<std::string, std::string>& changes = {});

  uint64_t String(const std::string& text);
  uint64_t Module(const std::string& path, uint64_t bias = 0, const std::string& build_id = "");
  // A frame at `address` in function `symbol`; an empty symbol stays unknown.
  uint64_t Frame(const std::string& symbol, uint64_t module, uint64_t address);
  // Outermost first. Returns the innermost node.
  uint64_t Stack(const std::vector<uint64_t>& frames);
  // A node as it is, sense or not.
  void StackNode(uint64_t id, uint64_t parent, uint64_t frame) { stack_nodes_.push_back({id, parent, frame}); }
  // A frame at `line` of `function` in `file`.
  uint64_t PythonFrame(const std::string& function, const std::string& file, uint64_t line, bool is_entry);
  // Outermost first. Returns the innermost node.
  uint64_t PythonStack(const std::vector<uint64_t>& frames);
  // A range inside of `parent`, or outermost when that is 0.
  uint64_t Range(const std::string& name, uint64_t parent = 0, const std::string& domain = "");
  uint64_t Shape(const std::string& kernel, const ShapeSizes& sizes = {});

  void Call(const CallRow& row) { calls_.push_back(row); }
  void Kernel(const KernelRow& row) { kernels_.push_back(row); }
  void GraphNodes(const GraphNodesRow& row) { graph_nodes_.push_back(row); }
  void GraphRun(const GraphRunRow& row) { graph_runs_.push_back(row); }
  void Counter(const CounterRow& row) { counters_.push_back(row); }
  void Pause(const PauseRow& row) {
    pauses_.push_back({row.stopped_ns, row.started_ns, row.last_before, row.first_after});
  }
  void Transfer(const TransferRow& row) { transfers_.push_back(row); }
  void Allocation(const AllocationRow& row) { allocations_.push_back(row); }
  void Outcome(uint64_t correlation, format::CallOutcome outcome) { outcomes_.emplace_back(correlation, outcome); }
  void Lost(uint64_t calls) { lost_ += calls; }
  // At once: what was deleted so far.
  void Rotated(const std::vector<RotatedRow>& rows);

  void Flush();
  // Flushes, and writes counters as they are written while a process runs.
  void Counters(const std::map<std::string, uint64_t>& counters);
  // Flushes, and ends the file as a process that ends well does; `end_ns`: when, 0 as old recorders, which did not say.
  void Close(uint64_t end_ns = 0);
  // A sample of the clocks, at once.
  void ClockSample(uint64_t cupti_ns);

 private:
  class Sink : public format::ByteSink {
   public:
    explicit Sink(const std::string& path) : out_(path, std::ios::binary) {}
    Error Append(std::span<const uint8_t> bytes) override;

   private:
    std::ofstream out_;
  };

  using Rows = std::vector<std::vector<uint64_t>>;

  void WriteText(format::ChunkKind kind, const std::map<std::string, std::string>& facts);
  void WriteStrings();
  format::ChunkBuilder Table(format::ChunkKind kind, const std::vector<uint16_t>& columns, Rows* rows);

  Sink sink_;
  format::ChunkWriter writer_{&sink_};
  std::map<std::string, uint64_t> strings_;
  std::vector<std::pair<uint64_t, std::string>> new_strings_;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> nodes_;
  Rows modules_, frames_, frame_names_, stack_nodes_, shapes_, python_code_, python_frames_, python_stack_nodes_,
      ranges_, pauses_;
  uint64_t next_module_ = 1, next_frame_ = 1, next_node_ = 1, next_shape_ = 1, next_range_ = 1;
  std::vector<CallRow> calls_;
  std::vector<KernelRow> kernels_;
  std::vector<TransferRow> transfers_;
  std::vector<AllocationRow> allocations_;
  std::vector<GraphNodesRow> graph_nodes_;
  std::vector<GraphRunRow> graph_runs_;
  std::vector<CounterRow> counters_;
  std::vector<std::pair<uint64_t, format::CallOutcome>> outcomes_;
  uint64_t lost_ = 0;
};

}  // namespace migprof::testing_support
