// SPDX-License-Identifier: Apache-2.0
#include "base/faults.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "base/call_counts.h"
#include "base/complain.h"

namespace simgpu {
namespace {

// README.md says what each of them does.
constexpr std::array kSwitches = {"second-client",    "steal-buffers",
                                  "zero-stamps",      "swap-stamps",
                                  "shuffle",          "tiny-buffers",
                                  "drop-records",     "null-symbol",
                                  "unknown-kind",     "late-worker",
                                  "flush-hang",       "late-callbacks",
                                  "graph-id-reuse",   "high-correlation-ids",
                                  "old-driver",       "wrong-invisible-uuids",
                                  "fatal-error",      "nvml-no-permission",
                                  "nvml-gpu-lost",    "gpm-nan",
                                  "gpm-above-100",    "gpm-stale",
                                  "gpm-says",         "gpm-slow",
                                  "stuck-timestamp",  "zero-correlations",
                                  "foreign-contexts", "duplicate-records"};

struct FunctionFault {
  std::string function;
  std::string thread;  // only calls of threads with this name; empty: of all
  uint64_t first = 1;
  uint64_t last = UINT64_MAX;
  int code = 0;
  std::atomic<uint64_t> calls{0};
};

struct SwitchFault {
  std::string name;
  std::string value;
};

struct FaultList {
  std::deque<FunctionFault> functions;  // a deque: the elements cannot move
  std::deque<SwitchFault> switches;
};

bool ParseNumber(const std::string& text, uint64_t* number) {
  char* end = nullptr;
  *number = std::strtoull(text.c_str(), &end, 10);
  return !text.empty() && *end == '\0';
}

bool AddSwitch(const std::string& name, const std::string& value, FaultList* list) {
  const auto same = [&](const char* known) { return name == known; };
  if (std::none_of(kSwitches.begin(), kSwitches.end(), same)) return false;
  list->switches.push_back({name, value});
  return true;
}

// `name` is FUNCTION, FUNCTION:K or FUNCTION:K+, and FUNCTION may be NAME@THREAD.
bool AddFunction(std::string name, const std::string& value, FaultList* list) {
  uint64_t code = 0;
  if (!ParseNumber(value, &code)) return false;
  uint64_t first = 1;
  uint64_t last = UINT64_MAX;
  if (const size_t colon = name.find(':'); colon != std::string::npos) {
    std::string call = name.substr(colon + 1);
    const bool onwards = !call.empty() && call.back() == '+';
    if (onwards) call.pop_back();
    if (!ParseNumber(call, &first) || first == 0) return false;
    if (!onwards) last = first;
    name.resize(colon);
  }
  const size_t at = std::min(name.find('@'), name.size());
  FunctionFault& fault = list->functions.emplace_back();
  fault.function = name.substr(0, at);
  if (at < name.size()) fault.thread = name.substr(at + 1);
  fault.first = first;
  fault.last = last;
  fault.code = static_cast<int>(code);
  return true;
}

// Switches have a hyphen in their name, or another beginning.
bool LooksLikeFunction(const std::string& name) {
  if (name.substr(0, name.find('@')).find('-') != std::string::npos) return false;
  for (const char* prefix : {"cu", "nvml", "__cuda"}) {
    if (name.compare(0, std::strlen(prefix), prefix) == 0) return true;
  }
  return false;
}

FaultList* Parse() {
  auto* list = new FaultList;  // for the life of the process
  const char* text = std::getenv("SIMGPU_FAULTS");
  if (text == nullptr) return list;
  const std::string all = text;
  for (size_t start = 0; start < all.size();) {
    const size_t comma = std::min(all.find(',', start), all.size());
    const std::string entry = all.substr(start, comma - start);
    start = comma + 1;
    if (entry.empty()) continue;
    const size_t equals = std::min(entry.find('='), entry.size());
    const std::string name = entry.substr(0, equals);
    const std::string value = equals < entry.size() ? entry.substr(equals + 1) : "";
    const bool known = LooksLikeFunction(name) ? AddFunction(name, value, list) : AddSwitch(name, value, list);
    if (!known) Complain("SIMGPU_FAULTS: \"%s\" is ignored: no such fault", entry.c_str());
  }
  return list;
}

FaultList& List() {
  static FaultList* const list = Parse();
  return *list;
}

}  // namespace

std::optional<int> InjectedFailure(const char* function) {
  const bool counting = CountsCalls();
  if (!counting && List().functions.empty()) return std::nullopt;
  char thread[16] = {};
  prctl(PR_GET_NAME, thread);
  if (counting) CountCall(function, thread);
  for (FunctionFault& fault : List().functions) {
    if (fault.function != function || (!fault.thread.empty() && fault.thread != thread)) continue;
    const uint64_t call = fault.calls.fetch_add(1, std::memory_order_relaxed) + 1;
    if (call >= fault.first && call <= fault.last) return fault.code;
  }
  return std::nullopt;
}

bool HasInjectedFailures() { return !List().functions.empty() || CountsCalls(); }

std::optional<std::string> FaultSwitch(const char* name) {
  for (const SwitchFault& fault : List().switches) {
    if (fault.name == name) return fault.value;
  }
  return std::nullopt;
}

uint64_t FaultNumber(const char* name, uint64_t otherwise) {
  const std::optional<std::string> value = FaultSwitch(name);
  if (!value) return 0;
  uint64_t number = 0;
  return ParseNumber(*value, &number) ? number : otherwise;
}

}  // namespace simgpu
