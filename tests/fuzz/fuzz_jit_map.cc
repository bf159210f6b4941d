// SPDX-License-Identifier: Apache-2.0
// The file in which just-in-time compilers name their code, against a reader that keeps every line. The input: how many
// addresses are asked for, the addresses, then the file.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/record/jit_map.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/scratch.h"

namespace {

using migprof::record::JitMap;
using migprof::record::SymbolQuery;

struct Line {
  uint64_t start;
  uint64_t size;
  std::string name;
};

// "START SIZE NAME": both in 1 to 16 hexadecimal digits, perhaps after "0x", one blank after each.
std::optional<uint64_t> TakeHexadecimal(std::string_view* text) {
  if (text->starts_with("0x")) text->remove_prefix(2);
  const size_t blank = text->find(' ');
  if (blank == std::string_view::npos || blank == 0 || blank > 16) return std::nullopt;
  const std::string digits(text->substr(0, blank));
  if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return std::nullopt;
  text->remove_prefix(blank + 1);
  return std::stoull(digits, nullptr, 16);
}

std::vector<Line> ReadLines(std::string_view file) {
  std::vector<Line> lines;
  for (size_t end; (end = file.find('\n')) != std::string_view::npos; file.remove_prefix(end + 1)) {
    std::string_view line = file.substr(0, end);
    const auto start = TakeHexadecimal(&line);
    const auto size = start ? TakeHexadecimal(&line) : std::nullopt;
    if (size && !line.empty()) lines.push_back({*start, *size, std::string(line.substr(0, 4096))});
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 32 * 1024) return 0;  // longer lines than 64 KiB are cut by rules of their own, which a unit test has
  FuzzInput input(data, size);
  std::vector<SymbolQuery> queries(input.Byte() % 16);
  for (SymbolQuery& query : queries) query.address = input.Bool() ? input.Number<uint64_t>() : input.Number<uint16_t>();
  const std::string_view content = input.Rest();
  const std::string path = ScratchFolder() + "/perf.map";
  WriteScratch(path, content);
  JitMap map(path);
  Check(map.Resolve(queries, /*is_new=*/true, /*forced=*/true) == !queries.empty(),
        "the file is read when it is needed");
  const std::vector<Line> lines = ReadLines(content);
  for (const SymbolQuery& query : queries) {
    std::string name;
    uint64_t offset = 0;
    for (const Line& line : lines) {
      if (query.address < line.start || query.address - line.start >= line.size) continue;
      name = line.name;
      offset = query.address - line.start;
    }
    Check(query.name == name, "the last line that covers an address names it");
    Check(query.offset == offset, "and tells how far into the function it is");
  }
  Check(!map.Resolve(queries, /*is_new=*/false, /*forced=*/true), "an unchanged file is not read again");
  return 0;
}
