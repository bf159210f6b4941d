// SPDX-License-Identifier: Apache-2.0
// What events refer to by number: strings, frames, stacks, kernel shapes. One set per process; every trace file takes
// from it what its own events need.
#pragma once

#include <cstdint>
#include <deque>
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

// All ids start at 1; 0 means none. All classes: drain thread only.

class StringIndex {
 public:
  uint32_t Intern(std::string_view text);
  const std::string& operator[](uint32_t id) const { return strings_[id - 1]; }

 private:
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

  uint32_t Intern(uint64_t address);
  const FrameDefinition& operator[](uint32_t id) const { return frames_[id - 1]; }
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
  explicit StackIndex(FrameIndex* frames) : frames_(frames) {}

  // The frames behind `hash`, innermost first. Frames of the profiler itself at the inner end are left out. After
  // modules went, a hash that is sent again is understood anew.
  void Define(uint64_t hash, std::span<const uint64_t> addresses);
  // The innermost node of a stack that was defined, else 0.
  uint32_t Find(uint64_t hash) const;
  const StackNode& operator[](uint32_t id) const { return nodes_[id - 1]; }

 private:
  struct Known {
    uint32_t node;
    uint32_t generation;
  };

  FrameIndex* frames_;
  U64Map by_hash_;  // -> index into known_
  std::vector<Known> known_;
  U64Map by_edge_;  // parent << 32 | frame
  std::vector<StackNode> nodes_;
};

// A range inside of all the ranges around it.
struct RangeNode {
  uint32_t parent = 0;  // 0: the outermost
  uint32_t name = 0;    // in StringIndex
  uint32_t domain = 0;  // in StringIndex; 0: the default one
  bool is_started = false;
};

class RangeIndex {
 public:
  explicit RangeIndex(StringIndex* strings) : strings_(strings) {}

  // The range behind `hash`, inside of the one behind `parent_hash`. A hash that is known stays what it was.
  void Define(uint64_t hash, uint64_t parent_hash, std::string_view domain, std::string_view name, bool is_started);
  // The node of a range that was defined, else 0.
  uint32_t Find(uint64_t hash) const;
  const RangeNode& operator[](uint32_t id) const { return nodes_[id - 1]; }

 private:
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
  explicit ShapeIndex(StringIndex* strings) : strings_(strings) {}

  uint32_t Intern(const char* name, const KernelShape& shape);
  const ShapeDefinition& operator[](uint32_t id) const { return shapes_[id - 1]; }

 private:
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
  };

  explicit ThreadIndex(StringIndex* strings) : strings_(strings) {}

  // What thread `serial`, which was not noted yet, is called: for good, or if the system does not say anything later.
  void Name(uint32_t serial, std::string_view name, bool for_good);
  // Notes thread `serial` the first time; if it was not named for good, with the name that the system knows now.
  void Note(uint32_t serial, uint32_t system_id);
  const Thread& operator[](uint32_t serial) const { return threads_[serial]; }

 private:
  StringIndex* strings_;
  std::vector<Thread> threads_;
};

struct Definitions {
  StringIndex strings;
  FrameIndex frames{&strings};
  StackIndex stacks{&frames};
  RangeIndex ranges{&strings};
  ShapeIndex shapes{&strings};
  ThreadIndex threads{&strings};
  PythonIndex python{&strings};
};

}  // namespace migprof::record
