// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/definitions.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "libmigprof/base/hash.h"
#include "libmigprof/record/native_stack.h"
#include "libmigprof/record/symbol_scan.h"

namespace migprof::record {
namespace {

// What a string takes besides its text: two strings' heads, a node of the table and its place, and what the allocator
// adds. An estimate on the safe side.
constexpr size_t kBytesPerString = 128;
constexpr size_t kBytesPerModule = 512;
constexpr size_t kFramesPerScan = 4096;

}  // namespace

uint32_t StringIndex::Intern(std::string_view text) {
  const auto known = ids_.find(text);
  if (known != ids_.end()) return known->second;
  const std::string& kept = strings_.emplace_back(text);
  const auto id = base_ + static_cast<uint32_t>(strings_.size());
  ids_.emplace(kept, id);
  bytes_ += kBytesPerString + text.size();
  return id;
}

FrameIndex::FrameIndex(StringIndex* strings, const FrameIndex& older, uint32_t base)
    : base_(base), strings_(strings), jit_map_(older.jit_map_), generation_(older.generation_) {
  modules_.Succeed(older.modules_, base);
}

size_t FrameIndex::BytesSoon() const {
  return ids_.BytesWith(kMaxNativeDepth) + BytesWith(frames_, kMaxNativeDepth) +
         BytesWith(unresolved_, kMaxNativeDepth) + BytesWith(unresolved_jit_, kMaxNativeDepth) +
         modules_.all().size() * kBytesPerModule;
}

uint32_t FrameIndex::Intern(uint64_t address) {
  if (const uint32_t* known = ids_.Find(address)) return *known;
  const Module* module = modules_.Find(address - 1);
  if (module == nullptr) {
    RefreshModules();
    module = modules_.Find(address - 1);
  }
  frames_.push_back({.address = address, .module = module != nullptr ? module->id : 0});
  const auto id = base_ + static_cast<uint32_t>(frames_.size());
  ids_.Insert(address, id);
  (module != nullptr ? unresolved_ : unresolved_jit_).push_back(id);
  return id;
}

bool FrameIndex::IsProfiler(uint32_t id) const {
  const uint32_t module = (*this)[id].module;
  return module != 0 && modules_[module].is_profiler;
}

void FrameIndex::RefreshModules() {
  if (!modules_.Refresh()) return;
  ids_.Clear();
  ++generation_;
}

void FrameIndex::ResolveJitNames(bool at_end) {
  std::vector<SymbolQuery> queries;
  for (const uint32_t id : unresolved_jit_) queries.emplace_back().address = (*this)[id].address - 1;
  const bool is_new = unresolved_jit_.size() > jit_looked_for_;
  if (!jit_map_.Resolve(queries, is_new, at_end)) return;
  size_t kept = 0;
  for (size_t i = 0; i < queries.size(); ++i) {
    const uint32_t id = unresolved_jit_[i];
    if (queries[i].name.empty()) {
      unresolved_jit_[kept++] = id;
      continue;
    }
    Frame(id).name = strings_->Intern(queries[i].name);
    Frame(id).name_offset = queries[i].offset;
  }
  unresolved_jit_.resize(kept);
  jit_looked_for_ = kept;
}

void FrameIndex::ResolveNames(bool at_end) {
  ResolveJitNames(at_end);
  std::map<uint32_t, std::vector<uint32_t>> by_module;
  for (const uint32_t id : unresolved_) by_module[(*this)[id].module].push_back(id);
  unresolved_.clear();
  for (const auto& [module_id, ids] : by_module) {
    // So many at a time, although the table is then read more than once: what is asked takes memory, too.
    for (std::span<const uint32_t> rest = ids; !rest.empty();) {
      const std::span<const uint32_t> some = rest.first(std::min(rest.size(), kFramesPerScan));
      ResolveIn(modules_[module_id], some);
      rest = rest.subspan(some.size());
    }
  }
}

void FrameIndex::ResolveIn(const Module& module, std::span<const uint32_t> ids) {
  std::vector<SymbolQuery> queries;
  // A return address may already belong to the next function; one byte before it does not.
  for (const uint32_t id : ids) queries.emplace_back().address = (*this)[id].address - 1 - module.bias;
  if (!ScanSymbols(module.path, module.build_id, queries)) return;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (queries[i].name.empty()) continue;
    Frame(ids[i]).name = strings_->Intern(queries[i].name);
    Frame(ids[i]).name_offset = queries[i].offset;
  }
}

size_t StackIndex::BytesSoon() const {
  return by_hash_.BytesWith(1) + BytesWith(known_, 1) + by_edge_.BytesWith(kMaxNativeDepth) +
         BytesWith(nodes_, kMaxNativeDepth);
}

