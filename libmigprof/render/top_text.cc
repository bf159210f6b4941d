// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/top_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libmigprof/mig/nvml_api.h"
#include "libmigprof/mig/nvml_error.h"
#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/human_units.h"

namespace migprof::render {
namespace {

using mig::LiveCounter;
using mig::LiveSlice;

constexpr size_t kGap = 2;
constexpr size_t kLeastTopCells = 12;  // the last column takes what is left, if it is that much

enum Column { kGpu, kSlice, kIds, kSms, kSm, kOccupancy, kTensor, kDram, kUsed, kTotal, kProcesses, kColumnCount };

struct ColumnInfo {
  const char* head;
  bool is_number;
  int importance;  // the smallest goes first where there is no room; 0: stays
};
constexpr std::array<ColumnInfo, kColumnCount> kColumns = {{{"GPU", true, 0},
                                                            {"SLICE", false, 0},
                                                            {"GI/CI", false, 4},
                                                            {"SMs", true, 2},
                                                            {"SM %", true, 0},
                                                            {"OCC %", true, 3},
                                                            {"TENSOR %", true, 1},
                                                            {"DRAM %", true, 5},
                                                            {"USED", true, 6},
                                                            {"MEMORY", true, 2},
                                                            {"PROCS", true, 0}}};
using Cells = std::array<std::string, kColumnCount>;

struct Row {
  Cells cells;
  std::string top;
  bool suspect = false;
  bool idle = false;
};

template <typename Number>
std::string OrUnknown(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "?";
}

// "97.5", "137.5!" when it cannot be, "50.0~" when it is old.
std::string PercentText(const std::optional<mig::LiveValue>& value) {
  if (!value) return "-";
  return absl::StrFormat("%.1f%s", value->percent, value->stale ? "~" : value->is_suspect() ? "!" : "");
}

std::string Command(const mig::GpuProcess& process) {
  if (process.command_line.empty()) return process.name.empty() ? "(name not readable)" : process.name;
  const std::string& line = process.command_line;
  const size_t slash = line.substr(0, line.find(' ')).rfind('/');
  return slash == std::string::npos ? line : line.substr(slash + 1);
}

// Of the process with most memory: "4711 python train.py".
std::string TopProcess(const mig::Use& use) {
  if (use.refusal != 0) return absl::StrCat("(", mig::NvmlErrorText(use.refusal), ")");
  const auto less = [](const mig::GpuProcess& a, const mig::GpuProcess& b) {
    return a.memory_bytes.value_or(0) < b.memory_bytes.value_or(0);
  };
  const auto most = std::max_element(use.processes.begin(), use.processes.end(), less);
  if (most == use.processes.end()) return "";
  std::string text = absl::StrCat(most->pid, " ", Command(*most));
  if (!most->workload.pod_name.empty()) absl::StrAppend(&text, "  [", most->workload.pod_name, "]");
  return CleanText(text);
}

Row MakeRow(const LiveSlice& slice) {
  Row row;
  row.cells[kGpu] = std::to_string(slice.gpu_index);
  row.cells[kSlice] = CleanText(!slice.profile.empty() ? slice.profile : slice.is_mig() ? "MIG" : "whole GPU");
  row.cells[kIds] =
      slice.is_mig() ? absl::StrCat(OrUnknown(slice.gpu_instance_id), "/", OrUnknown(slice.compute_instance_id)) : "-";
  row.cells[kSms] = OrUnknown(slice.sm_count);
  row.cells[kSm] = PercentText(slice.counter(LiveCounter::kSm));
  row.cells[kOccupancy] = PercentText(slice.counter(LiveCounter::kOccupancy));
  row.cells[kTensor] = PercentText(slice.counter(LiveCounter::kTensor));
  row.cells[kDram] = PercentText(slice.counter(LiveCounter::kDram));
  row.cells[kUsed] = slice.memory_used_bytes ? HumanBytes(*slice.memory_used_bytes) : "?";
  row.cells[kTotal] = slice.memory_bytes ? HumanBytes(*slice.memory_bytes) : "?";
  row.cells[kProcesses] = slice.use.refusal != 0 ? "?" : std::to_string(slice.use.processes.size());
  row.top = TopProcess(slice.use);
  for (const auto& value : slice.counters) row.suspect = row.suspect || (value && value->is_suspect());
  row.idle = slice.use.refusal == 0 && slice.use.processes.empty();
  return row;
}

std::optional<double> SortValue(const LiveSlice& slice, TopSort sort) {
  const auto percent = [&](LiveCounter id) -> std::optional<double> {
    const auto& value = slice.counter(id);
    return value ? std::optional<double>(value->percent) : std::nullopt;
  };
  switch (sort) {
    case TopSort::kSlice:
      return 0;
    case TopSort::kSm:
      return percent(LiveCounter::kSm);
    case TopSort::kOccupancy:
      return percent(LiveCounter::kOccupancy);
    case TopSort::kTensor:
      return percent(LiveCounter::kTensor);
    case TopSort::kDram:
      return percent(LiveCounter::kDram);
    case TopSort::kMemory:
      return slice.memory_used_bytes ? std::optional<double>(static_cast<double>(*slice.memory_used_bytes))
                                     : std::nullopt;
    case TopSort::kProcesses:
      return slice.use.refusal == 0 ? std::optional<double>(static_cast<double>(slice.use.processes.size()))
                                    : std::nullopt;
  }
  return std::nullopt;
}

std::string Ascii(const std::string& text) {
  std::string ascii;
  for (const char c : text) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      ascii += c;
    } else if (byte >= 0xC0) {
      ascii += '?';
    }
  }
  return ascii;
}

