// SPDX-License-Identifier: Apache-2.0
// Why a slice was idle, in words and in colour.
#pragma once

#include <cstddef>
#include <optional>

#include "libmigprof/analyze/slice_metrics.h"
#include "libmigprof/analyze/stack_tree.h"

namespace migprof::render {

// "host code", "synchronization", …: short, for tables and legends.
const char* CauseLabel(analyze::IdleCause cause);

// "host", "synchronize", …: for programs. Those of `idle_ns` in summary.json, and of the label `cause` of metrics.
const char* CauseKey(analyze::IdleCause cause);

// Continues "idle …": "while the host computed, read or waited with nothing queued".
const char* CauseClause(analyze::IdleCause cause);

// What usually helps, as a sentence; empty where nothing general can be said.
const char* CauseAdvice(analyze::IdleCause cause);

// The cause that a frame of kind kIdle stands for; nothing for other frames and for names that are not known.
std::optional<analyze::IdleCause> CauseOf(const analyze::Frame& frame);

// The same, kUnknown where it is not known: what decides the colour of a frame of kind kIdle.
inline analyze::IdleCause ShownCause(const analyze::Frame& frame) {
  return CauseOf(frame).value_or(analyze::IdleCause::kUnknown);
}

// The cause with the largest part of the idle time; nothing when no cause is known.
std::optional<analyze::IdleCause> MainCause(const analyze::SliceMetrics& metrics);
// The one with the largest part beside it.
std::optional<analyze::IdleCause> SecondCause(const analyze::SliceMetrics& metrics, analyze::IdleCause main);

}  // namespace migprof::render
