// SPDX-License-Identifier: Apache-2.0
// What events refer to by number: strings, frames, stacks, kernel shapes. One set per process; every trace file takes
// from it what its own events need. What is kept in memory only serves to say a thing once: it can be forgotten, and is
// then said again, under another number, when it is needed again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libmigprof/record/activity.h"
#include "libmigprof/record/jit_map.h"
#include "libmigprof/record/module_map.h"
#include "libmigprof/record/python_definitions.h"
#include "libmigprof/record/u64_map.h"

namespace migprof::record {

// Ids start at 1 above a base; 0 means none. All classes: drain thread only. BytesSoon() is the memory that a table
// takes once the next record is in it.

class StringIndex {
 public:
  explicit StringIndex(uint32_t base = 0) : base_(base) {}

  uint32_t Intern(std::string_view text);
  const std::string& operator[](uint32_t id) const { return strings_[id - base_ - 1]; }
  size_t size() const { return strings_.size(); }
  size_t BytesSoon() const { return bytes_; }

 private:
  uint32_t base_;
  size_t bytes_ = 0;
  std::deque<std::string> strings_;  // a deque, because the map's keys point into it
  std::unordered_map<std::string_view, uint32_t> ids_;
};

struct FrameDefinition {
  uint64_t address = 0;      // as captured: a return address
  uint32_t module = 0;       // in ModuleMap; 0 outside of any module
  uint32_t name = 0;         // in StringIndex; 0 until known
  uint64_t name_offset = 0;  // from the start of the function
};

// Return addresses and the functions they are in.
class FrameIndex {
 public:
  // `jit_map`: see JitMap.
  explicit FrameIndex(StringIndex* strings, std::string jit_map = "")
      : strings_(strings), jit_map_(std::move(jit_map)) {}
  // Knows the same modules as `older`, and no frames.
  FrameIndex(StringIndex* strings, const FrameIndex& older, uint32_t base);

  uint32_t Intern(uint64_t address);
  // A frame of `older`, whose strings are `older_strings`.
  uint32_t Renew(const FrameIndex& older, const StringIndex& older_strings, uint32_t id);
  const FrameDefinition& operator[](uint32_t id) const { return frames_[id - base_ - 1]; }
  size_t size() const { return frames_.size(); }
  size_t BytesSoon() const;
  bool IsProfiler(uint32_t id) const;

  const ModuleMap& modules() const { return modules_; }

  // Looks for modules that came or went; an address that may have changed its meaning gets a new id from then on.
  void RefreshModules();
  // Grows whenever modules went: stacks captured before may have other frames than stacks with the same addresses
  // after.
  uint32_t generation() const { return generation_; }
  // Finds names for the frames that were added since the last call. Reads symbol tables from disk, and for code that is
  // in no module the map of a just-in-time compiler, `at_end` the last time.
  void ResolveNames(bool at_end = false);

 private:
  void ResolveJitNames(bool at_end);
  FrameDefinition& Frame(uint32_t id) { return frames_[id - base_ - 1]; }
  void ResolveIn(const Module& module, std::span<const uint32_t> ids);

  uint32_t base_ = 0;
  StringIndex* strings_;
  ModuleMap modules_;
  U64Map ids_;
  std::vector<FrameDefinition> frames_;
  std::vector<uint32_t> unresolved_;
  JitMap jit_map_;
  std::vector<uint32_t> unresolved_jit_;  // in no module
  size_t jit_looked_for_ = 0;             // of them, when the map was last read
  uint32_t generation_ = 0;
};

struct StackNode {
  uint32_t parent = 0;  // the caller's node; 0 for the outermost frame
  uint32_t frame = 0;
};

// Stacks as a trie from the outermost frame inwards: stacks share most of their frames.
class StackIndex {
 public:
  explicit StackIndex(FrameIndex* frames, uint32_t base = 0) : base_(base), frames_(frames) {}

  // The frames behind `hash`, innermost first. Frames of the profiler itself at the inner end are left out. After
  // modules went, a hash that is sent again is understood anew.
  void Define(uint64_t hash, std::span<const uint64_t> addresses);
  // The innermost node of a stack that was defined, else 0.
  uint32_t Find(uint64_t hash) const;
  // The node of `frame` called by `parent`.
  uint32_t Add(uint32_t parent, uint32_t frame);
  const StackNode& operator[](uint32_t id) const { return nodes_[id - base_ - 1]; }
  size_t size() const { return nodes_.size(); }
  size_t BytesSoon() const;

 private:
  struct Known {
    uint32_t node;
    uint32_t generation;
  };

  uint32_t base_;
  FrameIndex* frames_;
  U64Map by_hash_;  // -> index into known_
  std::vector<Known> known_;
  U64Map by_edge_;  // parent << 32 | frame
  std::vector<StackNode> nodes_;
};

// A range inside of all the ranges around it.
struct RangeNode {
  uint64_t hash = 0;
  uint32_t parent = 0;  // 0: the outermost
  uint32_t name = 0;    // in StringIndex
  uint32_t domain = 0;  // in StringIndex; 0: the default one
  bool is_started = false;
};

class RangeIndex {
 public:
  explicit RangeIndex(StringIndex* strings, uint32_t base = 0) : base_(base), strings_(strings) {}

  // The range behind `hash`, inside of the node `parent`. A hash that is known stays what it was.
  void Define(uint64_t hash, uint32_t parent, std::string_view domain, std::string_view name, bool is_started);
  // The node of a range that was defined, else 0.
  uint32_t Find(uint64_t hash) const;
  const RangeNode& operator[](uint32_t id) const { return nodes_[id - base_ - 1]; }
  size_t size() const { return nodes_.size(); }
  size_t BytesSoon() const { return ids_.BytesWith(1) + BytesWith(nodes_, 1); }