void StackIndex::Define(uint64_t hash, std::span<const uint64_t> addresses) {
  const uint32_t* known = by_hash_.Find(hash);
  if (known != nullptr && known_[*known].generation == frames_->generation()) return;
  size_t inner = 0;
  while (inner < addresses.size() && frames_->IsProfiler(frames_->Intern(addresses[inner]))) ++inner;
  uint32_t node = 0;
  for (size_t i = addresses.size(); i > inner; --i) {
    node = Add(node, frames_->Intern(addresses[i - 1]));
  }
  if (known != nullptr) {
    known_[*known] = {node, frames_->generation()};
    return;
  }
  by_hash_.Insert(hash, static_cast<uint32_t>(known_.size()));
  known_.push_back({node, frames_->generation()});
}

uint32_t StackIndex::Add(uint32_t parent, uint32_t frame) {
  const uint64_t edge = uint64_t{parent} << 32 | frame;
  if (const uint32_t* known = by_edge_.Find(edge)) return *known;
  nodes_.push_back({.parent = parent, .frame = frame});
  const auto node = base_ + static_cast<uint32_t>(nodes_.size());
  by_edge_.Insert(edge, node);
  return node;
}

uint32_t StackIndex::Find(uint64_t hash) const {
  const uint32_t* known = by_hash_.Find(hash);
  return known != nullptr ? known_[*known].node : 0;
}

void RangeIndex::Define(uint64_t hash, uint32_t parent, std::string_view domain, std::string_view name,
                        bool is_started) {
  if (ids_.Find(hash) != nullptr) return;
  nodes_.push_back({.hash = hash,
                    .parent = parent,
                    .name = strings_->Intern(name),
                    .domain = domain.empty() ? 0 : strings_->Intern(domain),
                    .is_started = is_started});
  ids_.Insert(hash, base_ + static_cast<uint32_t>(nodes_.size()));
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
  const auto id = base_ + static_cast<uint32_t>(shapes_.size());
  ids_.Insert(key, id);
  return id;
}

void ThreadIndex::Name(uint32_t serial, std::string_view name, bool for_good) {
  Thread& thread = Entry(serial);
  thread.name = strings_->Intern(name);
  thread.is_named = for_good;
}

void ThreadIndex::Keep(uint32_t serial, const Thread& known, std::string_view name) {
  Thread& thread = Entry(serial);
  thread = known;
  thread.name = name.empty() ? 0 : strings_->Intern(name);
}

ThreadIndex::Thread& ThreadIndex::Entry(uint32_t serial) {
  if (const uint32_t* const known = ids_.Find(serial)) return threads_[*known];
  ids_.Insert(serial, static_cast<uint32_t>(threads_.size()));
  return threads_.emplace_back();
}

void ThreadIndex::NoteOther(uint32_t serial, uint32_t system_id) {
  last_ = serial;
  Thread& thread = Entry(serial);
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

ThreadIndex::Thread ThreadIndex::operator[](uint32_t serial) const {
  const uint32_t* const index = ids_.Find(serial);
  return index != nullptr ? threads_[*index] : Thread{};
}

DefinitionTables::DefinitionTables(const DefinitionTables& older)
    : base(older.last_id()), frames(&strings, older.frames, base), python(&strings, &older.python, base) {}

uint32_t DefinitionTables::last_id() const {
  const size_t most = std::max({strings.size(), frames.size(), stacks.size(), ranges.size(), shapes.size(),
                                python.size(), frames.modules().all().size()});
  return base + static_cast<uint32_t>(most);
}

size_t DefinitionTables::BytesSoon() const {
  return strings.BytesSoon() + frames.BytesSoon() + stacks.BytesSoon() + ranges.BytesSoon() + shapes.BytesSoon() +
         threads.BytesSoon() + python.BytesSoon();
}

uint32_t Definitions::FindStack(uint64_t hash) const {
  const uint32_t found = now_->stacks.Find(hash);
  return found != 0 || before_ == nullptr ? found : before_->stacks.Find(hash);
}

uint32_t Definitions::FindPythonStack(uint64_t hash) const {
  const uint32_t found = now_->python.FindStack(hash);
  return found != 0 || before_ == nullptr ? found : before_->python.FindStack(hash);
}

uint32_t Definitions::FindRange(uint64_t hash) const {
  const uint32_t found = now_->ranges.Find(hash);
  return found != 0 || before_ == nullptr ? found : before_->ranges.Find(hash);
}

ThreadIndex::Thread Definitions::FindThread(uint32_t serial) const {
  const ThreadIndex::Thread found = now_->threads[serial];
  return found.is_known() || before_ == nullptr ? found : before_->threads[serial];
}

void Definitions::KeepThread(uint32_t serial) {
  if (before_ == nullptr || now_->threads[serial].is_known()) return;
  const ThreadIndex::Thread known = before_->threads[serial];
  if (!known.is_known()) return;
  now_->threads.Keep(serial, known, known.name != 0 ? std::string_view(before_->strings[known.name]) : "");
}

void Definitions::Forget() {
  now_->python.ForgetOlder();
  before_.reset();  // first: there are never three
  auto next = std::make_unique<DefinitionTables>(*now_);
  before_ = std::move(now_);
  now_ = std::move(next);
  ++times_forgotten_;
}

}  // namespace migprof::record
