// SPDX-License-Identifier: Apache-2.0
// The environment: one entry per line.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "libmigprof/base/options.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using migprof::Options;

size_t g_complaints;

Options Read(const std::vector<std::string>& entries) {
  std::vector<const char*> environment;
  for (const std::string& entry : entries) environment.push_back(entry.c_str());
  environment.push_back(nullptr);
  g_complaints = 0;
  return migprof::ReadOptions(environment.data(), [](const char* sentence) {
    Check(*sentence != '\0' && std::strlen(sentence) < 400, "a complaint is a sentence");
    ++g_complaints;
  });
}

bool IsSame(const Options& a, const Options& b) {
  const auto numbers = [](const Options& o) {
    return std::vector<uint32_t>{o.disabled,  o.start,       o.controlled,       o.stacks,
                                 o.python,    o.record_args, uint32_t(o.graphs), uint32_t(o.log),
                                 o.max_depth, o.ring_kb,     o.flush_ms,         o.exit_timeout_ms,
                                 o.buffer_kb, o.budget_ppm,  o.counters_ms,      o.check_stacks};
  };
  const auto texts = [](const Options& o) {
    return std::vector<std::string>{o.output.data(), o.cupti.data(), o.control.data()};
  };
  return numbers(a) == numbers(b) && texts(a) == texts(b);
}

template <size_t N>
bool Ends(const std::array<char, N>& text) {
  return std::memchr(text.data(), 0, N) != nullptr;
}

void CheckRanges(const Options& options) {
  const auto in = [](uint32_t value, uint32_t low, uint32_t high) { return value >= low && value <= high; };
  Check(in(options.max_depth, 32, 512), "MIGPROF_MAX_DEPTH keeps its range");
  Check(in(options.flush_ms, 50, 60000), "MIGPROF_FLUSH_MS keeps its range");
  Check(in(options.exit_timeout_ms, 0, 60000), "MIGPROF_EXIT_TIMEOUT_MS keeps its range");
  Check(in(options.ring_kb, 64, 65536) && in(options.buffer_kb, 64, 65536), "sizes keep their range");
  Check(options.budget_ppm == 0 || in(options.budget_ppm, 1000, 500000), "MIGPROF_BUDGET keeps its range");
  Check(options.counters_ms == 0 || in(options.counters_ms, 100, 60000), "MIGPROF_COUNTERS keeps its range");
  Check(in(options.check_stacks, 0, 1000000), "MIGPROF_CHECK_STACKS keeps its range");
  Check(Ends(options.output) && Ends(options.cupti) && Ends(options.control), "a path ends within its place");
  Check(options.output[0] != '\0', "there is a folder for traces");
  Check(options.control[0] == '\0' || options.control[0] == '/', "the folder of control files is absolute");
}

// What follows MIGPROF_, and what is no entry at all.
bool IsEntry(const std::string& text) { return text.starts_with("MIGPROF_") && text.find('=') != std::string::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> entries(1);
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      entries.emplace_back();
    } else if (data[i] != '\0') {
      entries.back() += static_cast<char>(data[i]);
    }
  }
  const Options defaults = Read({});
  Check(g_complaints == 0, "nobody complains about the defaults");
  const Options options = Read(entries);
  CheckRanges(options);
  Check(IsSame(options, Read(entries)), "an environment always means the same");
  if (entries.size() <= 64) {
    Options before = defaults;
    size_t complaints = 0;
    std::vector<std::string> so_far;
    for (const std::string& entry : entries) {
      so_far.push_back(entry);
      const Options now = Read(so_far);
      Check(g_complaints == complaints || g_complaints == complaints + 1, "one entry, at most one complaint");
      const bool refused = g_complaints > complaints;
      Check(!refused || IsEntry(entry), "what is not migprof's is nothing to complain about");
      if (refused || !IsEntry(entry)) Check(IsSame(now, before), "what is refused changes nothing");
      complaints = g_complaints;
      before = now;
    }
  }
  // Any text as the value of every option.
  const std::string value(entries.front().substr(0, 8000));
  for (const migprof::OptionSpec& spec : migprof::kOptionSpecs) {
    const Options read = Read({std::string(spec.name) + "=" + value});
    CheckRanges(read);
    if (g_complaints == 1) Check(IsSame(read, defaults), "what is refused changes nothing");
  }
  return 0;
}
