// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_dump.h"

#include <algorithm>
#include <ostream>
#include <span>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/file_budget.h"
#include "libmigprof/analyze/file_source.h"
#include "libmigprof/analyze/trace_definitions.h"
#include "libmigprof/format/chunk_reader.h"

namespace migprof::analyze {
namespace {

using format::Chunk;
using format::ChunkKind;
namespace column = format::column;

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", absl::CHexEscape(text), "\""); }

// A file of some kilobytes can claim to be gigabytes of text. Honest ones become up to some 2400 times as long.
constexpr uint64_t kLeastText = uint64_t{16} << 20;
constexpr uint64_t kTextPerByte = 4096;
constexpr char kTooMuchText[] = "more text than files of this size are; --all prints the rest";

uint64_t MostText(const DumpOptions& options, uint64_t file_bytes) {
  if (options.all || file_bytes > UINT64_MAX / kTextPerByte) return UINT64_MAX;
  return std::max(kLeastText, file_bytes * kTextPerByte);
}

// How a number is written.
enum class Style { kDecimal, kHexadecimal, kString, kKernel };

struct ColumnStyle {
  uint16_t id;
  const char* name;
  Style style = Style::kDecimal;
};

struct RecordStyle {
  ChunkKind kind;
  const char* name;
  std::span<const ColumnStyle> columns;
};

constexpr ColumnStyle kModulesColumns[] = {{column::modules::kId, "id"},
                                           {column::modules::kPath, "path", Style::kString},
                                           {column::modules::kBuildId, "build_id", Style::kString},
                                           {column::modules::kBias, "bias", Style::kHexadecimal},
                                           {column::modules::kStart, "start", Style::kHexadecimal},
                                           {column::modules::kEnd, "end", Style::kHexadecimal},
                                           {column::modules::kRole, "role"}};
constexpr ColumnStyle kFramesColumns[] = {{column::frames::kId, "id"},
                                          {column::frames::kAddress, "address", Style::kHexadecimal},
                                          {column::frames::kModule, "module"}};
constexpr ColumnStyle kFrameNamesColumns[] = {{column::frame_names::kFrame, "frame"},
                                              {column::frame_names::kName, "name", Style::kString},
                                              {column::frame_names::kOffset, "offset"}};
constexpr ColumnStyle kStackNodesColumns[] = {
    {column::stack_nodes::kId, "id"}, {column::stack_nodes::kParent, "parent"}, {column::stack_nodes::kFrame, "frame"}};
constexpr ColumnStyle kKernelShapesColumns[] = {{column::kernel_shapes::kId, "id"},
                                                {column::kernel_shapes::kName, "name", Style::kString},
                                                {column::kernel_shapes::kGridX, "grid_x"},
                                                {column::kernel_shapes::kGridY, "grid_y"},
                                                {column::kernel_shapes::kGridZ, "grid_z"},
                                                {column::kernel_shapes::kBlockX, "block_x"},
                                                {column::kernel_shapes::kBlockY, "block_y"},
                                                {column::kernel_shapes::kBlockZ, "block_z"},
                                                {column::kernel_shapes::kRegisters, "registers"},
                                                {column::kernel_shapes::kStaticShared, "static_shared"},
                                                {column::kernel_shapes::kDynamicShared, "dynamic_shared"},
                                                {column::kernel_shapes::kLocalPerThread, "local_per_thread"},
                                                {column::kernel_shapes::kClusterX, "cluster_x"},
                                                {column::kernel_shapes::kClusterY, "cluster_y"},
                                                {column::kernel_shapes::kClusterZ, "cluster_z"}};
constexpr ColumnStyle kThreadsColumns[] = {{column::threads::kId, "id"},
                                           {column::threads::kSystemId, "system_id"},
                                           {column::threads::kName, "name", Style::kString}};
constexpr ColumnStyle kPythonCodeColumns[] = {{column::python_code::kId, "id"},
                                              {column::python_code::kName, "name", Style::kString},
                                              {column::python_code::kFile, "file", Style::kString},
                                              {column::python_code::kFirstLine, "first_line"}};
