// SPDX-License-Identifier: Apache-2.0
#include "base/call_counts.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/complain.h"

namespace simgpu {
namespace {

struct Counts {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, uint64_t> calls;  // by function and thread
};

Counts& All() {
  static auto* const counts = new Counts;  // for the life of the process
  return *counts;
}

const char* Path() {
  static const char* const path = std::getenv("SIMGPU_CALL_COUNTS");
  return path;
}

// Threads that still call are left alone, and not counted any more.
__attribute__((destructor)) void Write() {
  if (!CountsCalls()) return;
  std::string text;
  const std::lock_guard lock(All().mutex);
  for (const auto& [key, count] : All().calls) {
    text += "{\"function\":\"" + key.first + "\",\"thread\":\"" + key.second + "\",\"calls\":" + std::to_string(count) +
            "}\n";
  }
  const int file = open(Path(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    Complain("SIMGPU_CALL_COUNTS: %s cannot be written", Path());
  }
  if (file >= 0) close(file);
}

}  // namespace

bool CountsCalls() { return Path() != nullptr; }

void CountCall(const char* function, const char* thread) {
  const std::lock_guard lock(All().mutex);
  ++All().calls[{function, thread}];
}

}  // namespace simgpu
