// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/figures.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace migprof::bench {

void Figures::Print() const {
  for (const Row& row : rows_) std::printf("figure %s %.4g %s\n", row.name.c_str(), row.value, row.unit.c_str());
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string BuiltFile(const std::string& relative) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / relative).string();
}

}  // namespace migprof::bench