constexpr ColumnStyle kPythonFramesColumns[] = {{column::python_frames::kId, "id"},
                                                {column::python_frames::kCode, "code"},
                                                {column::python_frames::kLine, "line"},
                                                {column::python_frames::kFlags, "flags"}};
constexpr ColumnStyle kPythonStackNodesColumns[] = {{column::python_stack_nodes::kId, "id"},
                                                    {column::python_stack_nodes::kParent, "parent"},
                                                    {column::python_stack_nodes::kFrame, "frame"}};
constexpr ColumnStyle kCallsColumns[] = {{column::calls::kCorrelation, "correlation"},
                                         {column::calls::kTime, "time"},
                                         {column::calls::kThread, "thread"},
                                         {column::calls::kStackNode, "stack_node"},
                                         {column::calls::kApi, "api", Style::kString},
                                         {column::calls::kClass, "class"},
                                         {column::calls::kFlags, "flags"},
                                         {column::calls::kPythonStackNode, "python_stack_node"},
                                         {column::calls::kRangeNode, "range_node"},
                                         {column::calls::kStandsFor, "stands_for"}};
constexpr ColumnStyle kRangeNodesColumns[] = {{column::range_nodes::kId, "id"},
                                              {column::range_nodes::kParent, "parent"},
                                              {column::range_nodes::kName, "name", Style::kString},
                                              {column::range_nodes::kDomain, "domain", Style::kString},
                                              {column::range_nodes::kFlags, "flags"}};
constexpr ColumnStyle kCallOutcomesColumns[] = {{column::call_outcomes::kCorrelation, "correlation"},
                                                {column::call_outcomes::kOutcome, "outcome"},
                                                {column::call_outcomes::kDetail, "detail"}};
constexpr ColumnStyle kKernelsColumns[] = {{column::kernels::kCorrelation, "correlation"},
                                           {column::kernels::kStart, "start"},
                                           {column::kernels::kDuration, "duration"},
                                           {column::kernels::kShape, "shape"},
                                           {column::kernels::kShape, "name", Style::kKernel},
                                           {column::kernels::kStream, "stream"},
                                           {column::kernels::kContext, "context"},
                                           {column::kernels::kGraph, "graph"},
                                           {column::kernels::kGraphNode, "graph_node"},
                                           {column::kernels::kFlags, "flags"}};
constexpr ColumnStyle kTransfersColumns[] = {{column::transfers::kCorrelation, "correlation"},
                                             {column::transfers::kStart, "start"},
                                             {column::transfers::kDuration, "duration"},
                                             {column::transfers::kBytes, "bytes"},
                                             {column::transfers::kWhat, "what"},
                                             {column::transfers::kStream, "stream"},
                                             {column::transfers::kContext, "context"},
                                             {column::transfers::kGraph, "graph"},
                                             {column::transfers::kGraphNode, "graph_node"},
                                             {column::transfers::kFlags, "flags"}};
constexpr ColumnStyle kAllocationsColumns[] = {{column::allocations::kCorrelation, "correlation"},
                                               {column::allocations::kTime, "time"},
                                               {column::allocations::kAddress, "address", Style::kHexadecimal},
                                               {column::allocations::kBytes, "bytes"},
                                               {column::allocations::kOperation, "operation"},
                                               {column::allocations::kMemory, "memory"},
                                               {column::allocations::kStream, "stream"},
                                               {column::allocations::kContext, "context"},
                                               {column::allocations::kFlags, "flags"}};
constexpr ColumnStyle kSynchronizationsColumns[] = {
    {column::synchronizations::kCorrelation, "correlation"}, {column::synchronizations::kStart, "start"},
    {column::synchronizations::kDuration, "duration"},       {column::synchronizations::kWhat, "what"},
    {column::synchronizations::kStream, "stream"},           {column::synchronizations::kContext, "context"}};
constexpr ColumnStyle kGraphNodesColumns[] = {{column::graph_nodes::kNode, "node"},
                                              {column::graph_nodes::kTime, "time"},
                                              {column::graph_nodes::kEvent, "event"},
                                              {column::graph_nodes::kOrigin, "origin"},
                                              {column::graph_nodes::kCorrelation, "correlation"},
                                              {column::graph_nodes::kCount, "count"},
                                              {column::graph_nodes::kFlags, "flags"}};
