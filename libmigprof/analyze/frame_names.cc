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

// "Scale" of "void (anonymous namespace)::Scale<2>(float*, int)".
std::string Identifier(std::string name) {
  const std::string kAnonymous = "(anonymous namespace)";
  for (size_t at = name.find(kAnonymous); at != std::string::npos; at = name.find(kAnonymous)) {
    name.replace(at, kAnonymous.size(), "_");
  }
  name.resize(std::min(name.size(), name.find_first_of("<(")));
  const size_t start = name.find_last_of(": ");
  return start == std::string::npos ? name : name.substr(start + 1);
}

// Made by nvcc for every kernel: the body of the <<<>>>.
bool IsLaunchStub(const std::string& name) {
  const std::string identifier = Identifier(name);
  for (const char* start : {"__device_stub_", "__wrapper__device_stub_", "__cudaLaunchKernel"}) {
    if (absl::StartsWith(identifier, start)) return true;
  }
  return false;
}

// Whether `caller` is the function that nvcc makes in the kernel's own name, and that calls the stub `name`.
bool IsHostStub(const std::string& caller, const std::string& name) {
  if (!IsLaunchStub(name)) return false;
  const std::string kStub = "device_stub_";
  const size_t at = name.find(kStub);
  if (at == std::string::npos) return false;
  std::string kernel = name.substr(at + kStub.size());
  if (absl::StartsWith(kernel, "_Z")) kernel = Demangle(kernel.substr(0, kernel.find('(')));
  return Identifier(caller) == Identifier(kernel);
}

// How C++'s library calls itself: "std::__invoke_impl<…>", "std::vector<…>::_M_insert". Inlined, such functions only
// stand between those that people know.
bool IsLibraryInternal(const std::string& name) {
  if (!absl::StartsWith(name, "std::") && !absl::StartsWith(name, "__gnu_cxx::")) return false;
  int depth = 0;
  for (size_t i = 0; i + 2 < name.size() && name[i] != '('; ++i) {
    depth += (name[i] == '<') - (name[i] == '>');
    if (depth == 0 && name.compare(i, 3, "::_") == 0) return true;
  }
  return name[0] == '_';
}

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

// Whether the lines of a library are of interest to people who do not look into CUDA or the C library.
bool IsWorthReading(const std::string& path) {
  const std::string file = FileName(path);
  return !IsCudaLibrary(file) && !IsRuntimeLibrary(file);
}

}  // namespace

FrameNames::FrameNames(const TraceDefinitions* definitions, const StackView& view, FrameTable* table)
    : definitions_(definitions),
      view_(view),
      table_(table),
      lines_(definitions, view.lines, view.show_internals ? nullptr : &IsWorthReading) {}

FrameNames::Named FrameNames::MakeNamed(const FrameDefinition& definition, const SourceChain* chain) {
  const ModuleDefinition* module = definitions_->Module(definition.module);
  // Code without a module that has a name all the same was made by a just-in-time compiler (record/jit_map.h).
  const std::string file = module != nullptr      ? FileName(definitions_->String(module->path))
                           : definition.name != 0 ? "[jit]"
                                                  : "";
  // The name the process found for itself goes before what debug information says: it is in every copy of the trace.
  const std::string& recorded = definitions_->String(definition.name);
  const std::string& symbol = recorded.empty() && chain != nullptr ? chain->front().function : recorded;
  Named named{};
  std::string shown;
  if (!symbol.empty()) {
    named.name = Demangle(symbol);
    shown = ShortName(named.name);
  } else if (module != nullptr) {
    // Return addresses point behind the call; the call itself is what people look for.
    named.name = shown = absl::StrCat(file, "+0x", absl::Hex(definition.address - 1 - module->bias));
  } else {
    named.name = shown = absl::StrCat("[unknown]+0x", absl::Hex(definition.address - 1));
  }
  named.is_cuda = IsCudaLibrary(file) || IsStaticRuntime(named.name);
  if (named.is_cuda && IsApiEntry(named.name)) named.name = shown = WithoutVersion(named.name);
  named.is_start_up = IsRuntimeLibrary(file) || named.name == "_start";
  named.is_stub = IsLaunchStub(named.name);
  named.role = RoleOf(symbol, module != nullptr ? definitions_->String(module->path) : "");
  const FrameKind kind = named.is_cuda ? FrameKind::kCudaApi : FrameKind::kNative;
  Frame frame{.name = shown, .full_name = named.name, .module = file, .kind = kind};
  if (chain != nullptr) AddLine(chain->front(), &frame);
  named.id = table_->Intern(std::move(frame));
  for (size_t i = 1; chain != nullptr && view_.show_inlined && i < chain->size(); ++i) {
    const std::string full = Demangle((*chain)[i].function);
    const std::string inner = i + 1 < chain->size() ? Demangle((*chain)[i + 1].function) : "";
    if (full.empty()) continue;
    if (i == 1 && IsHostStub(named.name, full)) named.is_stub = true;
    if (!view_.show_internals && (IsLaunchStub(full) || IsHostStub(full, inner) || IsLibraryInternal(full))) continue;
    Frame inlined{.name = ShortName(full), .full_name = full, .module = file, .kind = kind, .inlined = true};
    AddLine((*chain)[i], &inlined);
    named.inlined.push_back(table_->Intern(std::move(inlined)));
  }
  return named;
}

void FrameNames::AddLine(const SourceFrame& source, Frame* frame) const {
  if (!view_.split_lines) {
    // One frame stands for all lines of the function: what they share is where it is defined.
    if (!source.definition_file.empty() && source.definition_line != 0) {
      frame->source = absl::StrCat(source.definition_file, ":", source.definition_line);
    }
    return;
  }
  if (source.file.empty() || source.line == 0 || frame->kind == FrameKind::kCudaApi) return;
  frame->source = absl::StrCat(source.file, ":", source.line);
  const std::string suffix = absl::StrCat(" (", FileName(source.file), ":", source.line, ")");
  frame->name += suffix;
  frame->full_name += suffix;
}

const FrameNames::Named& FrameNames::Name(uint64_t frame) {
  const auto known = named_.find(frame);
  if (known != named_.end()) return known->second;
  const FrameDefinition* definition = definitions_->Frame(frame);
  return named_.emplace(frame, MakeNamed(definition != nullptr ? *definition : FrameDefinition{}, lines_.Find(frame)))
      .first->second;
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
    if (!view_.show_internals) {
      if (stack[i - 1].is_stub) continue;
      if (i - 1 > 0 && IsHostStub(stack[i - 1].name, stack[i - 2].name)) continue;
    }
    path.push_back(stack[i - 1].id);
    path.insert(path.end(), stack[i - 1].inlined.begin(), stack[i - 1].inlined.end());
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
