// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/base/options.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace migprof {
namespace {

bool ParseNumber(const char* text, uint32_t low, uint32_t high, uint32_t* out) {
  char* end = nullptr;
  errno = 0;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < low || value > high) return false;
  *out = static_cast<uint32_t>(value);
  return true;
}

bool ParseSwitch(const char* text, bool* out) {
  if (std::strcmp(text, "1") == 0 || std::strcmp(text, "on") == 0) return *out = true;
  if (std::strcmp(text, "0") == 0 || std::strcmp(text, "off") == 0) return *out = false, true;
  return false;
}

template <size_t N>
bool ParsePath(const char* text, std::array<char, N>* out) {
  const size_t length = std::strlen(text);
  if (length >= N) return false;
  std::memcpy(out->data(), text, length + 1);
  return true;
}

bool ParseLog(const char* text, Options* options) {
  if (std::strcmp(text, "quiet") == 0) return options->log = LogLevel::kQuiet, true;
  if (std::strcmp(text, "normal") == 0) return options->log = LogLevel::kNormal, true;
  if (std::strcmp(text, "debug") == 0) return options->log = LogLevel::kDebug, true;
  return false;
}

bool ParseGraphs(const char* text, Options* options) {
  if (std::strcmp(text, "node") == 0) return options->graphs = GraphDetail::kNode, true;
  if (std::strcmp(text, "graph") == 0) return options->graphs = GraphDetail::kGraph, true;
  if (std::strcmp(text, "off") == 0) return options->graphs = GraphDetail::kOff, true;
  return false;
}

// "off", or a percentage with at most one digit after the point. By hand: strtod would obey the application's locale.
bool ParseBudget(const char* text, Options* options) {
  if (std::strcmp(text, "off") == 0) return options->budget_ppm = 0, true;
  uint32_t tenths = 0;
  const char* at = text;
  for (; *at >= '0' && *at <= '9' && at - text < 3; ++at) tenths = tenths * 10 + (*at - '0');
  if (at == text) return false;
  tenths *= 10;
  if (*at == '.') {
    if (at[1] < '0' || at[1] > '9') return false;
    tenths += at[1] - '0';
    at += 2;
  }
  if (*at == '%') ++at;
  if (*at != '\0' || tenths < 1 || tenths > 500) return false;
  return options->budget_ppm = tenths * 1000, true;
}

// "off", a folder, or nothing for the default one.
bool ParseControl(const char* text, Options* options) {
  const bool is_off = std::strcmp(text, "off") == 0;
  if (!is_off && ((*text != '\0' && *text != '/') || !ParsePath(text, &options->control))) return false;
  options->controlled = !is_off;
  return true;
}

bool ParseCounters(const char* text, Options* options) {
  if (std::strcmp(text, "off") == 0) return options->counters_ms = 0, true;
  return ParseNumber(text, 100, 60000, &options->counters_ms);
}

// Digits, no more than `most` of them. Returns what comes after; null when there are none or too many.
const char* ParseDigits(const char* text, int most, uint64_t* out) {
  const char* at = text;
  for (*out = 0; *at >= '0' && *at <= '9' && at - text <= most; ++at) *out = *out * 10 + (*at - '0');
  return at == text || at - text > most ? nullptr : at;
}

// Bytes, with K, M, G or T for powers of 1024.
bool ParseBytes(const char* text, uint64_t low, uint64_t high, uint64_t* out) {
  constexpr char kUnits[] = "KMGT";
  uint64_t bytes = 0;
  const char* const unit = ParseDigits(text, 15, &bytes);
  if (unit == nullptr) return false;
  if (*unit != '\0') {
    const char* const known = std::strchr(kUnits, *unit);
    if (known == nullptr || unit[1] != '\0') return false;
    const int shift = 10 * static_cast<int>(known - kUnits + 1);
    if (bytes > UINT64_MAX >> shift) return false;
    bytes <<= shift;
  }
  if (bytes < low || bytes > high) return false;
  return *out = bytes, true;
}

// "off", or bytes.
bool ParseMaxBytes(const char* text, Options* options) {
  if (std::strcmp(text, "off") == 0) return options->max_bytes = 0, true;
  return ParseBytes(text, uint64_t{1} << 20, uint64_t{1} << 50, &options->max_bytes);
}

