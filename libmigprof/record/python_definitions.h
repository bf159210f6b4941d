// SPDX-License-Identifier: Apache-2.0
// Python code objects, frames and stacks by number, as definitions.h has them for native ones.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "libmigprof/record/python_lines.h"
#include "libmigprof/record/ring_records.h"
#include "libmigprof/record/u64_map.h"

namespace migprof::record {

class StringIndex;

struct PythonCodeDefinition {
  uint64_t number = 0;  // the sender's
  uint32_t name = 0;    // in StringIndex
  uint32_t file = 0;
  PythonLines lines;  // its table is `line_table`
  std::vector<uint8_t> line_table;
};

struct PythonFrameDefinition {
  uint32_t code = 0;
  uint32_t line = 0;  // 0: none
  bool is_entry = false;
};

struct PythonStackNode {
  uint32_t parent = 0;  // the caller's node; 0 for the outermost frame
  uint32_t frame = 0;
};

// Ids start at 1; 0 means none. Drain thread only.
class PythonIndex {
 public:
  // Code that `older`, if any, knows need not be added again.
  explicit PythonIndex(StringIndex* strings, const PythonIndex* older = nullptr, uint32_t base = 0)
      : base_(base), strings_(strings), older_(older) {}
  // `older` is about to go.
  void ForgetOlder() { older_ = nullptr; }

  // `thread` is the sender's serial: the pieces of a line table come one after another from the thread that began it.
  void AddCode(uint32_t thread, const PythonCodeRecord& record);
  void AddLines(uint32_t thread, const PythonLinesRecord& record);
  // The frames behind `hash`, innermost first.
  void DefineStack(uint64_t hash, std::span<const PythonFrame> frames);
  // The innermost node of a stack that was defined, else 0.
  uint32_t FindStack(uint64_t hash) const;
  // The node of `frame` called by `parent`.
  uint32_t Add(uint32_t parent, uint32_t frame);
  // The frame `id` of the older index.
  uint32_t RenewFrame(uint32_t id);

  const PythonCodeDefinition& code(uint32_t id) const { return codes_[id - base_ - 1]; }
  const PythonFrameDefinition& frame(uint32_t id) const { return frames_[id - base_ - 1]; }
  const PythonStackNode& node(uint32_t id) const { return nodes_[id - base_ - 1]; }
  // Of the largest of its tables.
  size_t size() const;
  size_t BytesSoon() const;

 private:
  struct Pending {
    uint64_t code = 0;
    size_t missing = 0;  // bytes of the line table
    PythonCodeDefinition definition;
  };

  void Complete(Pending* pending);
  uint32_t InternFrame(const PythonFrame& frame);
  uint32_t InternDefinition(const PythonFrameDefinition& definition);
  // The id of the code behind the sender's number, or 0.
  uint32_t FindCode(uint64_t code);

  uint32_t base_;
  StringIndex* strings_;
  const PythonIndex* older_;
  size_t code_bytes_ = 0;
  std::unordered_map<uint32_t, Pending> pending_;  // by thread
  U64Map code_ids_;                                // by the sender's number
  std::vector<PythonCodeDefinition> codes_;
  std::unordered_map<uint64_t, uint32_t> frame_ids_;     // by code << 32 | line << 1 | entry
  std::unordered_map<uint64_t, uint32_t> place_frames_;  // by hash of code, lasti and mark
  std::vector<PythonFrameDefinition> frames_;
  U64Map by_edge_;  // parent << 32 | frame
  std::vector<PythonStackNode> nodes_;
  U64Map by_hash_;
};

}  // namespace migprof::record
