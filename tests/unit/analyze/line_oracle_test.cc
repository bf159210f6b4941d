// SPDX-License-Identifier: Apache-2.0
// A real program, compared address by address with what other tools say of it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "libmigprof/analyze/build_id.h"
#include "libmigprof/analyze/line_table.h"

namespace migprof::analyze {
namespace {

std::vector<std::string> LinesOf(const std::string& command) {
  std::vector<std::string> lines;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return lines;
  char* line = nullptr;
  size_t size = 0;
  for (ssize_t length; (length = getline(&line, &size, pipe)) > 0;) lines.emplace_back(line, length - 1);
  std::free(line);
  pclose(pipe);
  return lines;
}

bool IsInstalled(const std::string& tool) {
  return std::system(("command -v " + tool + " >/dev/null 2>&1").c_str()) == 0;
}

// "/some/file.cc:12:3 (discriminator 4)" -> "file.cc:12"
std::string FileAndLine(const std::string& text) {
  const std::string file = text.substr(text.rfind('/') + 1);
  const std::vector<std::string> parts = absl::StrSplit(file.substr(0, file.find(' ')), ':');
  return parts.size() < 2 ? file : parts[0] + ":" + parts[1];
}

// Addresses all over the functions of a program, sorted.
std::vector<uint64_t> RandomAddresses(const std::string& path, size_t count) {
  std::vector<std::pair<uint64_t, uint64_t>> functions;
  for (const std::string& line : LinesOf("nm -S --defined-only '" + path + "'")) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    uint64_t start = 0;
    uint64_t size = 0;
    if (fields.size() == 4 && absl::StrContains("tTwW", fields[2]) && absl::SimpleHexAtoi(fields[0], &start) &&
        absl::SimpleHexAtoi(fields[1], &size) && size > 0) {
      functions.emplace_back(start, size);
    }
  }
  std::vector<uint64_t> addresses;
  std::mt19937_64 random(11);
  while (!functions.empty() && addresses.size() < count) {
    const auto& [start, size] = functions[random() % functions.size()];
    addresses.push_back(start + random() % size);
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

TEST(LineOracle, RandomAddressesOfARealProgram_AgreeWithOtherTools) {
  if (!LineTable::IsAvailable()) GTEST_SKIP() << "built without libdw";
  const std::string program = MIGPROF_ORACLE_BINARY;
  const bool is_llvm = IsInstalled("llvm-symbolizer");
  if (!is_llvm && !IsInstalled("addr2line")) GTEST_SKIP() << "neither llvm-symbolizer nor addr2line is installed";
  const std::vector<uint64_t> addresses = RandomAddresses(program, 600);
  ASSERT_GT(addresses.size(), 400u);

  const int descriptor = OpenRegularFile(program);
  const std::string build_id = ReadBuildId(descriptor);
  close(descriptor);
  LineTable table({.debug_folders = {}, .debuginfod = false});
  const auto chains = table.Find(build_id, program, addresses);

  const std::string list = testing::TempDir() + "/line_oracle_" + std::to_string(getpid());
  {
    std::ofstream out(list);
    for (const uint64_t address : addresses) out << "0x" << std::hex << address << "\n";
  }
  const std::string tool = is_llvm ? "llvm-symbolizer -i -a --functions=none --obj='" : "addr2line -i -a -e '";
  std::vector<std::vector<std::string>> theirs;
  for (const std::string& line : LinesOf(tool + program + "' <" + list)) {
    if (absl::StartsWith(line, "0x")) {
      theirs.emplace_back();
    } else if (!line.empty() && !theirs.empty()) {
      theirs.back().push_back(FileAndLine(line));
    }
  }
  std::remove(list.c_str());
  ASSERT_EQ(theirs.size(), addresses.size());

  int compared = 0;
  int equal = 0;
  for (size_t i = 0; i < addresses.size(); ++i) {
    // Both write 0 or a question mark where they know the file only.
    const bool unknown = absl::StartsWith(theirs[i][0], "??") || absl::EndsWith(theirs[i].front(), ":0") ||
                         absl::EndsWith(theirs[i].front(), ":?");
    if (unknown) continue;
    ++compared;
    std::vector<std::string> ours;
    if (chains[i] != nullptr) {
      for (const SourceFrame& frame : *chains[i]) {
        ours.push_back(FileAndLine(frame.file) + ":" + std::to_string(frame.line));
      }
    }
    std::reverse(ours.begin(), ours.end());
    equal += ours == theirs[i];
    if (ours != theirs[i]) {
      std::printf("0x%lx: %s, but they say %s\n", static_cast<unsigned long>(addresses[i]),
                  ours.empty() ? "nothing" : ours[0].c_str(), theirs[i][0].c_str());
    }
  }
  std::printf("%d of %d addresses agree with %s\n", equal, compared, is_llvm ? "llvm-symbolizer" : "addr2line");
  EXPECT_GT(compared, 200);
  // addr2line names the wrong file for one address in sixty.
  EXPECT_GE(equal, compared * (is_llvm ? 99 : 95) / 100);
}

}  // namespace
}  // namespace migprof::analyze
