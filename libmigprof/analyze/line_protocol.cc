// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/line_protocol.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace migprof::analyze {
namespace {

constexpr size_t kLongestText = 16 * 1024;
constexpr size_t kDeepestChain = 512;
constexpr size_t kBufferBytes = 64 * 1024;

// Names come from a file nobody vouches for.
std::string Plain(const std::string& text) {
  std::string plain = text.substr(0, kLongestText);
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return plain;
}

bool ReadFrame(absl::string_view text, SourceFrame* frame) {
  const std::vector<absl::string_view> fields = absl::StrSplit(text, '\t');
  if (fields.size() != 5 || !absl::SimpleAtoi(fields[0], &frame->line) ||
      !absl::SimpleAtoi(fields[1], &frame->definition_line)) {
    return false;
  }
  frame->function = std::string(fields[2]);
  frame->file = std::string(fields[3]);
  frame->definition_file = std::string(fields[4]);
  return true;
}

}  // namespace

void LineWriter::File(const std::string& path) {
  absl::StrAppend(&buffer_, "u ", Plain(path), "\n");
  Flush();
}

void LineWriter::Chain(uint64_t address, const SourceChain& chain) {
  for (const SourceFrame& frame : chain) {
    absl::StrAppend(&buffer_, "f ", frame.line, "\t", frame.definition_line, "\t", Plain(frame.function), "\t",
                    Plain(frame.file));
    absl::StrAppend(&buffer_, "\t", Plain(frame.definition_file), "\n");
  }
  absl::StrAppend(&buffer_, "a ", absl::Hex(address), "\n");
  if (buffer_.size() >= kBufferBytes) Flush();
}

void LineWriter::Flush() {
  absl::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t written = write(descriptor_, left.data(), left.size());
    if (written <= 0) break;
    left.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

std::string ReadLines(absl::string_view text, const std::function<void(uint64_t address, SourceChain chain)>& found) {
  std::string file;
  SourceChain chain;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == absl::string_view::npos) break;  // cut off
    const absl::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.size() < 2 || line[1] != ' ') continue;
    const absl::string_view rest = line.substr(2);
    uint64_t address = 0;
    SourceFrame frame;
    if (line[0] == 'u') {
      file = std::string(rest);
    } else if (line[0] == 'f' && chain.size() < kDeepestChain && ReadFrame(rest, &frame)) {
      chain.push_back(std::move(frame));
    } else if (line[0] == 'a' && absl::SimpleHexAtoi(rest, &address) && !chain.empty()) {
      found(address, std::exchange(chain, {}));
    }
  }
  return file;
}

}  // namespace migprof::analyze
