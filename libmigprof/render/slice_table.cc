// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/slice_table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/render/clean_text.h"
#include "libmigprof/render/headline.h"
#include "libmigprof/render/human_units.h"
#include "libmigprof/render/recorder_cost.h"
#include "libmigprof/render/slice_findings.h"

namespace migprof::render {
namespace {

using analyze::SliceProfile;

struct Column {
  const char* group;  // over one or more columns, or nullptr
  const char* head;
  bool is_number;         // right-aligned, never cut
  size_t least_width;     // of columns that may be cut
  bool is_extra = false;  // left out where nothing is known of it, or the line would be too long
};

constexpr std::array kColumns = {
    Column{nullptr, "HOST", false, 6},          Column{nullptr, "GPU", false, 10},
    Column{nullptr, "SLICE GI/CI", false, 11},  Column{nullptr, "SMs", true, 0},
    Column{nullptr, "PROCS", true, 0},          Column{nullptr, "BUSY", true, 0},
    Column{nullptr, "SM %", true, 0, true},     Column{"KERNELS", "COUNT", true, 0},
    Column{"KERNELS", "TIME", true, 0},         Column{"COPIES", "COUNT", true, 0},
    Column{"COPIES", "TIME", true, 0},          Column{"COPIES", "BYTES", true, 0},
    Column{nullptr, "PEAK MEM", true, 0, true}, Column{nullptr, "WINDOW", true, 0},
    Column{nullptr, "HEALTH", false, 6},
};
constexpr size_t kColumnCount = kColumns.size();
constexpr size_t kSmColumn = 6;
static_assert(std::string_view(kColumns[kSmColumn].head) == "SM %");
constexpr size_t kGap = 2;
using Row = std::array<std::string, kColumnCount>;
using Widths = std::array<size_t, kColumnCount>;

// For terminals that know ASCII only: every other character becomes a question mark.
std::string ForTerminal(const std::string& text, bool ascii) {
  std::string clean = CleanText(text);
  if (!ascii) return clean;
  std::string plain;
  for (const char c : clean) {
    const uint8_t byte = static_cast<uint8_t>(c);
    if (byte < 0x80) plain += c;
    if (byte >= 0xC0) plain += '?';
  }
  return plain;
}

// "H100 80GB HBM3", and "H100 80GB HBM3 1a2b3c4d" where the host has several of that name: what tells boards apart,
// without what all of them share.
std::string ShortGpu(const SliceProfile& slice, const analyze::Profile& profile, bool mark_simulated) {
  constexpr std::string_view kVendor = "NVIDIA ";
  constexpr std::string_view kPrefix = "GPU-";
  constexpr size_t kUuidDigits = 8;
  const mig::SliceIdentity& identity = slice.identity;
  std::string name = identity.gpu_name.empty() ? "GPU" : identity.gpu_name;
  if (name.starts_with(kVendor)) name.erase(0, kVendor.size());
  const bool has_twin = std::any_of(profile.slices.begin(), profile.slices.end(), [&](const SliceProfile& other) {
    return other.host == slice.host && other.identity.gpu_name == identity.gpu_name &&
           other.identity.gpu_uuid != identity.gpu_uuid;
  });
  if (has_twin) {
    std::string uuid = identity.gpu_uuid;
    if (uuid.starts_with(kPrefix)) uuid.erase(0, kPrefix.size());
    name += ' ' + uuid.substr(0, kUuidDigits);
  }
  return mark_simulated ? name + " [sim]" : name;
}

std::string ShortSlice(const SliceProfile& slice) {
  const mig::SliceIdentity& identity = slice.identity;
  const std::string distinction = slice.distinction.empty() ? "" : ", " + slice.distinction;
  if (!identity.is_mig()) return "whole GPU" + distinction;
  const auto id = [](const std::optional<uint32_t>& value) {
    return value.has_value() ? std::to_string(*value) : std::string("?");
  };
  const std::string profile = identity.profile.empty() ? "MIG" : identity.profile;
  return profile + ' ' + id(identity.gpu_instance_id) + '/' + id(identity.compute_instance_id) + distinction;
}

bool LostSomething(const SliceProfile& slice) { return analyze::HasLoss(slice.health) || KilledProcesses(slice) != 0; }

Row MakeRow(const SliceProfile& slice, const analyze::Profile& profile, bool mark_simulated, bool ascii) {
  const mig::SliceIdentity& identity = slice.identity;
  const std::string none = ascii ? "-" : "–";
  Row row = {
      slice.host,
      ShortGpu(slice, profile, mark_simulated),
      ShortSlice(slice),
      identity.sm_count == 0 ? none : std::to_string(identity.sm_count),
      std::to_string(slice.processes.size()),
      Percent(slice.busy_ns, slice.recorded_ns(), ascii),
      SmFill(slice) ? Percent(slice.metrics.sm_weighted_ns, slice.recorded_ns(), ascii) : none,
      ShortCount(slice.kernels.count),
      HumanTime(slice.kernels.total_ns, ascii),
      ShortCount(slice.memcpys.count),
      HumanTime(slice.memcpys.total_ns, ascii),
      HumanBytes(slice.memcpys.bytes),
      slice.metrics.memory.peak_bytes != 0 ? HumanBytes(slice.metrics.memory.peak_bytes) : none,
      HumanTime(slice.window_ns, ascii),
      LostSomething(slice) ? "LOSS" : "ok",
  };
  for (std::string& cell : row) {
    if (!(ascii && cell == none)) cell = ForTerminal(cell, ascii);
  }
  return row;
}

// Of a line: a column of width 0 is not there.
size_t TotalWidth(const Widths& widths) {
  size_t total = 0;
  for (const size_t width : widths) total += width == 0 ? 0 : width + kGap;
  return total - kGap;
}

// Leaves out the extra columns of which nothing is known, and, the last first, those that would cut names shorter than
// people can tell them apart.
void LeaveOutExtras(const std::vector<Row>& rows, size_t available, const std::string& none, Widths* widths) {
  constexpr size_t kEnoughOfAName = 24;
  size_t total = TotalWidth(*widths);
  for (size_t i = 0; i < kColumnCount; ++i) {
    if (!kColumns[i].is_number) total -= (*widths)[i] - std::min((*widths)[i], kEnoughOfAName);
  }
  for (size_t i = kColumnCount; i-- > 0;) {
    if (!kColumns[i].is_extra) continue;
    const bool is_empty = std::all_of(rows.begin(), rows.end(), [&](const Row& row) { return row[i] == none; });
    if (!is_empty && total <= available) continue;
    total -= (*widths)[i] + kGap;
    (*widths)[i] = 0;
  }
}

Widths FitWidths(const std::vector<Row>& rows, size_t available, const std::string& none) {
  Widths widths;
  for (size_t column = 0; column < kColumnCount; ++column) {
    widths[column] = DisplayCells(kColumns[column].head);
    for (const Row& row : rows) {
      widths[column] = std::max(widths[column], DisplayCells(row[column]));
    }
  }
  LeaveOutExtras(rows, available, none, &widths);
  // One cell at a time from the widest that may be cut, so that all of them stay readable.
  for (size_t total = TotalWidth(widths); total > available; --total) {
    size_t widest = kColumnCount;
    for (size_t column = 0; column < kColumnCount; ++column) {
      if (kColumns[column].is_number || widths[column] <= kColumns[column].least_width) continue;
      if (widest == kColumnCount || widths[column] > widths[widest]) widest = column;
    }
    if (widest == kColumnCount) break;
    --widths[widest];
  }
  return widths;
}

void AppendSpaces(size_t count, std::string* line) { line->append(count, ' '); }

void WriteLine(std::string line, std::ostream& out) {
  while (!line.empty() && line.back() == ' ') line.pop_back();
  out << line << '\n';
}

// The line above the heads: each group's name in the middle of a rule over its columns.
void WriteGroups(const Widths& widths, bool ascii, std::ostream& out) {
  const std::string dash = ascii ? "-" : "─";
  std::string line;
  for (size_t column = 0; column < kColumnCount;) {
    if (widths[column] == 0) {
      ++column;
      continue;
    }
    if (column != 0) AppendSpaces(kGap, &line);
    const std::string_view group = kColumns[column].group ? kColumns[column].group : "";
    size_t width = widths[column++];
    while (!group.empty() && column < kColumnCount && kColumns[column].group != nullptr &&
           kColumns[column].group == group) {
      width += kGap + widths[column++];
    }
    if (group.empty()) {
      AppendSpaces(width, &line);
      continue;
    }
    const size_t dashes = width - std::min(width, group.size() + 2);
    for (size_t i = 0; i < dashes / 2; ++i) line += dash;
    line.append(" ").append(group).append(" ");
    for (size_t i = dashes / 2; i < dashes; ++i) line += dash;
  }
  WriteLine(std::move(line), out);
}

void WriteRow(const Row& row, const Widths& widths, bool ascii, std::ostream& out) {
  std::string line;
  for (size_t column = 0; column < kColumnCount; ++column) {
    if (widths[column] == 0) continue;
    if (column != 0) AppendSpaces(kGap, &line);
    const std::string cell = CutMiddle(row[column], widths[column], ascii ? "~" : "…");
    const size_t padding = widths[column] - std::min(widths[column], DisplayCells(cell));
    if (kColumns[column].is_number) AppendSpaces(padding, &line);
    line += cell;
    if (!kColumns[column].is_number) AppendSpaces(padding, &line);
  }
  WriteLine(std::move(line), out);
}

std::string AsciiSeparators(std::string text) {
  const std::string dot = " · ";
  for (size_t at = text.find(dot); at != std::string::npos; at = text.find(dot, at)) {
    text.replace(at, dot.size(), ", ");
  }
  return text;
}

}  // namespace

void WriteSliceTable(const analyze::Profile& profile, const SliceTableOptions& options, std::ostream& out) {
  const bool ascii = options.ascii;
  const auto simulated = static_cast<size_t>(
      std::count_if(profile.slices.begin(), profile.slices.end(), [](const SliceProfile& s) { return s.simulated; }));
  const bool is_mixed = simulated != 0 && simulated != profile.slices.size();
  if (is_mixed) {
    out << "SIMULATED GPU: no hardware ran the slices marked [sim]; their numbers come from migprof's simulator.\n";
  } else if (profile.simulated || simulated != 0) {
    out << "SIMULATED GPU: no hardware ran this; the numbers come from migprof's simulator.\n";
  }
  if (profile.slices.empty()) {
    out << "No GPU activity was recorded, so there is no slice to show. Did the program use the GPU, "
           "and was it\nstarted with `migprof run`? MIGPROF_LOG=debug says more.\n";
    return;
  }
  std::vector<Row> rows;
  for (const SliceProfile& slice : profile.slices) {
    rows.push_back(MakeRow(slice, profile, is_mixed && slice.simulated, ascii));
  }
  const Widths widths = FitWidths(rows, options.width, ascii ? "-" : "–");
  Row heads;
  for (size_t i = 0; i < kColumnCount; ++i) heads[i] = kColumns[i].head;
  WriteGroups(widths, ascii, out);
  WriteRow(heads, widths, ascii, out);
  for (const Row& row : rows) WriteRow(row, widths, ascii, out);
  std::vector<const SliceProfile*> slices;
  for (const SliceProfile& slice : profile.slices) slices.push_back(&slice);
  analyze::Totals graphs;
  for (const SliceProfile* slice : slices) {
    graphs.count += slice->graph_runs.count;
    graphs.total_ns += slice->graph_runs.total_ns;
  }
  if (graphs.count != 0) {
    out << "graphs recorded as a whole, not in KERNELS: " << ShortCount(graphs.count) << " ("
        << HumanTime(graphs.total_ns, ascii) << ")\n";
  }
  if (widths[kSmColumn] != 0 &&
      std::any_of(slices.begin(), slices.end(), [](const auto* s) { return KernelsRanSideBySide(*s); })) {
    out << "SM % above 100: kernels ran side by side, and what each keeps busy adds up\n";
  }
  const std::string cost = DescribeRecorderCost(SumRecorderCost(slices), ascii);
  if (!cost.empty()) out << "recording itself took " << cost << '\n';
  for (size_t i = 0; i < rows.size(); ++i) {
    const SliceProfile& slice = profile.slices[i];
    if (slice.not_recorded_ns == 0) continue;
    out << rows[i][0] << " / " << rows[i][1] << " / " << rows[i][2] << ": "
        << (slice.health.rotated_files != 0 ? "recording was stopped, or what was recorded deleted, for "
                                            : "recording was stopped for ")
        << HumanTime(slice.not_recorded_ns, ascii) << " of the window, which BUSY leaves out\n";
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const SliceProfile& slice = profile.slices[i];
    if (slice.health.rotated_files == 0 || LostSomething(slice)) continue;
    out << rows[i][0] << " / " << rows[i][1] << " / " << rows[i][2] << ": " << DescribeRotated(slice.health)
        << ", as was asked for\n";
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const SliceProfile& slice = profile.slices[i];
    if (!LostSomething(slice)) continue;
    const std::string health = DescribeHealth(slice.health, KilledProcesses(slice));
    out << (ascii ? "! " : "⚠ ") << rows[i][0] << " / " << rows[i][1] << " / " << rows[i][2] << ": "
        << (ascii ? AsciiSeparators(health) : health) << '\n';
  }
}

}  // namespace migprof::render
