// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/frame_names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/demangle.h"
#include "libmigprof/format/trace_format.h"

namespace migprof::analyze {
namespace {

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsCudaLibrary(const std::string& file) {
  for (const char* start : {"libcuda.so", "libcudart.so", "libcupti.so", "libnvidia-"}) {
    if (absl::StartsWith(file, start)) return true;
  }
  return false;
}

// The static CUDA runtime is part of the program's own binary; its functions are recognised by name.
bool IsStaticRuntime(const std::string& name) {
  return absl::StartsWith(name, "libcudart_static_") || absl::StartsWith(name, "__cudart");
}

// What a user can have written: the entry points of the runtime and driver APIs.
bool IsApiEntry(const std::string& name) {
  return (absl::StartsWith(name, "cu") && name.size() > 2) || absl::StartsWith(name, "__cudaLaunch");
}

// What calls main and the functions of threads, when it stands at the outer end of a stack. Distributions strip these
// libraries, so the library counts and not the function.
bool IsRuntimeLibrary(const std::string& file) {
  for (const char* start : {"libc.so", "libc-", "libpthread", "ld-linux", "libstdc++.so"}) {
    if (absl::StartsWith(file, start)) return true;
  }
  return false;
}

// Made by nvcc for every kernel: the body of the <<<>>>.
bool IsLaunchStub(const std::string& name) { return absl::StartsWith(name, "__device_stub__"); }

// "cuMemcpyHtoD_v2_ptds" is what a program that calls cuMemcpyHtoD is linked to.
std::string WithoutVersion(std::string name) {
  for (const absl::string_view suffix : {"_ptsz", "_ptds", "_v2", "_v3", "_v4"}) {
    if (absl::EndsWith(name, suffix)) name.resize(name.size() - suffix.size());
  }
  return name;
}

const char* CopyName(uint64_t what) {
  constexpr const char* kNames[] = {"memcpy",      "memcpy HtoD", "memcpy DtoH", "memcpy HtoA",
                                    "memcpy AtoH", "memcpy AtoA", "memcpy AtoD", "memcpy DtoA",
                                    "memcpy DtoD", "memcpy HtoH", "memcpy PtoP"};
  return what < std::size(kNames) ? kNames[what] : kNames[0];
}

}  // namespace

FrameNames::Named FrameNames::MakeNamed(const FrameDefinition& definition) {
  const ModuleDefinition* module = definitions_->Module(definition.module);
  const std::string file = module != nullptr ? FileName(definitions_->String(module->path)) : "";
  const std::string& symbol = definitions_->String(definition.name);
  Named named{};
  std::string shown;
  if (!symbol.empty()) {
    named.name = Demangle(symbol);
    shown = ShortName(named.name);
  } else if (module != nullptr) {
    // Return addresses point behind the call; the call itself is what people look for.
    named.name = absl::StrCat(file, "+0x", absl::Hex(definition.address - 1 - module->bias));
    shown = named.name;
  } else {
    named.name = shown = "[unknown code]";
  }
  named.is_cuda = IsCudaLibrary(file) || IsStaticRuntime(named.name);
  if (named.is_cuda && IsApiEntry(named.name)) named.name = shown = WithoutVersion(named.name);
  named.is_start_up = IsRuntimeLibrary(file) || named.name == "_start";
  named.is_stub = IsLaunchStub(named.name);
  named.role = RoleOf(symbol, module != nullptr ? definitions_->String(module->path) : "");
  const FrameKind kind = named.is_cuda ? FrameKind::kCudaApi : FrameKind::kNative;
  named.id = table_->Intern({.name = shown, .full_name = named.name, .module = file, .kind = kind});
  return named;
}

const FrameNames::Named& FrameNames::Name(uint64_t frame) {
  const auto known = named_.find(frame);
  if (known != named_.end()) return known->second;
  const FrameDefinition* definition = definitions_->Frame(frame);
  return named_.emplace(frame, MakeNamed(definition != nullptr ? *definition : FrameDefinition{})).first->second;
}

FrameNames::Named FrameNames::MakePython(uint64_t python_frame) {
  const PythonFrameDefinition* frame = definitions_->PythonFrame(python_frame);
  const PythonCodeDefinition* code = frame != nullptr ? definitions_->PythonCode(frame->code) : nullptr;
  Named named{};
  if (code == nullptr) {
    named.name = "[unknown Python code]";
    named.id = Note(named.name, FrameKind::kPython);
    return named;
  }
  const std::string& path = definitions_->String(code->file);
  const std::string& function = definitions_->String(code->name);
  const std::string line = frame->line != 0 ? absl::StrCat(":", frame->line) : "";
  named.name = absl::StrCat(function, " (", path, line, ")");
  named.id = table_->Intern({.name = absl::StrCat(function, " (", FileName(path), line, ")"),
                             .full_name = named.name,
                             .module = FileName(path),
                             .kind = FrameKind::kPython});
  return named;
}

bool FrameNames::Splice(const HostStack& host_stack, std::vector<Named>* stack) {
  SpliceInput input;
  std::vector<uint64_t> python;
  for (const StackNodeDefinition* node = definitions_->PythonStackNode(host_stack.python_node); node != nullptr;
       node = definitions_->PythonStackNode(node->parent)) {
    const PythonFrameDefinition* frame = definitions_->PythonFrame(node->frame);
    python.push_back(node->frame);
    input.python_entry.push_back(frame != nullptr && frame->is_entry);
  }
  if (python.empty()) return true;
  bool in_handler = false;
  for (const Named& named : *stack) {
    if (named.is_cuda && input.cuda_frames == input.native.size()) ++input.cuda_frames;
    if (in_handler && named.role == NativeRole::kEvaluation && !IsInstructionHandler(named.name)) {
      input.native.back() = NativeRole::kInterpreter;
    }
    in_handler = IsInstructionHandler(named.name);
    input.native.push_back(named.role);
  }
  input.truncated = host_stack.truncated;
  input.show_interpreter = view_.show_interpreter;
  const Spliced spliced = SplicePython(input);
  std::vector<Named> all;
  for (const SplicedFrame& frame : spliced.frames) {
    switch (frame.kind) {
      case SplicedFrame::Kind::kNative:
        all.push_back((*stack)[frame.index]);
        break;
      case SplicedFrame::Kind::kPython:
        all.push_back(MakePython(python[frame.index]));
        break;
      case SplicedFrame::Kind::kNote:
        all.push_back(Named{});
        all.back().id = Note("[Python frames not spliced]");
        break;
    }
  }
  *stack = std::move(all);
  return spliced.fits;
}

ShownPath FrameNames::CallPath(const HostStack& host_stack, const std::string& api) {
  // Innermost first, as the nodes are linked.
  std::vector<Named> stack;
  for (const StackNodeDefinition* node = definitions_->StackNode(host_stack.native_node); node != nullptr;
       node = definitions_->StackNode(node->parent)) {
    stack.push_back(Name(node->frame));
  }
  ShownPath shown;
  shown.unspliced = !Splice(host_stack, &stack);
  std::vector<FrameId>& path = shown.frames;
  if (stack.empty()) path.push_back(Note("[stack not recorded]"));
  // Below the application's last frame there are only CUDA's own: of those the outermost entry point is what was
  // called.
  size_t inner = 0;
  std::string called;
  if (!view_.show_internals) {
    while (inner < stack.size() && stack[inner].is_cuda) ++inner;
  }
  size_t outer = stack.size();
  if (!view_.show_internals) {
    while (outer > inner && stack[outer - 1].is_start_up) --outer;
  }
  for (size_t i = outer; i > inner; --i) {
    if (stack[i - 1].is_stub && !view_.show_internals) continue;
    path.push_back(stack[i - 1].id);
  }
  for (size_t i = inner; i > 0 && called.empty(); --i) {
    if (!IsApiEntry(stack[i - 1].name)) continue;
    called = stack[i - 1].name;
    path.push_back(stack[i - 1].id);
  }
  if (view_.show_internals && !stack.empty()) called = stack.front().name;
  // The call that was recorded, unless that is the entry point itself.
  if (!api.empty() && called != api) {
    path.push_back(table_->Intern({.name = api, .full_name = api, .module = "", .kind = FrameKind::kCudaApi}));
  }
  return shown;
}

std::vector<FrameId> FrameNames::RangePath(uint64_t range_node) {
  std::vector<FrameId> path;
  if (!view_.show_ranges) return path;
  for (const RangeNodeDefinition* range = definitions_->RangeNode(range_node); range != nullptr;
       range = definitions_->RangeNode(range->parent)) {
    const std::string& domain = definitions_->String(range->domain);
    const std::string& name = definitions_->String(range->name);
    path.push_back(Note(domain.empty() ? name : absl::StrCat(domain, ": ", name), FrameKind::kRange));
  }
  std::reverse(path.begin(), path.end());
  return path;
}

FrameId FrameNames::Kernel(uint64_t shape) {
  const std::string& symbol = definitions_->String(definitions_->KernelName(shape));
  const std::string full = symbol.empty() ? "[unnamed kernel]" : Demangle(symbol);
  return table_->Intern({.name = ShortName(full), .full_name = full, .module = "", .kind = FrameKind::kKernel});
}

FrameId FrameNames::Transfer(uint64_t what) {
  const bool is_memset = what == format::kMemset;
  const std::string name = is_memset ? "memset" : CopyName(what);
  return table_->Intern(
      {.name = name, .full_name = name, .module = "", .kind = is_memset ? FrameKind::kMemset : FrameKind::kMemcpy});
}

FrameId FrameNames::Note(const std::string& text, FrameKind kind) {
  return table_->Intern({.name = text, .full_name = text, .module = "", .kind = kind});
}

}  // namespace migprof::analyze
