// SPDX-License-Identifier: Apache-2.0
// What the process that reads debug information answers, which may have been taken over by the file it reads; and where
// such files are looked for.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libmigprof/analyze/debug_files.h"
#include "libmigprof/analyze/line_protocol.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace migprof::analyze;
using Answers = std::vector<std::pair<uint64_t, SourceChain>>;

std::string Read(std::string_view text, Answers* answers) {
  return ReadLines({text.data(), text.size()}, [answers](uint64_t address, SourceChain chain) {
    Check(!chain.empty() && chain.size() <= 512, "a chain has frames, and not any number");
    answers->emplace_back(address, std::move(chain));
  });
}

std::string Written(const std::string& file, const Answers& answers) {
  static const int kDescriptor = memfd_create("lines", MFD_CLOEXEC);
  Check(ftruncate(kDescriptor, 0) == 0 && lseek(kDescriptor, 0, SEEK_SET) == 0, "a file in memory can be emptied");
  {
    LineWriter writer(kDescriptor);
    writer.File(file);
    for (const auto& [address, chain] : answers) writer.Chain(address, chain);
  }
  std::string text(static_cast<size_t>(std::max<off_t>(lseek(kDescriptor, 0, SEEK_END), 0)), '\0');
  Check(pread(kDescriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()), "and read");
  return text;
}

bool IsSame(const SourceFrame& a, const SourceFrame& b) {
  return a.function == b.function && a.file == b.file && a.line == b.line && a.definition_file == b.definition_file &&
         a.definition_line == b.definition_line;
}

bool IsSame(const Answers& a, const Answers& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.first == other.first &&
           std::equal(one.second.begin(), one.second.end(), other.second.begin(), other.second.end(),
                      [](const SourceFrame& x, const SourceFrame& y) { return IsSame(x, y); });
  });
}

void UseProtocol(std::string_view text) {
  Answers first;
  const std::string file = Read(text, &first);
  // The writer takes away what would not be one line; after that nothing changes any more.
  const std::string written = Written(file, first);
  Answers second;
  const std::string second_file = Read(written, &second);
  Check(second.size() == first.size(), "every chain that was understood can be written and understood again");
  const std::string again = Written(second_file, second);
  Check(again == written, "what the writer wrote is written alike");
  Answers third;
  Check(Read(again, &third) == second_file && IsSame(second, third), "and read alike");
}

void UseCandidates(FuzzInput input) {
  const std::string build_id(input.ShortText());
  const std::string folder = "/nonexistent/" + std::string(input.ShortText());
  const std::string path(input.Rest());
  const std::vector<std::string> files = DebugFiles({folder}).Candidates(build_id, path);
  Check(std::set(files.begin(), files.end()).size() == files.size(), "no file is named twice");
  const bool is_build_id = build_id.size() >= 4 && build_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  Check(is_build_id || files.empty(), "what is no build id has no files");
  if (!is_build_id) return;
  Check(std::find(files.begin(), files.end(), path) != files.end(), "the module itself may have its lines");
  Check(files.front() == folder + "/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug",
        "the given folder comes first");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  UseProtocol({reinterpret_cast<const char*>(data), size});
  UseCandidates({data, size});
  return 0;
}
