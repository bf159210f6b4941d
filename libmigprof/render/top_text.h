// SPDX-License-Identifier: Apache-2.0
// What the slices of a host do at a moment, as a table for a terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/mig/live_sample.h"

namespace migprof::render {

enum class TopSort { kSlice, kSm, kOccupancy, kTensor, kDram, kMemory, kProcesses };

struct TopSortInfo {
  TopSort sort;
  char key;          // in the terminal
  const char* name;  // on the command line
};

inline constexpr TopSortInfo kTopSorts[] = {
    {TopSort::kSlice, 'n', "slice"},         {TopSort::kSm, 'u', "sm"},     {TopSort::kOccupancy, 'o', "occupancy"},
    {TopSort::kTensor, 't', "tensor"},       {TopSort::kDram, 'd', "dram"}, {TopSort::kMemory, 'm', "memory"},
    {TopSort::kProcesses, 'p', "processes"},
};
std::optional<TopSort> FindTopSort(std::string_view name);

struct TopTextOptions {
  size_t width = 100;  // cells. Columns that do not fit are left out, the least important first
  TopSort sort = TopSort::kSlice;
  bool reverse = false;
  bool only_used = false;  // leave out slices without processes
  bool ascii = false;
  bool colour = false;
};

// The table's lines, without line ends: what has to be said of the host and its GPUs, a heading, a row per slice.
struct TopTable {
  std::vector<std::string> notes;
  std::string heading;
  std::vector<std::string> rows;
  size_t hidden_rows = 0;  // by `only_used`
};
TopTable FormatTop(const mig::LiveSample& sample, const TopTextOptions& options);

// By `sort`, most first (kSlice: as they lie on the GPUs); what is not known comes last. Stable.
std::vector<const mig::LiveSlice*> SortedSlices(const mig::LiveSample& sample, TopSort sort, bool reverse);

}  // namespace migprof::render
