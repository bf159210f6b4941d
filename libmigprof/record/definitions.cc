// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/definitions.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <map>

#include "libmigprof/base/hash.h"
#include "libmigprof/record/symbol_scan.h"

namespace migprof::record {

uint32_t StringIndex::Intern(std::string_view text) {
  const auto known = ids_.find(text);
  if (known != ids_.end()) return known->second;
  const std::string& kept = strings_.emplace_back(text);
  const auto id = static_cast<uint32_t>(strings_.size());
  ids_.emplace(kept, id);
  return id;
}

uint32_t FrameIndex::Intern(uint64_t address) {
  if (const uint32_t* known = ids_.Find(address)) return *known;
  const Module* module = modules_.Find(address - 1);
  if (module == nullptr) {
    RefreshModules();
    module = modules_.Find(address - 1);
  }
  frames_.push_back({.address = address, .module = module != nullptr ? module->id : 0});
  const auto id = static_cast<uint32_t>(frames_.size());
  ids_.Insert(address, id);
  (module != nullptr ? unresolved_ : unresolved_jit_).push_back(id);
  return id;
}

bool FrameIndex::IsProfiler(uint32_t id) const {
  const uint32_t module = frames_[id - 1].module;
  return module != 0 && modules_[module].is_profiler;
}

void FrameIndex::RefreshModules() {
  if (!modules_.Refresh()) return;
  ids_.Clear();
  ++generation_;
}

void FrameIndex::ResolveJitNames(bool at_end) {
  std::vector<SymbolQuery> queries;
  for (const uint32_t id : unresolved_jit_) queries.emplace_back().address = frames_[id - 1].address - 1;
  const bool is_new = unresolved_jit_.size() > jit_looked_for_;
  if (!jit_map_.Resolve(queries, is_new, at_end)) return;
  size_t kept = 0;
  for (size_t i = 0; i < queries.size(); ++i) {
    const uint32_t id = unresolved_jit_[i];
    if (queries[i].name.empty()) {
      unresolved_jit_[kept++] = id;
      continue;
    }
    frames_[id - 1].name = strings_->Intern(queries[i].name);
    frames_[id - 1].name_offset = queries[i].offset;
  }
  unresolved_jit_.resize(kept);
  jit_looked_for_ = kept;
}

void FrameIndex::ResolveNames(bool at_end) {
  ResolveJitNames(at_end);
  std::map<uint32_t, std::vector<uint32_t>> by_module;
  for (const uint32_t id : unresolved_) by_module[frames_[id - 1].module].push_back(id);
  unresolved_.clear();
  for (const auto& [module_id, ids] : by_module) {
    const Module& module = modules_[module_id];
    std::vector<SymbolQuery> queries;
    // A return address may already belong to the next function; one byte before it does not.
    for (const uint32_t id : ids) queries.emplace_back().address = frames_[id - 1].address - 1 - module.bias;
    if (!ScanSymbols(module.path, module.build_id, queries)) continue;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (queries[i].name.empty()) continue;
      frames_[ids[i] - 1].name = strings_->Intern(queries[i].name);
      frames_[ids[i] - 1].name_offset = queries[i].offset;
    }
  }
}

void StackIndex::Define(uint64_t hash, std::span<const uint64_t> addresses) {
  const uint32_t* known = by_hash_.Find(hash);
  if (known != nullptr && known_[*known].generation == frames_->generation()) return;
  size_t inner = 0;
  while (inner < addresses.size() && frames_->IsProfiler(frames_->Intern(addresses[inner]))) ++inner;
  uint32_t node = 0;
  for (size_t i = addresses.size(); i > inner; --i) {
    const uint32_t frame = frames_->Intern(addresses[i - 1]);
    const uint64_t edge = uint64_t{node} << 32 | frame;
    if (const uint32_t* next = by_edge_.Find(edge)) {
      node = *next;
      continue;
    }
    nodes_.push_back({.parent = node, .frame = frame});
    node = static_cast<uint32_t>(nodes_.size());
    by_edge_.Insert(edge, node);
  }
  if (known != nullptr) {
    known_[*known] = {node, frames_->generation()};
    return;
  }
  by_hash_.Insert(hash, static_cast<uint32_t>(known_.size()));
  known_.push_back({node, frames_->generation()});
}

uint32_t StackIndex::Find(uint64_t hash) const {
  const uint32_t* known = by_hash_.Find(hash);
  return known != nullptr ? known_[*known].node : 0;
}

void RangeIndex::Define(uint64_t hash, uint64_t parent_hash, std::string_view domain, std::string_view name,
                        bool is_started) {
  if (ids_.Find(hash) != nullptr) return;
  nodes_.push_back({.parent = Find(parent_hash),
                    .name = strings_->Intern(name),
                    .domain = domain.empty() ? 0 : strings_->Intern(domain),
                    .is_started = is_started});
  ids_.Insert(hash, static_cast<uint32_t>(nodes_.size()));
}

uint32_t RangeIndex::Find(uint64_t hash) const {
  const uint32_t* id = ids_.Find(hash);
  return id != nullptr ? *id : 0;
}

uint32_t ShapeIndex::Intern(const char* name, const KernelShape& shape) {
  const std::string_view text = name != nullptr ? name : "";
  const uint64_t key = HashBytes(text.data(), text.size(), HashBytes(&shape, sizeof(shape)));
  if (const uint32_t* known = ids_.Find(key)) return *known;
  shapes_.push_back({.name = text.empty() ? 0 : strings_->Intern(text), .shape = shape});
  const auto id = static_cast<uint32_t>(shapes_.size());
  ids_.Insert(key, id);
  return id;
}

void ThreadIndex::Name(uint32_t serial, std::string_view name, bool for_good) {
  if (serial >= threads_.size()) threads_.resize(serial + 1);
  threads_[serial].name = strings_->Intern(name);
  threads_[serial].is_named = for_good;
}

void ThreadIndex::Note(uint32_t serial, uint32_t system_id) {
  if (serial >= threads_.size()) threads_.resize(serial + 1);
  Thread& thread = threads_[serial];
  if (thread.system_id != 0) return;
  thread.system_id = system_id;
  if (thread.is_named) return;
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/task/%u/comm", system_id);
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  char name[32];
  const ssize_t length = read(descriptor, name, sizeof(name));
  close(descriptor);
  if (length > 1) thread.name = strings_->Intern({name, static_cast<size_t>(length - 1)});  // ends in a line feed
}

}  // namespace migprof::record
