// SPDX-License-Identifier: Apache-2.0
// Recorded frames -> frames as shown: named, classified, and without the ones nobody wants to see.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libmigprof/analyze/frame_lines.h"
#include "libmigprof/analyze/python_splice.h"
#include "libmigprof/analyze/stack_tree.h"
#include "libmigprof/analyze/trace_definitions.h"

namespace migprof::analyze {

struct StackView {
  // Also show how CUDA's libraries, the C runtime's start-up code and compiler-made launch stubs call each other.
  bool show_internals = false;
  // Also show the Python interpreter's own C functions, which stand between Python frames.
  bool show_interpreter = false;
  // Show the ranges that the program opened (NVTX, migprof_push) as frames.
  bool show_ranges = true;
  // Also show functions that the compiler inlined, where debug information tells.
  bool show_inlined = true;
  // Tell the lines of a function apart: frames read "function (file.cc:123)".
  bool split_lines = false;
  // Where lines and inlined functions come from; null: show neither.
  LineTable* lines = nullptr;
};

// The two stacks of a call, each by its innermost node; 0: none.
struct HostStack {
  uint64_t native_node = 0;
  uint64_t python_node = 0;
  bool truncated = false;  // the outermost frames are missing
};

// Frames as shown, outermost first.
struct ShownPath {
  std::vector<FrameId> frames;
  bool unspliced = false;  // the Python frames stand together below a note
};

// Names the stacks of one trace file. The definitions and the table must outlive it.
class FrameNames {
 public:
  FrameNames(const TraceDefinitions* definitions, const StackView& view, FrameTable* table);

  // Frames of a call: the host stack, and the API call itself.
  ShownPath CallPath(const HostStack& host_stack, const std::string& api);

  // The ranges around a call, outermost first; none when they are not to be shown.
  std::vector<FrameId> RangePath(uint64_t range_node);

  FrameId Kernel(uint64_t shape);
  // `what`: column::transfers::kWhat.
  FrameId Transfer(uint64_t what);
  // "[CUDA graph]" and the like.
  FrameId Note(const std::string& text, FrameKind kind = FrameKind::kNote);

 private:
  struct Named {
    FrameId id;
    bool is_cuda;                  // of CUDA's own libraries
    bool is_start_up;              // of the C runtime: hidden at the outer end of a stack
    bool is_stub;                  // made by the compiler: hidden
    NativeRole role;               // in the Python interpreter
    std::string name;              // full
    std::vector<FrameId> inlined;  // into it, outermost first
  };

  const Named& Name(uint64_t frame);
  Named MakeNamed(const FrameDefinition& definition, const SourceChain* chain);
  void AddLine(const SourceFrame& source, Frame* frame) const;
  Named MakePython(uint64_t python_frame);
  // Puts the Python frames that end in `python_node` into `stack`, innermost first. False when they do not fit.
  bool Splice(const HostStack& host_stack, std::vector<Named>* stack);

  const TraceDefinitions* definitions_;
  StackView view_;
  FrameTable* table_;
  FrameLines lines_;
  absl::flat_hash_map<uint64_t, Named> named_;
};

}  // namespace migprof::analyze
