// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/render/idle_cause.h"

#include <algorithm>
#include <array>

#include "libmigprof/analyze/idle_gaps.h"

namespace migprof::render {
namespace {

using analyze::IdleCause;

struct Texts {
  const char* clause;
  const char* advice;
};

constexpr std::array<Texts, analyze::kIdleCauses> kTexts = {{
    {"while no process was there to use it", "Give it more work, or a smaller slice."},
    {"while the host ran its own code and had queued nothing",
     "Prepare the next work in other threads or processes, and queue it before the last has ended."},
    {"while the host waited in a synchronizing call and had queued nothing behind it",
     "Wait later or for less: events instead of whole streams, and no reading of results between launches."},
    {"while a copy was asked for or about to start",
     "Copy from pinned memory on a stream of its own, while kernels run."},
    {"while the host allocated or released device memory",
     "Keep memory between iterations: a pool, or cudaMallocAsync."},
    {"while code was loaded or a kernel started for the first time",
     "It comes once; in short runs, warm up or load code eagerly (CUDA_MODULE_LOADING=EAGER)."},
    {"while work had been queued and had not started",
     "Launch more at once: CUDA graphs, or fewer and larger kernels."},
    {"for a reason that is not in the trace", ""},
}};

const Texts& TextsOf(IdleCause cause) { return kTexts[static_cast<size_t>(cause) % kTexts.size()]; }

}  // namespace

const char* CauseLabel(IdleCause cause) { return analyze::Name(cause); }

const char* CauseKey(IdleCause cause) {
  // By IdleCause.
  constexpr std::array<const char*, analyze::kIdleCauses> kKeys = {
      "no_process", "host", "synchronize", "copy", "allocation", "first_launch", "launch_latency", "unknown"};
  return kKeys[static_cast<size_t>(cause) % kKeys.size()];
}

const char* CauseClause(IdleCause cause) { return TextsOf(cause).clause; }

const char* CauseAdvice(IdleCause cause) { return TextsOf(cause).advice; }

std::optional<IdleCause> CauseOf(const analyze::Frame& frame) {
  if (frame.kind != analyze::FrameKind::kIdle) return std::nullopt;
  for (size_t cause = 0; cause < analyze::kIdleCauses; ++cause) {
    if (frame.full_name == analyze::Name(static_cast<IdleCause>(cause))) return static_cast<IdleCause>(cause);
  }
  return std::nullopt;
}

std::optional<IdleCause> MainCause(const analyze::SliceMetrics& metrics) {
  const auto largest = std::max_element(metrics.idle_ns.begin(), metrics.idle_ns.end());
  if (*largest == 0) return std::nullopt;
  return static_cast<IdleCause>(largest - metrics.idle_ns.begin());
}

std::optional<IdleCause> SecondCause(const analyze::SliceMetrics& metrics, IdleCause main) {
  analyze::SliceMetrics others;
  others.idle_ns = metrics.idle_ns;
  others.idle_ns[static_cast<size_t>(main)] = 0;
  return MainCause(others);
}

}  // namespace migprof::render
