// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/render/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace migprof::render {
namespace {

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// The first line in which they differ: whole files are too long to read in a test's output.
std::string FirstDifference(const std::string& expected, const std::string& actual) {
  std::istringstream expected_lines(expected);
  std::istringstream actual_lines(actual);
  std::string expected_line;
  std::string actual_line;
  for (int number = 1;; ++number) {
    const bool has_expected = static_cast<bool>(std::getline(expected_lines, expected_line));
    const bool has_actual = static_cast<bool>(std::getline(actual_lines, actual_line));
    if (!has_expected && !has_actual) return "the ends of their last lines";
    if (has_expected == has_actual && expected_line == actual_line) continue;
    return "line " + std::to_string(number) +
           "\nexpected: " + (has_expected ? expected_line.substr(0, 300) : "(none)") +
           "\nactual:   " + (has_actual ? actual_line.substr(0, 300) : "(none)");
  }
}

}  // namespace

void ExpectGolden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(MIGPROF_GOLDEN_DIR) + '/' + name;
  const std::string actual_path = path + ".actual";
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    Write(path, actual);
    std::remove(actual_path.c_str());
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream expected;
  expected << file.rdbuf();
  if (file && expected.str() == actual) {
    std::remove(actual_path.c_str());
    return;
  }
  Write(actual_path, actual);
  ADD_FAILURE() << path << " differs from " << actual_path << " at " << FirstDifference(expected.str(), actual)
                << "\nIf the new output is right: UPDATE_GOLDEN=1";
}

}  // namespace migprof::render
