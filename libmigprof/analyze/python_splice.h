// SPDX-License-Identifier: Apache-2.0
// Puts the Python frames of a stack between the native ones they belong between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace migprof::analyze {

// What a native frame is to the interpreter.
enum class NativeRole : uint8_t {
  kOther,
  kInterpreter,  // the interpreter's own C code and what belongs to it: hidden where Python frames are known
  kEvaluation,   // one run of its evaluation loop, which executes one or more Python frames
  kStackStart,   // where the stack of a greenlet begins: what lies outside is what other greenlets left there
};

// `function` as in the symbol table, `path` that of the binary.
NativeRole RoleOf(const std::string& function, const std::string& path);

// Whether `function` executes one kind of instruction, as those of 3.14's tail-calling interpreter do. Where the
// evaluation function that began the run still stands directly outside of it, the two are one run.
bool IsInstructionHandler(const std::string& function);

// All stacks innermost first.
struct SpliceInput {
  std::vector<NativeRole> native;
  size_t cuda_frames = 0;          // how many of the innermost native frames are CUDA's own
  std::vector<bool> python_entry;  // for each Python frame: whether it is the outermost of its run
  bool truncated = false;          // either stack lacks its outermost frames
  bool show_interpreter = false;
};

struct SplicedFrame {
  enum class Kind : uint8_t { kNative, kPython, kNote };  // kNote: what lies inside of it could not be placed
  Kind kind = Kind::kNative;
  size_t index = 0;
};

struct Spliced {
  std::vector<SplicedFrame> frames;
  bool fits = true;  // there are as many runs of the evaluation loop among the native frames as among the Python ones
};

// Native frames outside of a greenlet's start are left out where the frames inside of it fit.
// Each native frame of the evaluation loop stands for the Python frames up to the next entry. Where the two do not fit
// (unwinding that ended early, functions without names), the Python frames are kept
// together, inside a note, where the innermost evaluation is, or just outside of CUDA's frames.
Spliced SplicePython(const SpliceInput& input);

}  // namespace migprof::analyze
