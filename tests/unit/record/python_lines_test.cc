// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/python_lines.h"

#include <glob.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace migprof::record {
namespace {

// The interpreters of this machine: on PATH, and pyenv's.
std::set<std::string> Interpreters() {
  std::vector<std::string> patterns;
  const auto variable = [](const char* name) { return std::string(std::getenv(name) != nullptr ? getenv(name) : ""); };
  std::istringstream folders(variable("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) patterns.push_back(folder + "/python3*[0-9]");
  patterns.push_back(variable("PYENV_ROOT") + "/versions/*/bin/python3");
  patterns.push_back(variable("HOME") + "/.pyenv/versions/*/bin/python3");
  std::set<std::string> found;
  for (const std::string& pattern : patterns) {
    glob_t matches{};
    if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
      for (size_t i = 0; i < matches.gl_pathc; ++i) found.insert(matches.gl_pathv[i]);
    }
    globfree(&matches);
  }
  return found;
}

// Prints, for every code object of a few modules: format, first line, the table in hexadecimal, and what the
// interpreter itself says about every instruction, "-" where there is no line.
constexpr char kScript[] = R"(
import dis, sys
version = sys.version_info[:2]
if sys.implementation.name != 'cpython' or version < (3, 8): sys.exit()
def lines(code):
    size = len(code.co_code)
    if version >= (3, 10):
        table = {}
        for start, end, line in code.co_lines():
            for i in range(start, end, 2): table[i] = line
        return [table.get(i) for i in range(0, size, 2)]
    starts = dict(dis.findlinestarts(code)); line = None; out = []
    for i in range(0, size, 2):
        line = starts.get(i, line); out.append(line)
    return out
def visit(code):
    table = code.co_linetable if version >= (3, 10) else code.co_lnotab
    kind = 1 if version < (3, 10) else 2 if version < (3, 11) else 3
    said = ['-' if line is None else str(line) for line in lines(code)]
    print(version[1], kind, code.co_firstlineno, table.hex() or '-', ','.join(said) or '-')
    for constant in code.co_consts:
        if hasattr(constant, 'co_code'): visit(constant)
import argparse, asyncio.base_events, json.decoder, threading, typing
for module in (argparse, asyncio.base_events, json.decoder, threading, typing, dis):
    visit(compile(open(module.__file__, encoding='utf-8').read(), module.__file__, 'exec'))
visit(compile('x = 1\n' + '\n' * 1000 + 'f(x,\n' + '\n' * 200 + 'x, (lambda: x))\n' + 'x = [x, 2, x * x]; ' * 300, 'far', 'exec'))
)";

std::vector<uint8_t> FromHexadecimal(const std::string& text) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(PythonLine, EqualsWhatEveryInterpreterHereSays) {
  const std::string script = testing::TempDir() + "/python_lines_test.py";
  std::ofstream(script) << kScript;
  std::set<std::string> versions;
  size_t instructions = 0;
  for (const std::string& interpreter : Interpreters()) {
    FILE* const pipe = popen(("'" + interpreter + "' -B " + script + " 2>/dev/null").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string output;
    char buffer[65536];
    for (size_t got; (got = fread(buffer, 1, sizeof(buffer), pipe)) != 0;) output.append(buffer, got);
    pclose(pipe);
    std::istringstream rows(output);
    std::string version, hexadecimal, said;
    int kind = 0, first_line = 0;
    while (rows >> version >> kind >> first_line >> hexadecimal >> said) {
      versions.insert(version);
      const std::vector<uint8_t> table = FromHexadecimal(hexadecimal);
      const PythonLines lines{
          .format = static_cast<LineTableFormat>(kind), .first_line = first_line, .is_cut = false, .table = table};
      std::istringstream each(said);
      std::string line;
      for (int32_t lasti = 0; std::getline(each, line, ','); lasti += 2, ++instructions) {
        ASSERT_EQ(PythonLine(lines, lasti), line == "-" ? 0u : std::stoul(line))
            << interpreter << " first line " << first_line << " at " << lasti;
      }
    }
  }
  if (versions.empty()) GTEST_SKIP() << "no CPython here";
  std::printf("%zu instructions of %zu versions\n", instructions, versions.size());
}

TEST(PythonLine, BeforeTheFirstInstruction_IsTheFirstLine) {
  const uint8_t table[] = {2, 5};
  EXPECT_EQ(PythonLine({LineTableFormat::kLineTable, 40, false, table}, -1), 40u);
  EXPECT_EQ(PythonLine({LineTableFormat::kLineTable, 40, false, table}, 0), 45u);
}

TEST(PythonLine, CutTable_LeavesLaterLinesUnknown) {
  const uint8_t pairs[] = {4, 1, 4, 1};
  EXPECT_EQ(PythonLine({LineTableFormat::kLineNumberTable, 10, false, pairs}, 100), 12u);
  EXPECT_EQ(PythonLine({LineTableFormat::kLineNumberTable, 10, true, pairs}, 100), 0u);
  EXPECT_EQ(PythonLine({LineTableFormat::kLineNumberTable, 10, true, pairs}, 5), 11u);
  EXPECT_EQ(PythonLine({LineTableFormat::kLineTable, 10, true, pairs}, 100), 0u);
  const uint8_t location[] = {0x80 | 14 << 3};  // a long entry whose numbers are missing
  EXPECT_EQ(PythonLine({LineTableFormat::kLocationTable, 10, true, location}, 100), 0u);
}

TEST(PythonLine, LinesBeyondAnyProgram_AreUnknown) {
  std::vector<uint8_t> table;
  for (int i = 0; i < 64; ++i) {  // each goes on by 2 to the power of 58; in 64 bits the sum would be 0
    table.push_back(0x80 | 13 << 3);
    table.insert(table.end(), 9, 0x40);
    table.push_back(0x20);
  }
  table.insert(table.end(), {0x80, 0});
  for (const int32_t lasti : {0, 2, 126, 128}) {
    EXPECT_EQ(PythonLine({LineTableFormat::kLocationTable, 10, false, table}, lasti), 0u) << lasti;
  }
}

TEST(PythonLine, RandomBytes_DoNoHarm) {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    // On the heap and of the exact size, so that AddressSanitizer sees a read past the end.
    std::vector<uint8_t> table(random() % 40);
    for (uint8_t& byte : table) byte = static_cast<uint8_t>(random());
    for (const LineTableFormat format :
         {LineTableFormat::kLineNumberTable, LineTableFormat::kLineTable, LineTableFormat::kLocationTable}) {
      PythonLine({format, static_cast<int32_t>(random()), false, table}, static_cast<int32_t>(random() % 300));
    }
  }
}

}  // namespace
}  // namespace migprof::record
