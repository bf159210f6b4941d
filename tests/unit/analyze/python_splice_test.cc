// SPDX-License-Identifier: Apache-2.0
#include "libmigprof/analyze/python_splice.h"

#include <gtest/gtest.h>

#include <string>

namespace migprof::analyze {
namespace {

constexpr NativeRole O = NativeRole::kOther;
constexpr NativeRole I = NativeRole::kInterpreter;
constexpr NativeRole E = NativeRole::kEvaluation;
constexpr NativeRole G = NativeRole::kStackStart;

// "n0 p0 p1 ! n3", innermost first; "!" is the note.
std::string Text(const Spliced& spliced) {
  std::string text;
  for (const SplicedFrame& frame : spliced.frames) {
    if (!text.empty()) text += ' ';
    if (frame.kind == SplicedFrame::Kind::kNote) {
      text += '!';
    } else {
      text += (frame.kind == SplicedFrame::Kind::kPython ? 'p' : 'n') + std::to_string(frame.index);
    }
  }
  return text;
}

TEST(SplicePython, EachRunOfTheLoop_HoldsItsFrames) {
  // cuda, glue, run of two, qsort, glue, run of one, start-up.
  const Spliced spliced =
      SplicePython({.native = {O, I, E, I, O, I, E, I, O}, .cuda_frames = 1, .python_entry = {false, true, true}});
  EXPECT_TRUE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 p1 n4 p2 n8");
}

TEST(SplicePython, InterpreterOnRequest_StandsOutsideOfWhatItRuns) {
  const Spliced spliced =
      SplicePython({.native = {O, I, E, I}, .cuda_frames = 1, .python_entry = {true}, .show_interpreter = true});
  EXPECT_EQ(Text(spliced), "n0 n1 p0 n2 n3");
}

TEST(SplicePython, LastFrameWithoutMark_EndsARunToo) {
  const Spliced spliced = SplicePython({.native = {O, E}, .cuda_frames = 1, .python_entry = {false, false}});
  EXPECT_TRUE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 p1");
}

TEST(SplicePython, MoreRunsThanMarks_MakeABlockAtTheInnermost) {
  const Spliced spliced = SplicePython({.native = {O, I, E, O, E, O}, .cuda_frames = 1, .python_entry = {false, true}});
  EXPECT_FALSE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 p1 ! n3 n5");
}

TEST(SplicePython, Greenlet_EndsWhereItsStackBegan) {
  // Outside lies another greenlet's run, which has no frames here.
  const Spliced spliced =
      SplicePython({.native = {O, I, E, I, G, O, E, O}, .cuda_frames = 1, .python_entry = {false, true}});
  EXPECT_TRUE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 p1");
}

TEST(SplicePython, GreenletInAnother_EndsAtTheInnermostStart) {
  const Spliced spliced =
      SplicePython({.native = {O, E, G, E, G, E}, .cuda_frames = 1, .python_entry = {true}, .show_interpreter = true});
  EXPECT_TRUE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 n1");
}

TEST(SplicePython, GreenletThatDoesNotFit_KeepsTheWholeStack) {
  const Spliced spliced = SplicePython({.native = {O, E, G, O}, .cuda_frames = 1, .python_entry = {true, true}});
  EXPECT_FALSE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 p1 ! n3");
}

TEST(SplicePython, NoRunAtAll_MakesABlockOutsideOfCuda) {
  const Spliced spliced = SplicePython({.native = {O, O, O}, .cuda_frames = 2, .python_entry = {true, true}});
  EXPECT_FALSE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 n1 p0 p1 ! n2");
}

TEST(SplicePython, NoNativeStack_LeavesTheBlockAlone) {
  const Spliced spliced = SplicePython({.native = {}, .python_entry = {true}});
  EXPECT_FALSE(spliced.fits);
  EXPECT_EQ(Text(spliced), "p0 !");
}

TEST(SplicePython, TruncatedNativeStack_LeavesTheRestOutside) {
  const Spliced spliced =
      SplicePython({.native = {O, E, I}, .cuda_frames = 1, .python_entry = {true, false, true}, .truncated = true});
  EXPECT_TRUE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 p1 p2");
}

TEST(SplicePython, TruncatedPythonStack_HidesTheRunsItLacks) {
  const Spliced spliced =
      SplicePython({.native = {O, E, O, E}, .cuda_frames = 1, .python_entry = {true}, .truncated = true});
  EXPECT_TRUE(spliced.fits);
  EXPECT_EQ(Text(spliced), "n0 p0 n2");
}

TEST(RoleOf, KnowsTheLoopAndTheInterpretersOwn) {
  EXPECT_EQ(RoleOf("_PyEval_EvalFrameDefault", "/usr/bin/app"), NativeRole::kEvaluation);
  EXPECT_EQ(RoleOf("_PyEval_EvalFrameDefault.cold", "/usr/lib/libpython3.12.so.1.0"), NativeRole::kEvaluation);
  EXPECT_EQ(RoleOf("_PyEval_EvalFrameDefaultly", "/usr/bin/app"), NativeRole::kOther);
  EXPECT_EQ(RoleOf("_TAIL_CALL_CALL_PY_EXACT_ARGS", "/usr/bin/python3.14"), NativeRole::kEvaluation);
  EXPECT_EQ(RoleOf("PyObject_Vectorcall", "/usr/lib/libpython3.12.so.1.0"), NativeRole::kInterpreter);
  EXPECT_EQ(RoleOf("", "/usr/bin/python3.11"), NativeRole::kInterpreter);
  EXPECT_EQ(RoleOf("ffi_call", "/usr/lib/libffi.so.8"), NativeRole::kInterpreter);
  EXPECT_EQ(RoleOf("f", "/usr/lib/python3.11/lib-dynload/_asyncio.cpython-311.so"), NativeRole::kInterpreter);
  const std::string greenlet = "/usr/lib/python3/dist-packages/greenlet/_greenlet.cpython-311-x86_64-linux-gnu.so";
  EXPECT_EQ(RoleOf("_ZN8greenlet12UserGreenlet13g_initialstubEPv", greenlet), NativeRole::kStackStart);
  EXPECT_EQ(RoleOf("g_initialstub", "/usr/bin/app"), NativeRole::kOther);
  EXPECT_EQ(RoleOf("g_switchstack", greenlet), NativeRole::kInterpreter);
  EXPECT_EQ(RoleOf("THPFunction_apply", "/x/python3.11/site-packages/torch/lib/libtorch_python.so"),
            NativeRole::kOther);
}

}  // namespace
}  // namespace migprof::analyze