constexpr ColumnStyle kGraphRunsColumns[] = {{column::graph_runs::kCorrelation, "correlation"},
                                             {column::graph_runs::kStart, "start"},
                                             {column::graph_runs::kDuration, "duration"},
                                             {column::graph_runs::kGraph, "graph"},
                                             {column::graph_runs::kStream, "stream"},
                                             {column::graph_runs::kContext, "context"},
                                             {column::graph_runs::kFlags, "flags"}};
constexpr ColumnStyle kCounterSamplesColumns[] = {{column::counter_samples::kTime, "time"},
                                                  {column::counter_samples::kCounter, "counter"},
                                                  {column::counter_samples::kValue, "value"},
                                                  {column::counter_samples::kFlags, "flags"},
                                                  {column::counter_samples::kSpan, "span"}};
constexpr ColumnStyle kPausesColumns[] = {{column::pauses::kStopped, "stopped"},
                                          {column::pauses::kStarted, "started"},
                                          {column::pauses::kLastBefore, "last_before"},
                                          {column::pauses::kFirstAfter, "first_after"}};
constexpr ColumnStyle kClockSamplesColumns[] = {{column::clock_samples::kCupti, "cupti"},
                                                {column::clock_samples::kRealtime, "realtime"},
                                                {column::clock_samples::kMonotonic, "monotonic"}};

constexpr ColumnStyle kRotatedColumns[] = {{column::rotated::kFirstSegment, "first_segment"},
                                           {column::rotated::kLastSegment, "last_segment"},
                                           {column::rotated::kSegments, "segments"},
                                           {column::rotated::kBytes, "bytes"},
                                           {column::rotated::kFirst, "first"},
                                           {column::rotated::kLast, "last"},
                                           {column::rotated::kLaunches, "launches"},
                                           {column::rotated::kOtherCalls, "other_calls"},
                                           {column::rotated::kKernels, "kernels"},
                                           {column::rotated::kTransfers, "transfers"},
                                           {column::rotated::kGraphRuns, "graph_runs"},
                                           {column::rotated::kAllocations, "allocations"},
                                           {column::rotated::kSynchronizations, "synchronizations"},
                                           {column::rotated::kLost, "lost"},
                                           {column::rotated::kLastCorrelation, "last_correlation"}};

constexpr RecordStyle kRecordStyles[] = {
    {ChunkKind::kModules, "module", kModulesColumns},
    {ChunkKind::kFrames, "frame", kFramesColumns},
    {ChunkKind::kFrameNames, "frame_name", kFrameNamesColumns},
    {ChunkKind::kStackNodes, "stack_node", kStackNodesColumns},
    {ChunkKind::kKernelShapes, "kernel_shape", kKernelShapesColumns},
    {ChunkKind::kThreads, "thread", kThreadsColumns},
    {ChunkKind::kPythonCode, "python_code", kPythonCodeColumns},
    {ChunkKind::kPythonFrames, "python_frame", kPythonFramesColumns},
    {ChunkKind::kPythonStackNodes, "python_stack_node", kPythonStackNodesColumns},
    {ChunkKind::kRangeNodes, "range_node", kRangeNodesColumns},
    {ChunkKind::kCalls, "call", kCallsColumns},
    {ChunkKind::kCallOutcomes, "call_outcome", kCallOutcomesColumns},
    {ChunkKind::kKernels, "kernel", kKernelsColumns},
    {ChunkKind::kTransfers, "transfer", kTransfersColumns},
    {ChunkKind::kAllocations, "allocation", kAllocationsColumns},
    {ChunkKind::kSynchronizations, "synchronization", kSynchronizationsColumns},
    {ChunkKind::kGraphNodes, "graph_nodes", kGraphNodesColumns},
    {ChunkKind::kGraphRuns, "graph_run", kGraphRunsColumns},
    {ChunkKind::kCounterSamples, "counter_sample", kCounterSamplesColumns},
    {ChunkKind::kPauses, "pause", kPausesColumns},
    {ChunkKind::kClockSamples, "clock_sample", kClockSamplesColumns},
    {ChunkKind::kRotated, "rotated", kRotatedColumns},
};

