// SPDX-License-Identifier: Apache-2.0
// The definitions of one trace file, as they come in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/file_budget.h"
#include "libmigprof/format/chunk_reader.h"

namespace migprof::analyze {

struct ModuleDefinition {
  uint64_t path = 0;  // string id
  uint64_t build_id = 0;
  uint64_t bias = 0;
};

struct FrameDefinition {
  uint64_t address = 0;
  uint64_t module = 0;
  uint64_t name = 0;  // string id; 0 when none was found
};

struct StackNodeDefinition {
  uint64_t parent = 0;
  uint64_t frame = 0;
  uint32_t depth = 0;
};

struct PythonCodeDefinition {
  uint64_t name = 0;  // string id
  uint64_t file = 0;
};

struct PythonFrameDefinition {
  uint64_t code = 0;
  uint64_t line = 0;  // 0: unknown
  bool is_entry = false;
};

struct KernelShapeDefinition {
  uint64_t name = 0;  // string id
  uint64_t grid_blocks = 0;
  uint64_t block_threads = 0;
  uint64_t cluster_blocks = 0;  // 0: no clusters
  uint64_t registers_per_thread = 0;
  uint64_t shared_bytes = 0;  // per block, static and dynamic
};

struct RangeNodeDefinition {
  uint64_t parent = 0;
  uint64_t name = 0;    // string id
  uint64_t domain = 0;  // string id; 0: the default one
  uint32_t depth = 0;
};

// Ids come from a file nobody vouches for, so everything is looked up and nothing indexed by them. A name or parent
// that is not there reads as none.
class TraceDefinitions {
 public:
  // `budget` is that of the file, and must outlive this.
  explicit TraceDefinitions(FileBudget* budget) : budget_(budget) {}

  // Takes the definitions of `chunk`; chunks of other kinds are ignored. False when the chunk makes no sense, or the
  // budget is spent; then only some of it was taken.
  bool Add(const format::Chunk& chunk);

  // Empty for 0 and for unknown ids.
  const std::string& String(uint64_t id) const;
  const ModuleDefinition* Module(uint64_t id) const;
  const FrameDefinition* Frame(uint64_t id) const;
  const absl::flat_hash_map<uint64_t, FrameDefinition>& frames() const { return frames_; }
  const StackNodeDefinition* StackNode(uint64_t id) const;
  const PythonCodeDefinition* PythonCode(uint64_t id) const;
  const PythonFrameDefinition* PythonFrame(uint64_t id) const;
  const StackNodeDefinition* PythonStackNode(uint64_t id) const;
  const RangeNodeDefinition* RangeNode(uint64_t id) const;
  // String id of the kernel's name; 0 when unknown.
  uint64_t KernelName(uint64_t shape) const;
  const KernelShapeDefinition* KernelShape(uint64_t id) const;

 private:
  // Puts a definition in, or in the place of an older one. False when the budget has no room for it.
  template <typename Value>
  bool Put(absl::flat_hash_map<uint64_t, Value>* map, uint64_t id, Value value);
  template <typename Value>
  bool TakeRoom(const absl::flat_hash_map<uint64_t, Value>& map) {
    return budget_->Take(2 * sizeof(*map.begin()));
  }

  bool AddStrings(const format::Chunk& chunk);
  bool AddModules(const format::Chunk& chunk);
  bool AddFrames(const format::Chunk& chunk);
  bool AddFrameNames(const format::Chunk& chunk);
  using StackNodes = absl::flat_hash_map<uint64_t, StackNodeDefinition>;
  bool AddStackNodes(const format::Chunk& chunk, StackNodes* nodes);
  bool AddPythonCode(const format::Chunk& chunk);
  bool AddPythonFrames(const format::Chunk& chunk);
  bool AddRangeNodes(const format::Chunk& chunk);
  bool AddShapes(const format::Chunk& chunk);

  FileBudget* budget_;
  absl::flat_hash_map<uint64_t, std::string> strings_;
  absl::flat_hash_map<uint64_t, ModuleDefinition> modules_;
  absl::flat_hash_map<uint64_t, FrameDefinition> frames_;
  StackNodes stack_nodes_;
  absl::flat_hash_map<uint64_t, PythonCodeDefinition> python_code_;
  absl::flat_hash_map<uint64_t, PythonFrameDefinition> python_frames_;
  StackNodes python_stack_nodes_;
  absl::flat_hash_map<uint64_t, RangeNodeDefinition> range_nodes_;
  absl::flat_hash_map<uint64_t, KernelShapeDefinition> kernel_shapes_;
};

}  // namespace migprof::analyze
