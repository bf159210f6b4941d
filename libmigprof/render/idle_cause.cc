// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/idle_cause.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace migprof::render {
namespace {

using analyze::IdleCause;

struct Texts {
  const char* label;
  const char* clause;
  const char* advice;
};

constexpr std::array<Texts, analyze::kIdleCauses> kTexts = {{
    {"no process running", "while no process was there to use it", "Give it more work, or a smaller slice."},
    {"host code", "while the host ran its own code and had queued nothing",
     "Prepare the next work in other threads or processes, and queue it before the last has ended."},
    {"synchronization", "while the host waited in a synchronizing call and had queued nothing behind it",
     "Wait later or for less: events instead of whole streams, and no reading of results between launches."},
    {"copies", "while a copy was asked for or about to start",
     "Copy from pinned memory on a stream of its own, while kernels run."},
    {"memory allocation", "while the host allocated or released device memory",
     "Keep memory between iterations: a pool, or cudaMallocAsync."},
    {"first launch", "while code was loaded or a kernel started for the first time",
     "It comes once; in short runs, warm up or load code eagerly (CUDA_MODULE_LOADING=EAGER)."},
    {"launch latency", "while work had been queued and had not started",
     "Launch more at once: CUDA graphs, or fewer and larger kernels."},
    {"unknown", "for a reason that is not in the trace", ""},
}};

const Texts& TextsOf(IdleCause cause) { return kTexts[static_cast<size_t>(cause) % kTexts.size()]; }

// Words that tell the cause from the name of its frame, the more telling first.
struct Word {
  const char* word;
  IdleCause cause;
};
constexpr Word kWords[] = {
    {"synchron", IdleCause::kSynchronize},
    {"first launch", IdleCause::kFirstLaunch},
    {"first_launch", IdleCause::kFirstLaunch},
    {"load", IdleCause::kFirstLaunch},
    {"alloc", IdleCause::kAllocation},
    {"copy", IdleCause::kCopy},
    {"copies", IdleCause::kCopy},
    {"latency", IdleCause::kLaunchLatency},
    {"nothing", IdleCause::kNothingRunning},
    {"no process", IdleCause::kNothingRunning},
    {"unknown", IdleCause::kUnknown},
    {"host", IdleCause::kHost},
};

}  // namespace

const char* CauseLabel(IdleCause cause) { return TextsOf(cause).label; }

const char* CauseClause(IdleCause cause) { return TextsOf(cause).clause; }

const char* CauseAdvice(IdleCause cause) { return TextsOf(cause).advice; }

std::optional<IdleCause> CauseOf(const analyze::Frame& frame) {
  if (frame.kind != analyze::FrameKind::kIdle) return std::nullopt;
  const std::string name = absl::AsciiStrToLower(frame.full_name);
  for (const Word& word : kWords) {
    if (absl::StrContains(name, word.word)) return word.cause;
  }
  return std::nullopt;
}

std::optional<IdleCause> MainCause(const analyze::SliceMetrics& metrics) {
  const auto largest = std::max_element(metrics.idle_ns.begin(), metrics.idle_ns.end());
  if (*largest == 0) return std::nullopt;
  return static_cast<IdleCause>(largest - metrics.idle_ns.begin());
}

}  // namespace migprof::render