std::vector<std::string> Notes(const mig::LiveSample& sample) {
  std::vector<std::string> notes;
  if (sample.simulated) notes.push_back("SIMULATED GPU: no hardware is behind this.");
  if (!sample.problem.empty()) notes.push_back(sample.problem);
  if (sample.problem.empty() && sample.gpus.empty()) {
    notes.push_back("The NVIDIA driver is there, and gives this user or container no GPU.");
  }
  for (const mig::LiveGpu& gpu : sample.gpus) {
    const std::string name = absl::StrCat("GPU ", gpu.index, gpu.name.empty() ? "" : ", ", gpu.name, ": ");
    if (gpu.refusal != 0) {
      notes.push_back(
          absl::StrCat(name, mig::NvmlErrorText(gpu.refusal), ". ", mig::ExplainNoGpu(gpu.refusal, gpu.index)));
    } else if (gpu.is_mig && gpu.slices == 0) {
      notes.push_back(name + (gpu.all_in_view ? "MIG is on, and there is no slice." : "no slice is in view."));
    }
  }
  int refusal = 0;
  bool has_counters = false;
  bool suspect = false;
  bool shared = false;
  for (const LiveSlice& slice : sample.slices) {
    if (slice.counter_refusal != 0) refusal = slice.counter_refusal;
    shared = shared || slice.siblings > 1;
    for (const auto& value : slice.counters) {
      has_counters = has_counters || value;
      suspect = suspect || (value && value->is_suspect());
    }
  }
  if (refusal != 0 && !has_counters) {
    const bool is_missing = refusal == mig::kNvmlNotSupported || refusal == mig::kNvmlFunctionNotFound;
    notes.push_back(absl::StrCat("No utilization: the driver has no GPM counters for these slices (",
                                 mig::NvmlErrorText(refusal), is_missing ? "); they need Hopper or later." : ")."));
  }
  if (suspect) notes.push_back("! more than there is, ~ repeated by the driver: not to be believed, shown as it came.");
  if (shared)
    notes.push_back("Compute instances with the same GI share its memory and counters: these are the GPU instance's.");
  for (std::string& note : notes) note = CleanText(note);
  return notes;
}

// Which columns fit into the width, and how wide each is.
struct Layout {
  std::array<bool, kColumnCount> shown{};
  std::array<size_t, kColumnCount> widths{};
  size_t total = 0;
};

