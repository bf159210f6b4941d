// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_dump_columns.h"

namespace migprof::analyze {

using format::ChunkKind;
namespace column = format::column;

namespace {

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

}  // namespace

std::span<const RecordStyle> RecordStyles() { return kRecordStyles; }

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

}  // namespace migprof::analyze
