// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/topology_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/mig/nvml_error.h"
#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/topology_notes.h"

namespace migprof::render {
namespace {

using mig::ComputeInstance;
using mig::Gpu;
using mig::GpuInstance;

constexpr size_t kGap = 2;
constexpr size_t kNoteIndent = 7;  // below the name of the GPU
// With these a row with a compute instance of a shared GPU instance takes 100 cells.
constexpr size_t kRowIndent = 1;
constexpr size_t kUseIndent = 5;

enum Column { kSlice, kIds, kSms, kMemory, kUsed, kPlace, kProcesses, kUuid, kColumnCount };
constexpr std::array<const char*, kColumnCount> kHeads = {"SLICE", "GI/CI", "SMs",   "MEMORY",
                                                          "USED",  "PLACE", "PROCS", "UUID"};
constexpr bool IsNumber(size_t column) {
  return column == kSms || column == kMemory || column == kUsed || column == kProcesses;
}
using Row = std::array<std::string, kColumnCount>;

// One or more lines of output, before it is known how wide the columns are.
struct Item {
  enum Kind { kBlank, kHeading, kText, kRow } kind = kBlank;
  std::string text;
  size_t indent = 0;
  bool wraps = false;  // otherwise it is cut
  Row row = {};
};

template <typename Number>
std::string OrUnknown(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "?";
}

std::string Bytes(const std::optional<uint64_t>& bytes) { return bytes ? HumanBytes(*bytes) : "?"; }

// "0-3": the first and the last slice.
std::string Place(const std::optional<mig::Placement>& placement) {
  if (!placement || placement->size == 0) return "?";
  const std::string start = std::to_string(placement->start);
  return placement->size == 1 ? start : start + '-' + std::to_string(placement->start + placement->size - 1);
}

std::string ProcessCount(const mig::Use& use) { return use.refusal != 0 ? "?" : std::to_string(use.processes.size()); }

std::string Named(const std::string& profile) { return profile.empty() ? "MIG" : profile; }

std::string WorkloadText(const mig::Workload& workload) {
  constexpr size_t kShortContainer = 12;  // as docker ps has it
  if (!workload.slurm_job_id.empty()) {
    return "Slurm job " + workload.slurm_job_id + (workload.slurm_step.empty() ? "" : "." + workload.slurm_step);
  }
  if (!workload.pod_uid.empty()) return "pod " + workload.pod_uid;
  if (!workload.container_id.empty()) return "container " + workload.container_id.substr(0, kShortContainer);
  return "";
}

// "train.py --epochs 3" of "/home/me/train.py --epochs 3".
std::string Command(const mig::GpuProcess& process) {
  if (process.command_line.empty()) return process.name.empty() ? "(name not readable)" : process.name;
  const std::string& line = process.command_line;
  const size_t slash = line.substr(0, line.find(' ')).rfind('/');
  return slash == std::string::npos ? line : line.substr(slash + 1);
}

std::string RightAligned(const std::string& text, size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

class Lines {
 public:
  explicit Lines(const TopologyTextOptions& options) : options_(options) {}

  void AddHost(const mig::Host& host) {
    if (host.simulated) {
      AddNote("SIMULATED GPU: no hardware is behind this; it is a machine that migprof's simulator makes up.", 0);
    }
    if (!host.problem.empty()) return AddNote(host.problem, 0);
    std::string line = host.name.empty() ? "this host" : host.name;
    if (!host.driver_version.empty()) line += " · driver " + host.driver_version;
    if (!host.cuda_version.empty()) line += " · CUDA " + host.cuda_version;
    AddNote(line, 0);
    if (host.gpus.empty()) {
      AddNote("The NVIDIA driver is there, and gives this user or container no GPU.", 0);
    }
    for (const Gpu& gpu : host.gpus) AddGpu(gpu);
  }

  void Print(std::ostream& out) const {
    std::array<size_t, kColumnCount> widths{};
    for (const Item& item : items_) {
      for (size_t column = 0; column < kColumnCount; ++column) {
        widths[column] = std::max(widths[column], DisplayCells(item.row[column]));
      }
    }
    size_t total = kRowIndent + kGap * (kColumnCount - 1);
    for (const size_t width : widths) total += width;
    const bool uuid_below = total > options_.width;
    for (const Item& item : items_) {
      if (item.kind == Item::kRow) {
        PrintRow(item.row, widths, uuid_below, out);
      } else if (item.wraps) {
        PrintWrapped(item, out);
      } else {
        const size_t room = options_.width - std::min(options_.width, item.indent);
        PrintLine(std::string(item.indent, ' ') + CutToCells(item.text, room), item.kind == Item::kHeading, out);
      }
    }
  }

 private:
  Item& AddText(const std::string& text, size_t indent, bool wraps) {
    Item& item = items_.emplace_back();
    item.kind = Item::kText;
    item.text = CleanText(text);
    item.indent = indent;
    item.wraps = wraps;
    return item;
  }
  void AddNote(const std::string& text, size_t indent) { AddText(text, indent, true); }
  void AddCut(const std::string& text, size_t indent) { AddText(text, indent, false); }
  void AddRow(Row row) {
    for (std::string& cell : row) cell = CleanText(cell);
    Item& item = items_.emplace_back();
    item.kind = Item::kRow;
    item.row = std::move(row);
  }

  void AddGpu(const Gpu& gpu) {
    items_.emplace_back();
    const std::string label = "GPU " + std::to_string(gpu.index) + "  ";
    const std::string heading = gpu.refusal == 0 ? GpuHeading(gpu)
                                                 : (gpu.name.empty() ? "name not readable" : gpu.name) + " · " +
                                                       mig::NvmlErrorText(gpu.refusal);
    AddText(label + heading, 0, false).kind = Item::kHeading;
    if (!gpu.uuid.empty()) AddNote(gpu.uuid + (gpu.pci_bus_id.empty() ? "" : " · PCI " + gpu.pci_bus_id), kNoteIndent);
    if (gpu.refusal != 0) AddNote(mig::ExplainNoGpu(gpu.refusal, gpu.index), kNoteIndent);
    for (const std::string& note : GpuNotes(gpu)) AddNote(note, kNoteIndent);
    if (gpu.refusal == 0 && gpu.mode != mig::MigMode::kOn) AddWholeGpu(gpu);
    if (gpu.gpu_instances.empty()) return;
    Row heads;
    std::copy(kHeads.begin(), kHeads.end(), heads.begin());
    AddRow(heads);
    for (const GpuInstance& instance : gpu.gpu_instances) AddGpuInstance(gpu, instance);
  }

  void AddWholeGpu(const Gpu& gpu) {
    std::string line = gpu.sm_count ? std::to_string(*gpu.sm_count) + " SMs · " : "";
    if (gpu.memory_bytes) line += Bytes(gpu.memory_used_bytes) + " of " + Bytes(gpu.memory_bytes) + " used · ";
    line += gpu.use.refusal != 0 ? "processes not readable (" + mig::NvmlErrorText(gpu.use.refusal) + ")"
                                 : CountOf(gpu.use.processes.size(), "process", "processes");
    AddNote(line, kNoteIndent);
    AddUse(gpu.use, kNoteIndent);
  }

  // One row for a GPU instance with one compute instance that fills it, as most are; else one for each of them.
  void AddGpuInstance(const Gpu& gpu, const GpuInstance& instance) {
    const std::string note = GpuInstanceNote(gpu, instance);
    Row row;
    row[kSlice] = Named(instance.profile);
    row[kIds] = OrUnknown(instance.id);
    row[kMemory] = Bytes(instance.memory_bytes);
    row[kUsed] = Bytes(instance.memory_used_bytes);
    row[kPlace] = Place(instance.placement);
    if (note.empty()) {
      AddComputeInstance(instance, instance.compute_instances.front(), row);
      return;
    }
    row[kUuid] = note;
    AddRow(row);
    for (const ComputeInstance& compute : instance.compute_instances) {
      Row own;
      own[kSlice] = " ";
      AddComputeInstance(instance, compute, own);
    }
  }

  void AddComputeInstance(const GpuInstance& instance, const ComputeInstance& compute, Row row) {
    const std::string indent = row[kSlice].starts_with(' ') ? row[kSlice] : "";
    row[kSlice] = indent + Named(compute.profile);
    row[kIds] = OrUnknown(instance.id) + '/' + OrUnknown(compute.id);
    row[kSms] = OrUnknown(compute.sm_count);
    row[kProcesses] = ProcessCount(compute.use);
    row[kUuid] = compute.uuid.empty() ? "?" : compute.uuid;
    AddRow(row);
    AddUse(compute.use, kUseIndent);
  }

  void AddUse(const mig::Use& use, size_t indent) {
    if (const std::string note = UseNote(use); !note.empty()) AddCut(note, indent);
    size_t pid_width = 0;
    size_t memory_width = 0;
    for (const mig::GpuProcess& process : use.processes) {
      pid_width = std::max(pid_width, std::to_string(process.pid).size());
      memory_width = std::max(memory_width, Bytes(process.memory_bytes).size());
    }
    for (const mig::GpuProcess& process : use.processes) {
      std::string text = "pid " + RightAligned(std::to_string(process.pid), pid_width) + "  " +
                         RightAligned(Bytes(process.memory_bytes), memory_width) + "  ";
      if (process.mps_server || process.mps_client) text += process.mps_server ? "MPS server  " : "MPS client  ";
      if (const std::string workload = WorkloadText(process.workload); !workload.empty()) text += workload + "  ";
      AddCut(text + Command(process), indent);
    }
  }

  void PrintRow(const Row& row, const std::array<size_t, kColumnCount>& widths, bool uuid_below,
                std::ostream& out) const {
    std::string line(kRowIndent, ' ');
    for (size_t column = 0; column < kUuid; ++column) {
      const std::string padding(widths[column] - DisplayCells(row[column]), ' ');
      line += IsNumber(column) ? padding + row[column] : row[column] + padding;
      line.append(kGap, ' ');
    }
    const bool is_head = row[kUuid] == kHeads[kUuid];
    if (!uuid_below) line += row[kUuid];
    PrintLine(line, false, out);
    if (uuid_below && !is_head) PrintLine(std::string(kUseIndent, ' ') + row[kUuid], false, out);
  }

  // At spaces; a word that is longer than a line stands alone.
  void PrintWrapped(const Item& item, std::ostream& out) const {
    const std::string indent(item.indent, ' ');
    std::string line;
    std::string_view rest = item.text;
    while (!rest.empty()) {
      const size_t space = std::min(rest.find(' '), rest.size());
      const std::string_view word = rest.substr(0, space);
      rest.remove_prefix(std::min(space + 1, rest.size()));
      const size_t needed = item.indent + DisplayCells(line) + 1 + DisplayCells(word);
      if (!line.empty() && needed > options_.width) {
        PrintLine(indent + line, false, out);
        line.clear();
      }
      if (!line.empty()) line += ' ';
      line += word;
    }
    PrintLine(indent + line, false, out);
  }

  void PrintLine(std::string line, bool bold, std::ostream& out) const {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (options_.ascii) line = ToAscii(line);
    out << (bold && options_.colour ? "\033[1m" + line + "\033[0m" : line) << '\n';
  }

  static std::string ToAscii(const std::string& line) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(line[i]);
      const std::string_view rest = std::string_view(line).substr(i);
      if (rest.starts_with("·")) {
        text += '-';
      } else if (rest.starts_with("…")) {
        text += '~';
      } else if (byte < 0x80) {
        text += line[i];
      } else if (byte >= 0xC0) {
        text += '?';
      }
    }
    return text;
  }

  const TopologyTextOptions options_;
  std::vector<Item> items_;
};

}  // namespace

void WriteTopologyText(const mig::Host& host, const TopologyTextOptions& options, std::ostream& out) {
  Lines lines(options);
  lines.AddHost(host);
  lines.Print(out);
}

}  // namespace migprof::render