// "off", or a time, with ms, s, m or h.
bool ParseWindow(const char* text, Options* options) {
  if (std::strcmp(text, "off") == 0) return options->window_ms = 0, true;
  struct Unit {
    const char* name;
    uint64_t milliseconds;
  };
  uint64_t count = 0;
  const char* const unit = ParseDigits(text, 9, &count);
  if (unit == nullptr) return false;
  for (const auto& [name, milliseconds] : {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}}) {
    if (std::strcmp(unit, name) != 0) continue;
    const uint64_t window_ms = count * milliseconds;
    if (window_ms < 500 || window_ms > 24 * 3'600'000) return false;
    return options->window_ms = static_cast<uint32_t>(window_ms), true;
  }
  return false;
}

const OptionSpec* FindSpec(const char* name, size_t length) {
  for (const OptionSpec& spec : kOptionSpecs) {
    if (std::strlen(spec.name) == length && std::memcmp(spec.name, name, length) == 0) return &spec;
  }
  return nullptr;
}

void Complain(OptionComplaint complain, const char* format, ...) __attribute__((format(printf, 2, 3)));
void Complain(OptionComplaint complain, const char* format, ...) {
  if (complain == nullptr) return;
  char sentence[400];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(sentence, sizeof(sentence), format, arguments);
  va_end(arguments);
  complain(sentence);
}

}  // namespace

const std::array<OptionSpec, 23> kOptionSpecs = {{
    {"MIGPROF_OUTPUT", "migprof-traces", "a folder", "where trace files are written; created if missing",
     [](const char* text, Options* o) { return *text != '\0' && ParsePath(text, &o->output); }},
    {"MIGPROF_DISABLE", "off", "on, off", "do nothing at all in this process and its children",
     [](const char* text, Options* o) { return ParseSwitch(text, &o->disabled); }},
    {"MIGPROF_START", "on", "on, off", "begin recording at once; off waits for migprof_start or `migprof start PID`",
     [](const char* text, Options* o) { return ParseSwitch(text, &o->start); }},
    {"MIGPROF_CONTROL", "", "a folder, off",
     "where `migprof start`, `stop` and `flush` leave what the process is to do; absolute; empty: /tmp/migprof-UID",
     ParseControl},
    {"MIGPROF_STACKS", "on", "on, off", "record the host stack of every CUDA call that gives the GPU work",
     [](const char* text, Options* o) { return ParseSwitch(text, &o->stacks); }},
    {"MIGPROF_PYTHON", "on", "on, off",
     "record the Python frames of these stacks, where the interpreter is a known CPython",
     [](const char* text, Options* o) { return ParseSwitch(text, &o->python); }},
    {"MIGPROF_GRAPHS", "node", "node, graph, off",
     "CUDA graphs: each kernel below the code that captured or added its node; one duration per launch; or kernels "
     "under the launch",
     ParseGraphs},
    {"MIGPROF_MAX_DEPTH", "256", "32 to 512",
     "native frames kept per stack, a dozen of CUDA's own among them; deeper stacks lose their outermost frames",
     [](const char* text, Options* o) { return ParseNumber(text, 32, 512, &o->max_depth); }},
    {"MIGPROF_FLUSH_MS", "2000", "50 to 60000", "longest time an event stays in memory: what a SIGKILL may cost",
     [](const char* text, Options* o) { return ParseNumber(text, 50, 60000, &o->flush_ms); }},
    {"MIGPROF_MAX_BYTES", "off", "off, or 1M to 1024T (K, M, G, T)",
     "bytes that all trace files of the process may take together; the oldest are deleted, and what was in them is "
     "counted",
     ParseMaxBytes},
    {"MIGPROF_WINDOW", "off", "off, or 500ms to 24h (ms, s, m, h)",
     "flight recorder: keep only the last events, counted back from the newest; `migprof flush PID` and migprof_flush "
     "have what is kept at that moment stay",
     ParseWindow},
    {"MIGPROF_EXIT_TIMEOUT_MS", "2000", "0 to 60000", "longest time the end of the process waits for the last events",
     [](const char* text, Options* o) { return ParseNumber(text, 0, 60000, &o->exit_timeout_ms); }},
    {"MIGPROF_RING_KB", "2048", "64 to 65536", "KiB of event ring per launching thread, rounded up to a power of two",
     [](const char* text, Options* o) { return ParseNumber(text, 64, 65536, &o->ring_kb); }},
    {"MIGPROF_BUFFER_KB", "1024", "64 to 65536", "KiB of the largest buffers handed to CUPTI for GPU activity",
     [](const char* text, Options* o) { return ParseNumber(text, 64, 65536, &o->buffer_kb); }},
    {"MIGPROF_MAX_MEMORY", "64M", "16M to 64G",
     "most memory the recorder takes; what does not fit is kept smaller, forgotten or dropped, and counted",
     [](const char* text, Options* o) {
       return ParseBytes(text, uint64_t{16} << 20, uint64_t{64} << 30, &o->max_memory_bytes);
     }},
    {"MIGPROF_CUPTI", "", "a file", "libcupti to load; empty takes the application's own, else the toolkit's",
     [](const char* text, Options* o) { return ParsePath(text, &o->cupti); }},
    {"MIGPROF_YIELD", "off", "on, off",
     "give CUPTI to a profiler that the program starts itself, torch.profiler for one, and record again when it ends",
     [](const char* text, Options* o) { return ParseSwitch(text, &o->yield); }},
    {"MIGPROF_CHAIN", "", "a library",
     "another injection library, to be loaded before recording starts; set from a CUDA_INJECTION64_PATH that was there",
     [](const char* text, Options* o) { return ParsePath(text, &o->chain); }},
    {"MIGPROF_BUDGET", "off", "off, or 0.1% to 50%",
     "largest share of a thread's time that recording may take; to stay below it stacks get less detailed, and at last "
     "graphs are recorded as a whole",
     ParseBudget},
    {"MIGPROF_COUNTERS", "1000", "off, or 100 to 60000",
     "milliseconds between two samples of NVML's counters (memory in use, GPM) of slices while they are in use",
     ParseCounters},
    {"MIGPROF_CHECK_STACKS", "0", "0 to 1000000",
     "compare one of so many captured stacks with libunwind's and count differences; 0: none",
     [](const char* text, Options* o) { return ParseNumber(text, 0, 1000000, &o->check_stacks); }},
    {"MIGPROF_RECORD_ARGS", "off", "on, off",
     "write the program's command line into its traces; off writes no argument: they may hold secrets",
     [](const char* text, Options* o) { return ParseSwitch(text, &o->record_args); }},
    {"MIGPROF_LOG", "normal", "quiet, normal, debug", "how much migprof says on stderr; normal is one line per problem",
     ParseLog},
}};

