// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/python_splice.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace migprof::analyze {
namespace {

constexpr char kEvaluationFunction[] = "_PyEval_EvalFrameDefault";

// Also what compilers make of the function: "….cold", "….lto_priv.0".
bool IsEvaluation(const std::string& function) {
  if (IsInstructionHandler(function)) return true;
  if (!absl::StartsWith(function, kEvaluationFunction)) return false;
  return function.size() == sizeof(kEvaluationFunction) - 1 || function[sizeof(kEvaluationFunction) - 1] == '.';
}

}  // namespace

bool IsInstructionHandler(const std::string& function) { return absl::StartsWith(function, "_TAIL_CALL_"); }

NativeRole RoleOf(const std::string& function, const std::string& path) {
  if (IsEvaluation(function)) return NativeRole::kEvaluation;
  const std::string file = path.substr(path.rfind('/') + 1);
  // greenlet::UserGreenlet::g_initialstub, a C function before version 2.
  if (absl::StartsWith(file, "_greenlet.") && absl::StrContains(function, "g_initialstub")) {
    return NativeRole::kStackStart;
  }
  for (const char* start : {"libpython", "python", "_ctypes", "libffi.so", "_greenlet."}) {
    if (absl::StartsWith(file, start)) return NativeRole::kInterpreter;
  }
  // The standard library's own extension modules.
  return absl::StrContains(path, "/lib-dynload/") ? NativeRole::kInterpreter : NativeRole::kOther;
}

Spliced SplicePython(const SpliceInput& input) {
  using Kind = SplicedFrame::Kind;
  const size_t python_count = input.python_entry.size();
  auto runs = static_cast<size_t>(std::count(input.python_entry.begin(), input.python_entry.end(), true));
  if (python_count != 0 && !input.python_entry.back()) ++runs;
  const auto evaluations_inside = [&](std::vector<NativeRole>::const_iterator end) {
    return static_cast<size_t>(std::count(input.native.begin(), end, NativeRole::kEvaluation));
  };
  auto native_end = std::find(input.native.begin(), input.native.end(), NativeRole::kStackStart);
  if (runs != evaluations_inside(native_end)) native_end = input.native.end();
  const auto native_count = static_cast<size_t>(native_end - input.native.begin());
  const size_t evaluations = evaluations_inside(native_end);
  Spliced spliced;
  spliced.fits = runs == evaluations || (input.truncated && evaluations != 0);

  size_t block_at = input.cuda_frames;
  if (evaluations != 0) {
    const auto first = std::find(input.native.begin(), input.native.end(), NativeRole::kEvaluation);
    block_at = static_cast<size_t>(first - input.native.begin());
  }
  size_t python = 0;
  const auto add_all_python = [&] {
    for (; python < python_count; ++python) spliced.frames.push_back({Kind::kPython, python});
  };
  for (size_t i = 0; i <= native_count; ++i) {
    if (!spliced.fits && i == block_at) {
      add_all_python();
      spliced.frames.push_back({Kind::kNote, 0});
    }
    if (i == native_count) break;
    if (spliced.fits && input.native[i] == NativeRole::kEvaluation) {
      bool is_entry = false;
      for (; python < python_count && !is_entry; ++python) {
        is_entry = input.python_entry[python];
        spliced.frames.push_back({Kind::kPython, python});
      }
    }
    if (input.native[i] == NativeRole::kOther || input.show_interpreter) spliced.frames.push_back({Kind::kNative, i});
  }
  add_all_python();  // their native frames are among those that are missing
  return spliced;
}

}  // namespace migprof::analyze
