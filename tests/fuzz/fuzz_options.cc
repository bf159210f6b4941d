// SPDX-License-Identifier: Apache-2.0
// The environment: one entry per line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "libmigprof/base/options.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> entries(1);
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      entries.emplace_back();
    } else if (data[i] != '\0') {
      entries.back() += static_cast<char>(data[i]);
    }
  }
  std::vector<const char*> environment;
  for (const std::string& entry : entries) environment.push_back(entry.c_str());
  environment.push_back(nullptr);
  const migprof::Options options = migprof::ReadOptions(environment.data(), [](const char*) {});
  if (options.max_depth < 1 || options.max_depth > 512) std::abort();
  if (options.ring_kb < 64 || options.flush_ms < 50) std::abort();
  return 0;
}