Options ReadOptions(const char* const* environment, OptionComplaint complain) {
  Options options;
  std::array<const char*, kOptionSpecs.size()> used;  // a variable may be there twice
  for (size_t i = 0; i < kOptionSpecs.size(); ++i) {
    used[i] = kOptionSpecs[i].default_text;
    kOptionSpecs[i].parse(used[i], &options);
  }
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const char* entry = *environment;
    if (std::strncmp(entry, "MIGPROF_", 8) != 0) continue;
    const char* equals = std::strchr(entry, '=');
    if (equals == nullptr) continue;
    const size_t length = equals - entry;
    if (const OptionSpec* spec = FindSpec(entry, length)) {
      const char*& text = used[spec - kOptionSpecs.data()];
      if (spec->parse(equals + 1, &options)) {
        text = equals + 1;
      } else if (*text == '\0') {
        Complain(complain, "%.200s is ignored: expected %s; it counts as unset", entry, spec->range);
      } else {
        Complain(complain, "%.200s is ignored: expected %s; %.100s is used", entry, spec->range, text);
      }
    } else {
      Complain(complain, "%.200s is ignored: no such option", entry);
    }
  }
  return options;
}

std::string OptionTableMarkdown() {
  std::string table = "| variable | default | values | meaning |\n|---|---|---|---|\n";
  for (const OptionSpec& spec : kOptionSpecs) {
    table += std::string("| `") + spec.name + "` | " + (*spec.default_text ? "`" : "") + spec.default_text +
             (*spec.default_text ? "`" : "") + " | " + spec.range + " | " + spec.help + " |\n";
  }
  return table;
}

}  // namespace migprof