const char* KindName(ChunkKind kind) {
  switch (kind) {
    case ChunkKind::kProcess:
      return "process";
    case ChunkKind::kSlice:
      return "slice";
    case ChunkKind::kStrings:
      return "string";
    case ChunkKind::kCounters:
      return "counter";
    case ChunkKind::kTrailer:
      return "trailer";
    default:
      break;
  }
  for (const RecordStyle& style : kRecordStyles) {
    if (style.kind == kind) return style.name;
  }
  return "unknown";
}

class Dumper : public format::DamageReporter {
 public:
  Dumper(const DumpOptions& options, uint64_t file_bytes, std::ostream& out)
      : out_(out), file_bytes_(file_bytes), text_left_(MostText(options, file_bytes)), budget_(file_bytes) {}

  bool is_budget_spent() const { return budget_.is_spent(); }
  bool is_full() const { return is_full_; }

  // Of a dump that is full: what was not printed.
  void NoteRest(const format::ChunkRef& ref) {
    out_ << "stopped offset=" << ref.offset << " rows_left=" << rows_left_
         << " bytes_behind=" << file_bytes_ - std::min(file_bytes_, ref.offset + ref.total_bytes())
         << " reason=" << Quoted(kTooMuchText) << "\n";
  }

  void OnDamage(uint64_t offset, uint64_t bytes, const char* reason) override {
    was_damaged_ = true;
    out_ << "damage offset=" << offset << " bytes=" << bytes << " reason=" << Quoted(reason) << "\n";
  }

  // Says if chunks are missing before this one where nothing is damaged.
  void NoteSequence(const format::ChunkRef& ref) {
    const uint32_t sequence = ref.header.sequence;
    if (sequence > next_sequence_ && !was_damaged_) {
      out_ << "missing offset=" << ref.offset << " chunks=" << sequence - next_sequence_ << "\n";
    }
    next_sequence_ = sequence + 1;
    was_damaged_ = false;
  }

  void DumpChunkLine(const format::ChunkRef& ref) {
    const format::ChunkHeader& header = ref.header;
    out_ << "chunk offset=" << ref.offset << " kind=" << KindName(ref.kind()) << " sequence=" << header.sequence
         << " rows=" << header.row_count << " columns=" << header.column_count << " stored=" << header.stored_bytes
         << " raw=" << header.raw_bytes << " first=" << header.first_ns << " last=" << header.last_ns
         << " lost=" << header.lost << "\n";
  }

  // False when the chunk makes no sense.
  bool DumpRows(const Chunk& chunk) {
    if (!definitions_.Add(chunk)) return false;
    switch (chunk.kind()) {
      case ChunkKind::kProcess:
      case ChunkKind::kSlice:
        return DumpNamedValues(chunk, false);
      case ChunkKind::kCounters:
      case ChunkKind::kTrailer:
        return DumpNamedValues(chunk, true);
      case ChunkKind::kStrings:
        return DumpStrings(chunk);
      default:
        break;
    }
    for (const RecordStyle& style : kRecordStyles) {
      if (style.kind == chunk.kind()) return DumpTable(chunk, style);
    }
    out_ << "unknown kind=" << chunk.header().kind << " rows=" << chunk.rows() << "\n";
    return true;
  }

 private:
  // False when that is too much; then `rows_left` of the chunk are not printed, nor anything behind them.
  bool Print(const std::string& line, size_t rows_left) {
    if (line.size() <= text_left_) {
      text_left_ -= line.size();
      out_ << line;
      return true;
    }
    is_full_ = true;
    rows_left_ = rows_left;
    return false;
  }

  bool DumpNamedValues(const Chunk& chunk, bool numbers) {
    namespace kv = column::key_value;
    std::vector<uint64_t> keys, texts, values;
    if (!chunk.Column(kv::kKeyLength, &keys) || !chunk.Column(kv::kTextLength, &texts) ||
        !chunk.Column(kv::kNumber, &values)) {
      return false;
    }
    std::string_view bytes = chunk.Bytes(kv::kBytes);
    for (size_t row = 0; row < keys.size(); ++row) {
      if (keys[row] > bytes.size() || texts[row] > bytes.size() - keys[row]) return false;
      const std::string key = absl::CHexEscape({bytes.data(), keys[row]});
      const std::string value = numbers ? absl::StrCat(values[row]) : Quoted({bytes.data() + keys[row], texts[row]});
      if (!Print(absl::StrCat(KindName(chunk.kind()), " ", key, "=", value, "\n"), keys.size() - row)) return true;
      bytes.remove_prefix(keys[row] + texts[row]);
    }
    return true;
  }

