// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_definitions.h"

#include <utility>

#include "libmigprof/base/hash.h"
#include "libmigprof/record/definitions.h"

namespace migprof::record {

void PythonIndex::AddCode(uint32_t thread, const PythonCodeRecord& record) {
  Pending pending;
  pending.code = record.code;
  pending.missing = record.line_table_bytes;
  pending.definition.file = strings_->Intern({record.file(), record.file_bytes});
  pending.definition.name = strings_->Intern({record.name(), record.name_bytes});
  pending.definition.lines.format = static_cast<LineTableFormat>(record.header.flags & ~kCutLineTable);
  pending.definition.lines.first_line = record.first_line;
  pending.definition.lines.is_cut = (record.header.flags & kCutLineTable) != 0;
  if (pending.missing == 0) return Complete(&pending);
  // Replaces one that was begun and not finished, because the ring was full.
  pending_[thread] = std::move(pending);
}

void PythonIndex::AddLines(uint32_t thread, const PythonLinesRecord& record) {
  const auto entry = pending_.find(thread);
  if (entry == pending_.end()) return;
  Pending& pending = entry->second;
  const uint32_t count = record.header.correlation;
  std::vector<uint8_t>& table = pending.definition.line_table;
  table.insert(table.end(), record.bytes(), record.bytes() + count);
  pending.missing -= count;
  if (pending.missing != 0) return;
  Complete(&pending);
  pending_.erase(entry);
}

void PythonIndex::Complete(Pending* pending) {
  if (code_ids_.Find(pending->code) != nullptr) return;  // another thread sent it before
  PythonCodeDefinition& kept = codes_.emplace_back(std::move(pending->definition));
  kept.lines.table = kept.line_table;  // stays where it is, whatever the vector of definitions does
  code_ids_.Insert(pending->code, static_cast<uint32_t>(codes_.size()));
}

uint32_t PythonIndex::InternFrame(const PythonFrame& frame) {
  const uint64_t place = HashBytes(&frame, sizeof(frame));
  if (const auto known = place_frames_.find(place); known != place_frames_.end()) return known->second;
  PythonFrameDefinition definition{.is_entry = frame.is_entry != 0};
  if (const uint32_t* code = code_ids_.Find(frame.code)) {
    const PythonCodeDefinition& defined = codes_[*code - 1];
    definition.code = *code;
    if (frame.lasti != kNoLine) definition.line = PythonLine(defined.lines, frame.lasti);
  }
  // Several instructions share a line: one frame for all of them.
  const uint64_t key = uint64_t{definition.code} << 32 | uint64_t{definition.line} << 1 | (definition.is_entry ? 1 : 0);
  const auto [entry, is_new] = frame_ids_.try_emplace(key, static_cast<uint32_t>(frames_.size() + 1));
  if (is_new) frames_.push_back(definition);
  place_frames_.emplace(place, entry->second);
  return entry->second;
}

void PythonIndex::DefineStack(uint64_t hash, std::span<const PythonFrame> frames) {
  if (by_hash_.Find(hash) != nullptr) return;
  uint32_t node = 0;
  for (size_t i = frames.size(); i > 0; --i) {
    const uint32_t frame = InternFrame(frames[i - 1]);
    const uint64_t edge = uint64_t{node} << 32 | frame;
    if (const uint32_t* next = by_edge_.Find(edge)) {
      node = *next;
      continue;
    }
    nodes_.push_back({.parent = node, .frame = frame});
    node = static_cast<uint32_t>(nodes_.size());
    by_edge_.Insert(edge, node);
  }
  by_hash_.Insert(hash, node);
}

uint32_t PythonIndex::FindStack(uint64_t hash) const {
  const uint32_t* known = by_hash_.Find(hash);
  return known != nullptr ? *known : 0;
}

}  // namespace migprof::record
