// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/anonymize.h"

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libmigprof/analyze/entry_point.h"
#include "libmigprof/analyze/pseudonyms.h"
#include "libmigprof/mig/profile_name.h"

namespace migprof::analyze {
namespace {

// Takes a name, and gives what to write in its place.
using Renamer = std::function<std::string(NameOf what, const std::string& name)>;

// What migprof itself says where there is no name.
bool IsNote(const std::string& name) {
  return name == "[unnamed kernel]" || name == "[unknown Python code]" || name == "[after its last GPU work]" ||
         name == "[jit]" || name == "process";
}

// Whether NVIDIA gave the name. Code of CUDA's libraries that is no entry point has names of its own.
bool IsCudaName(const std::string& name) {
  return (absl::StartsWith(name, "cu") || absl::StartsWith(name, "__cuda")) &&
         std::all_of(name.begin(), name.end(), [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

// "file:12" -> "file", ":12"; without a line number the second is empty.
std::pair<std::string, std::string> SplitLine(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size() ||
      !std::all_of(text.begin() + static_cast<ptrdiff_t>(colon) + 1, text.end(), absl::ascii_isdigit)) {
    return {text, ""};
  }
  return {text.substr(0, colon), text.substr(colon)};
}

std::string RenameFile(const std::string& file_and_line, const Renamer& rename) {
  const auto [file, line] = SplitLine(file_and_line);
  return absl::StrCat(rename(NameOf::kFile, file), line);
}

std::string RenameModule(const std::string& module, const Renamer& rename) {
  return IsNote(module) ? module : rename(NameOf::kModule, module);
}

// "function (file.cc:12)" with --lines, else "function".
std::string RenameNative(const Frame& frame, std::string full, const Renamer& rename) {
  std::string place;
  if (!frame.source.empty()) {
    const std::string suffix = absl::StrCat(" (", frame.source.substr(frame.source.rfind('/') + 1), ")");
    if (absl::EndsWith(full, suffix)) {
      full.resize(full.size() - suffix.size());
      place = absl::StrCat(" (", RenameFile(frame.source, rename), ")");
    }
  }
  if (frame.kind == FrameKind::kCudaApi && IsCudaName(full)) return full + place;
  const bool is_unnamed =
      absl::StartsWith(full, "[unknown]+0x") || absl::StartsWith(full, absl::StrCat(frame.module, "+0x"));
  return rename(is_unnamed ? NameOf::kUnnamedCode : NameOf::kFunction, full) + place;
}

// "function (file.py:12)".
Frame RenamePython(const std::string& full, const Renamer& rename) {
  const size_t open = full.rfind(" (");
  if (open == std::string::npos || full.back() != ')') {
    const std::string name = rename(NameOf::kPython, full);
    return {.name = name, .full_name = name, .module = "", .kind = FrameKind::kPython};
  }
  const std::string place = full.substr(open + 2, full.size() - open - 3);
  const std::string name =
      absl::StrCat(rename(NameOf::kPython, full.substr(0, open)), " (", RenameFile(place, rename), ")");
  return {.name = name,
          .full_name = name,
          .module = rename(NameOf::kFile, SplitLine(place).first),
          .kind = FrameKind::kPython};
}

std::string RenameProcess(const std::string& full, const Renamer& rename) {
  const size_t pid = std::min(full.rfind(" ("), full.size());
  const std::string name = full.substr(0, pid);
  return absl::StrCat(IsNote(name) ? name : rename(NameOf::kProcess, name), full.substr(pid));
}

Frame RenameFrame(const Frame& frame, const Renamer& rename) {
  const std::string& full = frame.full_name.empty() ? frame.name : frame.full_name;
  Frame renamed{.name = "", .full_name = "", .module = "", .kind = frame.kind};
  switch (frame.kind) {
    case FrameKind::kGraph:
    case FrameKind::kMemcpy:
    case FrameKind::kMemset:
    case FrameKind::kNote:
    case FrameKind::kIdle:
      return frame;  // migprof's own words
    case FrameKind::kNative:
    case FrameKind::kCudaApi:
      renamed.full_name = RenameNative(frame, full, rename);
      renamed.module = RenameModule(frame.module, rename);
      if (!frame.source.empty()) renamed.source = RenameFile(frame.source, rename);
      break;
    case FrameKind::kPython:
      if (IsNote(full)) return frame;
      renamed = RenamePython(full, rename);
      break;
    case FrameKind::kKernel:
      if (IsNote(full)) return frame;
      renamed.full_name = rename(NameOf::kKernel, full);
      break;
    case FrameKind::kRange:
      renamed.full_name = rename(NameOf::kRange, full);
      break;
    case FrameKind::kProcess:
      renamed.full_name = RenameProcess(full, rename);
      break;
    case FrameKind::kHost:
      renamed.full_name = rename(NameOf::kHost, full);
      break;
    case FrameKind::kGpu:
    case FrameKind::kSlice:
      renamed.full_name = rename(NameOf::kFunction, full);  // they stand in no tree of a profile
      break;
  }
  renamed.name = renamed.full_name;
  renamed.inlined = frame.inlined;
  renamed.entry_point = IsEntryPoint(frame);
  return renamed;
}

// Adds each frame's weight, with everything below it.
void Weigh(const StackTree& tree, uint64_t NameWeight::*weight, uint64_t NameWeight::*count,
           std::vector<NameWeight>* frames) {
  const std::vector<TreeNode>& nodes = tree.nodes();
  std::vector<std::pair<uint64_t, uint64_t>> total(nodes.size());
  std::vector<uint32_t> depth(nodes.size(), 0);
  for (size_t i = 1; i < nodes.size(); ++i) depth[i] = depth[nodes[i].parent] + 1;
  for (size_t i = nodes.size(); i-- > 1;) {
    total[i].first += nodes[i].self_ns;
    total[i].second += nodes[i].self_count;
    total[nodes[i].parent].first += total[i].first;
    total[nodes[i].parent].second += total[i].second;
    NameWeight& frame = (*frames)[nodes[i].frame];
    frame.*weight += total[i].first;
    if (count != nullptr) frame.*count += total[i].second;
    frame.depth = std::min(frame.depth, depth[i]);
  }
}

void RenameSlice(const Renamer& rename, SliceProfile* slice) {
  mig::SliceIdentity& identity = slice->identity;
  slice->host = rename(NameOf::kHost, slice->host);
  slice->boot_id = rename(NameOf::kBoot, slice->boot_id);
  identity.gpu_uuid = rename(NameOf::kGpu, identity.gpu_uuid);
  identity.mig_uuid = rename(NameOf::kMig, identity.mig_uuid);
  if (!mig::ParseProfileName(identity.profile)) identity.profile = rename(NameOf::kProfile, identity.profile);
  identity.pci_bus_id.clear();
  identity.source.clear();
  for (ProcessInfo& process : slice->processes) {
    process.name = rename(NameOf::kProcess, process.name);
    process.command_line.clear();
  }
  for (KernelUse& kernel : slice->metrics.kernels) {
    if (!IsNote(kernel.full_name)) kernel.full_name = rename(NameOf::kKernel, kernel.full_name);
    kernel.name = kernel.full_name;
  }
}

// Numbers before their alphabet: host_2 before host_10.
auto SortKey(const SliceProfile& slice) {
  const auto number = [](const std::string& pseudonym) { return std::tuple(pseudonym.size(), pseudonym); };
  const mig::SliceIdentity& identity = slice.identity;
  return std::tuple(number(slice.host), number(slice.boot_id), number(identity.gpu_uuid),
                    identity.gpu_instance_id.value_or(0), identity.compute_instance_id.value_or(0),
                    number(identity.mig_uuid));
}

}  // namespace

void Anonymize(Profile* profile) {
  std::vector<NameWeight> weights(profile->frames.size());
  for (const SliceProfile& slice : profile->slices) {
    Weigh(slice.stacks, &NameWeight::gpu_ns, &NameWeight::count, &weights);
    Weigh(slice.idle, &NameWeight::idle_ns, nullptr, &weights);
    Weigh(slice.memory, &NameWeight::bytes, nullptr, &weights);
  }
  Pseudonyms pseudonyms;
  NameWeight weight;
  const Renamer count = [&](NameOf what, const std::string& name) {
    pseudonyms.Count(what, name, weight);
    return name;
  };
  for (FrameId id = 0; id < weights.size(); ++id) {
    weight = weights[id];
    RenameFrame(profile->frames[id], count);
  }
  for (const SliceProfile& slice : profile->slices) {
    weight = {.gpu_ns = slice.busy_ns, .count = slice.kernels.count};
    SliceProfile names;
    names.host = slice.host;
    names.boot_id = slice.boot_id;
    names.identity = slice.identity;
    RenameSlice(count, &names);
    weight = {};  // processes and kernels have theirs from the trees
    names.processes = slice.processes;
    names.metrics.kernels = slice.metrics.kernels;
    RenameSlice(count, &names);
  }
  const Renamer rename = [&](NameOf what, const std::string& name) { return pseudonyms.Get(what, name); };
  profile->frames.Rename([&](const Frame& frame) { return RenameFrame(frame, rename); });
  for (SliceProfile& slice : profile->slices) RenameSlice(rename, &slice);
  std::stable_sort(profile->slices.begin(), profile->slices.end(),
                   [](const SliceProfile& a, const SliceProfile& b) { return SortKey(a) < SortKey(b); });
}

}  // namespace migprof::analyze
