// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/record/jit_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "libmigprof/base/clock.h"

namespace migprof::record {
namespace {

constexpr size_t kLongestName = 4096;
constexpr size_t kLongestLine = 64 * 1024;
constexpr uint64_t kShareOfTime = 20;

// Takes a hexadecimal number and one blank off the front of `*text`.
bool TakeNumber(std::string_view* text, uint64_t* number) {
  size_t length = 0;
  *number = 0;
  if (text->starts_with("0x")) text->remove_prefix(2);
  for (; length < text->size() && length <= 16; ++length) {
    const char c = (*text)[length];
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0) break;
    *number = *number << 4 | static_cast<uint64_t>(digit);
  }
  if (length == 0 || length > 16 || length == text->size() || (*text)[length] != ' ') return false;
  text->remove_prefix(length + 1);
  return true;
}

void TakeLine(std::string_view line, std::span<SymbolQuery* const> sorted) {
  uint64_t start = 0;
  uint64_t size = 0;
  if (!TakeNumber(&line, &start) || !TakeNumber(&line, &size) || line.empty()) return;
  auto query = std::lower_bound(sorted.begin(), sorted.end(), start,
                                [](const SymbolQuery* q, uint64_t value) { return q->address < value; });
  for (; query != sorted.end() && (*query)->address - start < size; ++query) {
    (*query)->name = line.substr(0, kLongestName);
    (*query)->offset = (*query)->address - start;
  }
}

void ReadLines(int descriptor, std::span<SymbolQuery* const> sorted) {
  std::vector<char> block(256 * 1024);
  size_t held = 0;
  for (uint64_t total = 0; total < JitMap::kMostBytes;) {
    const ssize_t got = read(descriptor, block.data() + held, block.size() - held);
    if (got <= 0) return;  // a line without its end is still being written
    total += static_cast<uint64_t>(got);
    held += static_cast<size_t>(got);
    std::string_view text(block.data(), held);
    for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      TakeLine(text.substr(0, end), sorted);
    }
    held = text.size();
    if (held > kLongestLine) held = 0;  // no line at all
    std::memmove(block.data(), text.data(), held);
  }
}

}  // namespace

int JitMap::OpenIfDue(bool is_new, bool forced) {
  if (!forced && MonotonicNs() < next_read_ns_) return -1;
  if (path_.empty()) path_ = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return -1;
  struct stat now {};
  if (fstat(descriptor, &now) == 0 && S_ISREG(now.st_mode) && now.st_uid == geteuid()) {
    const bool changed = now.st_size != last_.st_size || now.st_ino != last_.st_ino || now.st_dev != last_.st_dev ||
                         now.st_mtim.tv_sec != last_.st_mtim.tv_sec || now.st_mtim.tv_nsec != last_.st_mtim.tv_nsec;
    last_ = now;
    if (changed || is_new) return descriptor;
  }
  close(descriptor);
  return -1;
}

bool JitMap::Resolve(std::span<SymbolQuery> queries, bool is_new, bool forced) {
  if (queries.empty()) return false;
  const int descriptor = OpenIfDue(is_new, forced);
  if (descriptor < 0) return false;
  const uint64_t start_ns = MonotonicNs();
  std::vector<SymbolQuery*> sorted;
  for (SymbolQuery& query : queries) sorted.push_back(&query);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->address < b->address; });
  ReadLines(descriptor, sorted);
  close(descriptor);
  const uint64_t end_ns = MonotonicNs();
  next_read_ns_ = end_ns + kShareOfTime * (end_ns - start_ns);
  return true;
}

}  // namespace migprof::record
