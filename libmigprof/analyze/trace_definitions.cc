// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/trace_definitions.h"

#include <algorithm>
#include <array>
#include <utility>

namespace migprof::analyze {

namespace column = format::column;

namespace {

// No honest stack is deeper (the recorder stops at 512 native frames); a dishonest one must not exhaust ours.
constexpr uint32_t kDeepestStack = 4096;

template <typename Value>
const Value* FindIn(const absl::flat_hash_map<uint64_t, Value>& map, uint64_t id) {
  const auto entry = map.find(id);
  return entry != map.end() ? &entry->second : nullptr;
}

// Sizes from a file that nobody vouches for: no sum or product of a few of them overflows.
uint64_t Clamp(uint64_t size) { return std::min<uint64_t>(size, UINT32_MAX); }

uint64_t Product(uint64_t x, uint64_t y, uint64_t z) {
  const unsigned __int128 product = static_cast<unsigned __int128>(Clamp(x)) * Clamp(y) * Clamp(z);
  return static_cast<uint64_t>(std::min<unsigned __int128>(product, UINT64_MAX));
}

}  // namespace

template <typename Value>
bool TraceDefinitions::Put(absl::flat_hash_map<uint64_t, Value>* map, uint64_t id, Value value) {
  const auto [entry, is_new] = map->try_emplace(id);
  if (is_new && !TakeRoom(*map)) return false;
  entry->second = std::move(value);
  return true;
}

bool TraceDefinitions::Add(const format::Chunk& chunk) {
  switch (chunk.kind()) {
    case format::ChunkKind::kStrings:
      return AddStrings(chunk);
    case format::ChunkKind::kModules:
      return AddModules(chunk);
    case format::ChunkKind::kFrames:
      return AddFrames(chunk);
    case format::ChunkKind::kFrameNames:
      return AddFrameNames(chunk);
    case format::ChunkKind::kStackNodes:
      return AddStackNodes(chunk, &stack_nodes_);
    case format::ChunkKind::kPythonCode:
      return AddPythonCode(chunk);
    case format::ChunkKind::kPythonFrames:
      return AddPythonFrames(chunk);
    case format::ChunkKind::kPythonStackNodes:
      return AddStackNodes(chunk, &python_stack_nodes_);
    case format::ChunkKind::kRangeNodes:
      return AddRangeNodes(chunk);
    case format::ChunkKind::kKernelShapes:
      return AddShapes(chunk);
    default:
      return true;
  }
}

const std::string& TraceDefinitions::String(uint64_t id) const {
  static const std::string* const kNone = new std::string;
  const std::string* text = FindIn(strings_, id);
  return text != nullptr ? *text : *kNone;
}

const ModuleDefinition* TraceDefinitions::Module(uint64_t id) const { return FindIn(modules_, id); }
const FrameDefinition* TraceDefinitions::Frame(uint64_t id) const { return FindIn(frames_, id); }
const StackNodeDefinition* TraceDefinitions::StackNode(uint64_t id) const { return FindIn(stack_nodes_, id); }
const RangeNodeDefinition* TraceDefinitions::RangeNode(uint64_t id) const { return FindIn(range_nodes_, id); }

const PythonCodeDefinition* TraceDefinitions::PythonCode(uint64_t id) const { return FindIn(python_code_, id); }
const PythonFrameDefinition* TraceDefinitions::PythonFrame(uint64_t id) const { return FindIn(python_frames_, id); }
const StackNodeDefinition* TraceDefinitions::PythonStackNode(uint64_t id) const {
  return FindIn(python_stack_nodes_, id);
}

uint64_t TraceDefinitions::KernelName(uint64_t shape) const {
  const KernelShapeDefinition* definition = KernelShape(shape);
  return definition != nullptr ? definition->name : 0;
}

const KernelShapeDefinition* TraceDefinitions::KernelShape(uint64_t id) const { return FindIn(kernel_shapes_, id); }

bool TraceDefinitions::AddStrings(const format::Chunk& chunk) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> lengths;
  if (!chunk.Column(column::strings::kId, &ids) || !chunk.Column(column::strings::kLength, &lengths)) return false;
  std::string_view bytes = chunk.Bytes(column::strings::kBytes);
  for (size_t row = 0; row < ids.size(); ++row) {
    if (lengths[row] > bytes.size()) return false;
    const uint64_t kept = String(ids[row]).size();
    if (lengths[row] > kept && !budget_->Take(lengths[row] - kept)) return false;
    if (!Put(&strings_, ids[row], std::string(bytes.substr(0, lengths[row])))) return false;
    bytes.remove_prefix(lengths[row]);
  }
  return true;
}

bool TraceDefinitions::AddModules(const format::Chunk& chunk) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> paths;
  std::vector<uint64_t> build_ids;
  std::vector<uint64_t> biases;
  if (!chunk.Column(column::modules::kId, &ids) || !chunk.Column(column::modules::kPath, &paths) ||
      !chunk.Column(column::modules::kBuildId, &build_ids) || !chunk.Column(column::modules::kBias, &biases)) {
    return false;
  }
  for (size_t row = 0; row < ids.size(); ++row) {
    if (!Put(&modules_, ids[row], {paths[row], build_ids[row], biases[row]})) return false;
  }
  return true;
}

bool TraceDefinitions::AddFrames(const format::Chunk& chunk) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> addresses;
  std::vector<uint64_t> modules;
  if (!chunk.Column(column::frames::kId, &ids) || !chunk.Column(column::frames::kAddress, &addresses) ||
      !chunk.Column(column::frames::kModule, &modules)) {
    return false;
  }
  for (size_t row = 0; row < ids.size(); ++row) {
    if (!Put(&frames_, ids[row], {addresses[row], modules[row], 0})) return false;
  }
  return true;
}