 private:
  uint32_t base_;
  StringIndex* strings_;
  U64Map ids_;
  std::vector<RangeNode> nodes_;
};

struct ShapeDefinition {
  uint32_t name = 0;  // in StringIndex; 0 when CUPTI gave none
  KernelShape shape;
};

class ShapeIndex {
 public:
  explicit ShapeIndex(StringIndex* strings, uint32_t base = 0) : base_(base), strings_(strings) {}

  uint32_t Intern(const char* name, const KernelShape& shape);
  const ShapeDefinition& operator[](uint32_t id) const { return shapes_[id - base_ - 1]; }
  size_t size() const { return shapes_.size(); }
  size_t BytesSoon() const { return ids_.BytesWith(kBetweenLooks) + BytesWith(shapes_, kBetweenLooks); }

  // Kernels that may come before anybody asks again whether there is room.
  static constexpr size_t kBetweenLooks = 16;

 private:
  uint32_t base_;
  StringIndex* strings_;
  U64Map ids_;  // by hash of name and shape
  std::vector<ShapeDefinition> shapes_;
};

// Threads that made calls, by their serial.
class ThreadIndex {
 public:
  struct Thread {
    uint32_t system_id = 0;
    uint32_t name = 0;      // in StringIndex
    bool is_named = false;  // for good

    bool is_known() const { return system_id != 0 || name != 0; }
  };

  explicit ThreadIndex(StringIndex* strings) : strings_(strings) {}

  // What thread `serial`, which was not noted yet, is called: for good, or if the system does not say anything later.
  void Name(uint32_t serial, std::string_view name, bool for_good);
  // Notes thread `serial` the first time; if it was not named for good, with the name that the system knows now.
  void Note(uint32_t serial, uint32_t system_id) {
    if (serial != last_) [[unlikely]]
      NoteOther(serial, system_id);
  }
  // What was known of it elsewhere.
  void Keep(uint32_t serial, const Thread& known, std::string_view name);
  // Of a serial that was not noted: nothing.
  Thread operator[](uint32_t serial) const;
  size_t BytesSoon() const { return ids_.BytesWith(1) + BytesWith(threads_, 1); }

 private:
  void NoteOther(uint32_t serial, uint32_t system_id);
  Thread& Entry(uint32_t serial);

  StringIndex* strings_;
  uint32_t last_ = 0;
  U64Map ids_;  // serial -> index into threads_
  std::vector<Thread> threads_;
};

// Everything that was defined since the last time that things were forgotten. All ids are above `base`.
struct DefinitionTables {
  DefinitionTables() = default;
  // Follows `older`, which must outlive it or be taken from it by python.ForgetOlder().
  explicit DefinitionTables(const DefinitionTables& older);

  uint32_t base = 0;
  StringIndex strings{base};
  FrameIndex frames{&strings};
  StackIndex stacks{&frames, base};
  RangeIndex ranges{&strings, base};
  ShapeIndex shapes{&strings, base};
  ThreadIndex threads{&strings};
  PythonIndex python{&strings, nullptr, base};

  // The largest id that may be in use.
  uint32_t last_id() const;
  size_t BytesSoon() const;
};

// Two generations of tables. When the newer is full, the older is forgotten: what threads have said before is then
// still found, until they have said it again.
class Definitions {
 public:
  // Both generations together take at most `most_bytes`, as far as their own counting goes.
  void LimitMemory(size_t most_bytes) { most_bytes_ = most_bytes; }

  DefinitionTables& now() { return *now_; }
  const DefinitionTables& now() const { return *now_; }
  // The tables that hold `id`, which must not be forgotten.
  const DefinitionTables& Of(uint32_t id) const { return id > now_->base ? *now_ : *before_; }

  // Of either generation; 0 when neither knows the hash.
  uint32_t FindStack(uint64_t hash) const;
  uint32_t FindPythonStack(uint64_t hash) const;
  uint32_t FindRange(uint64_t hash) const;
  // Of either generation.
  ThreadIndex::Thread FindThread(uint32_t serial) const;
  // Takes what is known of a thread over into the present generation: threads say only once what they are called.
  void KeepThread(uint32_t serial);

  // Ids of the present generation for ones of the generation before, which are said again with all they refer to. Other
  // ids stay what they are.
  uint32_t RenewString(uint32_t id);
  uint32_t RenewStack(uint32_t node);
  uint32_t RenewPythonStack(uint32_t node);
  uint32_t RenewRange(uint32_t node);
  // Whether there is room to renew more, with most of it left to what is new.
  bool has_room_to_renew() const { return now_->BytesSoon() <= most_bytes_ / 8; }

  // Whether Forget is due: the next record may be too much for the tables.
  bool is_full() const { return now_->BytesSoon() > most_bytes_ / 12 * 5; }
  // Begins a new generation. Nothing must refer to ids up to last_forgotten() any more, and whoever said something once
  // must say it again from then on.
  void Forget();
  uint32_t last_forgotten() const { return before_ != nullptr ? before_->base : 0; }
  // How often that was.
  uint32_t times_forgotten() const { return times_forgotten_; }

 private:
  bool IsOfBefore(uint32_t id) const { return id > last_forgotten() && id <= now_->base; }

  size_t most_bytes_ = SIZE_MAX;
  uint32_t times_forgotten_ = 0;
  std::unique_ptr<DefinitionTables> before_;
  std::unique_ptr<DefinitionTables> now_ = std::make_unique<DefinitionTables>();
};

}  // namespace migprof::record
