// SPDX-License-Identifier: Apache-2.0
// Saying again what would be forgotten and is still needed.
#include <vector>

#include "libmigprof/record/definitions.h"

namespace migprof::record {

uint32_t FrameIndex::Renew(const FrameIndex& older, const StringIndex& older_strings, uint32_t id) {
  const FrameDefinition& frame = older[id];
  const Module* const now = modules_.Find(frame.address - 1);
  const Module* const then = frame.module != 0 ? &older.modules_[frame.module] : nullptr;
  if (now == nullptr ? then == nullptr : then != nullptr && now->IsSame(*then)) return Intern(frame.address);
  // Its module is gone, and the address means something else now, or nothing.
  FrameDefinition& kept = frames_.emplace_back(frame);
  if (then != nullptr) kept.module = modules_.Keep(*then);
  if (kept.name != 0) kept.name = strings_->Intern(older_strings[kept.name]);
  return base_ + static_cast<uint32_t>(frames_.size());
}

uint32_t PythonIndex::RenewFrame(uint32_t id) {
  PythonFrameDefinition frame = older_->frame(id);
  if (frame.code != 0) frame.code = FindCode(older_->code(frame.code).number);
  return InternDefinition(frame);
}

uint32_t Definitions::RenewString(uint32_t id) {
  return IsOfBefore(id) ? now_->strings.Intern(before_->strings[id]) : id;
}

uint32_t Definitions::RenewStack(uint32_t node) {
  if (!IsOfBefore(node)) return node;
  std::vector<uint32_t> frames;  // innermost first
  for (; node != 0; node = before_->stacks[node].parent) frames.push_back(before_->stacks[node].frame);
  uint32_t renewed = 0;
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    renewed = now_->stacks.Add(renewed, now_->frames.Renew(before_->frames, before_->strings, *frame));
  }
  return renewed;
}

uint32_t Definitions::RenewPythonStack(uint32_t node) {
  if (!IsOfBefore(node)) return node;
  std::vector<uint32_t> frames;
  for (; node != 0; node = before_->python.node(node).parent) frames.push_back(before_->python.node(node).frame);
  uint32_t renewed = 0;
  for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
    renewed = now_->python.Add(renewed, now_->python.RenewFrame(*frame));
  }
  return renewed;
}

uint32_t Definitions::RenewRange(uint32_t node) {
  if (!IsOfBefore(node)) return node;
  const RangeNode& range = before_->ranges[node];
  const uint32_t parent = RenewRange(range.parent);  // as deep as a thread's open ranges
  const StringIndex& strings = before_->strings;
  now_->ranges.Define(range.hash, parent, range.domain != 0 ? std::string_view(strings[range.domain]) : "",
                      range.name != 0 ? std::string_view(strings[range.name]) : "", range.is_started);
  return now_->ranges.Find(range.hash);
}

}  // namespace migprof::record