Layout MakeLayout(const std::vector<Row>& rows, size_t width) {
  Layout layout;
  layout.shown.fill(true);
  for (size_t column = 0; column < kColumnCount; ++column) {
    layout.widths[column] = std::string_view(kColumns[column].head).size();
    for (const Row& row : rows)
      layout.widths[column] = std::max(layout.widths[column], DisplayCells(row.cells[column]));
    layout.total += layout.widths[column] + kGap;
  }
  // The command of the top process is worth more than the least important columns, but not more than the rest.
  for (int importance = 1; importance <= 6; ++importance) {
    const size_t wanted = importance <= 3 ? width - std::min(width, kLeastTopCells) : width;
    for (size_t column = 0; column < kColumnCount && layout.total > wanted + kGap; ++column) {
      if (kColumns[column].importance != importance) continue;
      layout.shown[column] = false;
      layout.total -= layout.widths[column] + kGap;
    }
  }
  return layout;
}

std::string FormatRow(const Cells& cells, const std::string& top, const Layout& layout, size_t width) {
  std::string line;
  for (size_t column = 0; column < kColumnCount; ++column) {
    if (!layout.shown[column]) continue;
    const std::string padding(layout.widths[column] - std::min(layout.widths[column], DisplayCells(cells[column])),
                              ' ');
    line += kColumns[column].is_number ? padding + cells[column] : cells[column] + padding;
    line.append(kGap, ' ');
  }
  if (layout.total + kLeastTopCells <= width + kGap) line += CutToCells(top, width - std::min(width, layout.total));
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return CutToCells(line, width);
}

std::string Coloured(const std::string& line, const char* code, bool colour) {
  return colour ? absl::StrCat("\033[", code, "m", line, "\033[0m") : line;
}

}  // namespace

std::optional<TopSort> FindTopSort(std::string_view name) {
  for (const TopSortInfo& info : kTopSorts) {
    if (name == info.name) return info.sort;
  }
  return std::nullopt;
}

std::vector<const LiveSlice*> SortedSlices(const mig::LiveSample& sample, TopSort sort, bool reverse) {
  std::vector<const LiveSlice*> slices;
  for (const LiveSlice& slice : sample.slices) slices.push_back(&slice);
  if (sort == TopSort::kSlice) {
    if (reverse) std::reverse(slices.begin(), slices.end());
    return slices;
  }
  const auto before = [&](const LiveSlice* a, const LiveSlice* b) {
    const std::optional<double> left = SortValue(*a, sort);
    const std::optional<double> right = SortValue(*b, sort);
    if (!left || !right) return left.has_value() && !right.has_value();
    return reverse ? *left < *right : *left > *right;
  };
  std::stable_sort(slices.begin(), slices.end(), before);
  return slices;
}

TopTable FormatTop(const mig::LiveSample& sample, const TopTextOptions& options) {
  TopTable table;
  std::vector<Row> rows;
  for (const LiveSlice* slice : SortedSlices(sample, options.sort, options.reverse)) {
    Row row = MakeRow(*slice);
    if (options.only_used && row.idle) {
      ++table.hidden_rows;
    } else {
      rows.push_back(std::move(row));
    }
  }
  const auto finish = [&](const std::string& line) { return options.ascii ? Ascii(line) : line; };
  table.notes = Notes(sample);
  for (std::string& note : table.notes) note = finish(note);
  const Layout layout = MakeLayout(rows, options.width);
  Cells heads;
  for (size_t column = 0; column < kColumnCount; ++column) heads[column] = kColumns[column].head;
  if (!sample.slices.empty()) {
    table.heading = Coloured(FormatRow(heads, "TOP PROCESS", layout, options.width), "1", options.colour);
  }
  for (const Row& row : rows) {
    const std::string line = finish(FormatRow(row.cells, row.top, layout, options.width));
    table.rows.push_back(Coloured(line,
                                  row.suspect ? "33"
                                  : row.idle  ? "2"
                                              : "0",
                                  options.colour && (row.suspect || row.idle)));
  }
  return table;
}

}  // namespace migprof::render