bool TraceDefinitions::AddFrameNames(const format::Chunk& chunk) {
  std::vector<uint64_t> frames;
  std::vector<uint64_t> names;
  if (!chunk.Column(column::frame_names::kFrame, &frames) || !chunk.Column(column::frame_names::kName, &names)) {
    return false;
  }
  for (size_t row = 0; row < frames.size(); ++row) {
    const auto frame = frames_.find(frames[row]);
    if (frame != frames_.end()) frame->second.name = names[row];
  }
  return true;
}

// Native and Python nodes have the same columns.
bool TraceDefinitions::AddStackNodes(const format::Chunk& chunk, StackNodes* nodes) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> parents;
  std::vector<uint64_t> frames;
  if (!chunk.Column(column::stack_nodes::kId, &ids) || !chunk.Column(column::stack_nodes::kParent, &parents) ||
      !chunk.Column(column::stack_nodes::kFrame, &frames)) {
    return false;
  }
  for (size_t row = 0; row < ids.size(); ++row) {
    // A parent must be there before its child, an id is defined once, and 0 never: so no chain of nodes can be a
    // circle.
    if (ids[row] == 0) return false;
    const StackNodeDefinition* parent = FindIn(*nodes, parents[row]);
    const uint32_t depth = parent != nullptr ? parent->depth + 1 : 1;
    if (depth > kDeepestStack) return false;
    const StackNodeDefinition node = {parent != nullptr ? parents[row] : 0, frames[row], depth};
    if (nodes->try_emplace(ids[row], node).second && !TakeRoom(*nodes)) return false;
  }
  return true;
}

bool TraceDefinitions::AddPythonCode(const format::Chunk& chunk) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> names;
  std::vector<uint64_t> files;
  if (!chunk.Column(column::python_code::kId, &ids) || !chunk.Column(column::python_code::kName, &names) ||
      !chunk.Column(column::python_code::kFile, &files)) {
    return false;
  }
  for (size_t row = 0; row < ids.size(); ++row) {
    if (!Put(&python_code_, ids[row], {names[row], files[row]})) return false;
  }
  return true;
}

bool TraceDefinitions::AddPythonFrames(const format::Chunk& chunk) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> codes;
  std::vector<uint64_t> lines;
  std::vector<uint64_t> flags;
  if (!chunk.Column(column::python_frames::kId, &ids) || !chunk.Column(column::python_frames::kCode, &codes) ||
      !chunk.Column(column::python_frames::kLine, &lines) || !chunk.Column(column::python_frames::kFlags, &flags)) {
    return false;
  }
  for (size_t row = 0; row < ids.size(); ++row) {
    const bool is_entry = (flags[row] & format::kPythonFrameEntry) != 0;
    if (!Put(&python_frames_, ids[row], {codes[row], lines[row], is_entry})) return false;
  }
  return true;
}

bool TraceDefinitions::AddRangeNodes(const format::Chunk& chunk) {
  std::vector<uint64_t> ids;
  std::vector<uint64_t> parents;
  std::vector<uint64_t> names;
  std::vector<uint64_t> domains;
  if (!chunk.Column(column::range_nodes::kId, &ids) || !chunk.Column(column::range_nodes::kParent, &parents) ||
      !chunk.Column(column::range_nodes::kName, &names) || !chunk.Column(column::range_nodes::kDomain, &domains)) {
    return false;
  }
  for (size_t row = 0; row < ids.size(); ++row) {
    // As with stack nodes: no chain can be a circle.
    if (ids[row] == 0) return false;
    const RangeNodeDefinition* parent = RangeNode(parents[row]);
    const uint32_t depth = parent != nullptr ? parent->depth + 1 : 1;
    if (depth > kDeepestStack) return false;
    const RangeNodeDefinition node = {parent != nullptr ? parents[row] : 0, names[row], domains[row], depth};
    if (range_nodes_.try_emplace(ids[row], node).second && !TakeRoom(range_nodes_)) return false;
  }
  return true;
}

bool TraceDefinitions::AddShapes(const format::Chunk& chunk) {
  namespace at = column::kernel_shapes;
  constexpr std::array<uint16_t, 14> kColumns = {
      at::kId,     at::kName,      at::kGridX,        at::kGridY,         at::kGridZ,    at::kBlockX,   at::kBlockY,
      at::kBlockZ, at::kRegisters, at::kStaticShared, at::kDynamicShared, at::kClusterX, at::kClusterY, at::kClusterZ};
  std::array<std::vector<uint64_t>, kColumns.size()> columns;
  for (size_t i = 0; i < kColumns.size(); ++i) {
    if (!chunk.Column(kColumns[i], &columns[i])) return false;
  }
  const auto& [ids, names, grid_x, grid_y, grid_z, block_x, block_y, block_z, registers, fixed_shared, asked_shared,
               cluster_x, cluster_y, cluster_z] = columns;
  for (size_t row = 0; row < ids.size(); ++row) {
    const KernelShapeDefinition shape = {.name = names[row],
                                         .grid_blocks = Product(grid_x[row], grid_y[row], grid_z[row]),
                                         .block_threads = Product(block_x[row], block_y[row], block_z[row]),
                                         .cluster_blocks = Product(cluster_x[row], cluster_y[row], cluster_z[row]),
                                         .registers_per_thread = registers[row],
                                         .shared_bytes = Clamp(fixed_shared[row]) + Clamp(asked_shared[row])};
    if (!Put(&kernel_shapes_, ids[row], shape)) return false;
  }
  return true;
}

}  // namespace migprof::analyze
