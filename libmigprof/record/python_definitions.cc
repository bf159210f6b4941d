// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_definitions.h"

#include <algorithm>
#include <utility>

#include "libmigprof/base/hash.h"
#include "libmigprof/record/definitions.h"
#include "libmigprof/record/python_stack.h"

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
  kept.number = pending->code;
  kept.lines.table = kept.line_table;  // stays where it is, whatever the vector of definitions does
  code_bytes_ += kept.line_table.capacity();
  code_ids_.Insert(pending->code, base_ + static_cast<uint32_t>(codes_.size()));
}

uint32_t PythonIndex::FindCode(uint64_t number) {
  if (const uint32_t* code = code_ids_.Find(number)) return *code;
  const uint32_t* const older = older_ != nullptr ? older_->code_ids_.Find(number) : nullptr;
  if (older == nullptr) return 0;
  Pending pending{.code = number, .definition = older_->code(*older)};
  pending.definition.name = strings_->Intern((*older_->strings_)[pending.definition.name]);
  pending.definition.file = strings_->Intern((*older_->strings_)[pending.definition.file]);
  Complete(&pending);
  return *code_ids_.Find(number);
}

size_t PythonIndex::size() const { return std::max({codes_.size(), frames_.size(), nodes_.size()}); }

size_t PythonIndex::BytesSoon() const {
  // A node of a standard table: key and value, the next one, its place, and what the allocator adds.
  constexpr size_t kBytesPerEntry = 64;
  return code_ids_.BytesWith(1) + BytesWith(codes_, 1) + code_bytes_ + BytesWith(frames_, kMaxPythonDepth) +
         (frame_ids_.size() + place_frames_.size() + 2 * kMaxPythonDepth) * kBytesPerEntry +
         by_edge_.BytesWith(kMaxPythonDepth) + BytesWith(nodes_, kMaxPythonDepth) + by_hash_.BytesWith(1);
}

uint32_t PythonIndex::InternFrame(const PythonFrame& frame) {
  const uint64_t place = HashBytes(&frame, sizeof(frame));
  if (const auto known = place_frames_.find(place); known != place_frames_.end()) return known->second;
  PythonFrameDefinition definition{.is_entry = frame.is_entry != 0};
  if (const uint32_t id = FindCode(frame.code)) {
    const PythonCodeDefinition& defined = code(id);
    definition.code = id;
    if (frame.lasti != kNoLine) definition.line = PythonLine(defined.lines, frame.lasti);
  }
  const uint32_t id = InternDefinition(definition);
  place_frames_.emplace(place, id);
  return id;
}

uint32_t PythonIndex::InternDefinition(const PythonFrameDefinition& definition) {
  // Several instructions share a line: one frame for all of them.
  const uint64_t key = uint64_t{definition.code} << 32 | uint64_t{definition.line} << 1 | (definition.is_entry ? 1 : 0);
  const auto [entry, is_new] = frame_ids_.try_emplace(key, base_ + static_cast<uint32_t>(frames_.size() + 1));
  if (is_new) frames_.push_back(definition);
  return entry->second;
}

void PythonIndex::DefineStack(uint64_t hash, std::span<const PythonFrame> frames) {
  if (by_hash_.Find(hash) != nullptr) return;
  uint32_t node = 0;
  for (size_t i = frames.size(); i > 0; --i) {
    node = Add(node, InternFrame(frames[i - 1]));
  }
  by_hash_.Insert(hash, node);
}

uint32_t PythonIndex::Add(uint32_t parent, uint32_t frame) {
  const uint64_t edge = uint64_t{parent} << 32 | frame;
  if (const uint32_t* known = by_edge_.Find(edge)) return *known;
  nodes_.push_back({.parent = parent, .frame = frame});
  const auto node = base_ + static_cast<uint32_t>(nodes_.size());
  by_edge_.Insert(edge, node);
  return node;
}

uint32_t PythonIndex::FindStack(uint64_t hash) const {
  const uint32_t* known = by_hash_.Find(hash);
  return known != nullptr ? *known : 0;
}

}  // namespace migprof::record