  bool DumpStrings(const Chunk& chunk) {
    std::vector<uint64_t> ids;
    if (!chunk.Column(column::strings::kId, &ids)) return false;
    for (size_t row = 0; row < ids.size(); ++row) {
      const std::string text = Quoted(definitions_.String(ids[row]));
      if (!Print(absl::StrCat("string id=", ids[row], " text=", text, "\n"), ids.size() - row)) return true;
    }
    return true;
  }

  bool DumpTable(const Chunk& chunk, const RecordStyle& style) {
    std::vector<std::vector<uint64_t>> values(style.columns.size());
    for (size_t i = 0; i < values.size(); ++i) {
      if (!chunk.Column(style.columns[i].id, &values[i])) return false;
    }
    std::string line;
    for (uint32_t row = 0; row < chunk.rows(); ++row) {
      line = style.name;
      for (size_t i = 0; i < values.size(); ++i) {
        absl::StrAppend(&line, " ", style.columns[i].name, "=", Format(values[i][row], style.columns[i].style));
      }
      line += '\n';
      if (!Print(line, chunk.rows() - row)) return true;
    }
    return true;
  }

  std::string Format(uint64_t value, Style style) const {
    switch (style) {
      case Style::kDecimal:
        return absl::StrCat(value);
      case Style::kHexadecimal:
        return absl::StrCat("0x", absl::Hex(value));
      case Style::kString:
        return Quoted(definitions_.String(value));
      case Style::kKernel:
        return Quoted(definitions_.String(definitions_.KernelName(value)));
    }
    return "";
  }

  std::ostream& out_;
  uint64_t file_bytes_;
  uint64_t text_left_;
  bool is_full_ = false;
  size_t rows_left_ = 0;
  FileBudget budget_;
  TraceDefinitions definitions_{&budget_};
  uint32_t next_sequence_ = 0;
  bool was_damaged_ = false;
};

}  // namespace

absl::Status DumpTrace(const std::string& path, const DumpOptions& options, std::ostream& out) {
  auto source = OpenTraceFile(path);
  if (!source.ok()) return source.status();
  if ((*source)->size() == 0) return absl::DataLossError("the file is empty");
  const uint64_t size = (*source)->size();
  Dumper dumper(options, size, out);
  RowBudget rows(size);
  format::ChunkReader reader(source->get(), &dumper);
  format::ChunkRef ref;
  Chunk chunk;
  bool any = false;
  format::ChunkReader::Status status;
  while ((status = reader.Next(&ref)) == format::ChunkReader::Status::kChunk) {
    any = true;
    dumper.NoteSequence(ref);
    if (!options.chunks_only && !rows.Take(ref.header)) {
      dumper.OnDamage(ref.offset, size - ref.offset, kTooManyRows);
      break;
    }
    if (options.chunks_only) {
      dumper.DumpChunkLine(ref);
    } else if (reader.ReadPayload(ref, &chunk) && !dumper.DumpRows(chunk)) {
      if (dumper.is_budget_spent()) {
        dumper.OnDamage(ref.offset, size - ref.offset, kTooManyDefinitions);
        break;
      }
      reader.ReportBadContent(ref, "the chunk's columns do not fit together");
    }
    if (dumper.is_full()) {
      dumper.NoteRest(ref);
      break;
    }
  }
  if (status == format::ChunkReader::Status::kUnknownVersion) {
    return absl::UnimplementedError(absl::StrCat("trace format version ", reader.unknown_major(),
                                                 "; this migprof reads version ", format::kMajorVersion));
  }
  return any ? absl::OkStatus() : absl::InvalidArgumentError("not a migprof trace");
}

}  // namespace migprof::analyze
