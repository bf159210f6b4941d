#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python stacks are what Python itself says they are: traceback.extract_stack() at each launch, frame for frame with line numbers, on
every CPython that is found, both as recorded and as shown."""

import collections
import re
import unittest

import harness
import pythons
from python_run import LAUNCHES, THREADS, PythonRun, expected

# "function (file.py:12)", as folded output has it, is a Python frame.
PYTHON_FRAME = re.compile(r"(?s)(.+) \((.+):(\d+)\)")
UNKNOWN = "migprof: no Python frames: this migprof does not know the inside of "
# Native frames that belong between the Python frames of the workload, whatever the interpreter.
NOT_THE_INTERPRETERS = re.compile(r"qsort|msort|libc\.so|start_thread|clone|cuLaunchKernel|\[unknown launch\]|raise|__restore_rt|kill")


@unittest.skipIf(harness.SANITIZED, "a library built with a sanitizer cannot be loaded into an interpreter that was not")
class PythonStacks(unittest.TestCase):
    def check_recorded(self, run):
        logged = run.logged_calls()
        self.assertGreater(len(logged), 0)
        self.assertEqual({call["launch"] for call in logged}, set(run.recorded))
        for call in logged:
            record = run.recorded[call["launch"]]
            self.assertEqual(record["flags"], 0, call)
            stack = run.python_stack(record["python_stack_node"])
            self.assertEqual([frame[:3] for frame in stack], expected(call), (run.python, call["kernel"]))
            self.assertEqual(stack[0][3], 1, "the outermost frame ends a run of the evaluation loop")
        return len(logged)

    def check_shown(self, run):
        run.merge("--format", "folded,json")
        (entry,) = run.summary()["slices"]
        for loss in ("unmatched", "dropped", "stackless", "truncated", "python_lost", "unspliced", "damaged_bytes"):
            self.assertEqual(entry["health"][loss], 0, (loss, run.python))
        shown = collections.defaultdict(set)
        for frames, _ in run.folded():
            path = [PYTHON_FRAME.fullmatch(frame) for frame in frames[4:-1]]
            native = [frame for frame, match in zip(frames[4:-1], path) if match is None]
            for frame in native:
                self.assertRegex(frame, NOT_THE_INTERPRETERS, (run.python, frames))
            self.assertEqual(frames[-2], "cuLaunchKernel")
            shown[frames[-1]].add(tuple((m[1], m[2], int(m[3])) for m in path if m))
        wanted = collections.defaultdict(set)
        for call in run.logged_calls():
            wanted[call["kernel"]].add(tuple((name.replace(";", ":"), file, line) for name, file, line in expected(call)))
        self.assertEqual(shown, wanted)

    def test_every_route_to_a_launch_on_every_interpreter(self):
        compared, without = {}, []
        for python in pythons.known_pythons():
            with self.subTest(python=python):
                compared[python] = 0
                for workload in (LAUNCHES, THREADS):
                    run = PythonRun(self, python, workload)
                    compared[python] += self.check_recorded(run)
                    self.check_shown(run)
                    self.assertNotIn("migprof", run.result.stderr)
                without += [python] * ("no greenlet" in run.result.stdout)
        for python, count in compared.items():
            print(f"{count} stacks equal extract_stack() on {python}")
        if without:
            print("NO GREENLETS TESTED, the package is not installed:", *without, sep="\n  ")
        if not compared:
            self.skipTest("no CPython that migprof knows")

    def test_interpreters_without_known_layout_are_left_alone(self):
        for python in pythons.all_pythons():
            if python.known or python.version < (3, 6):
                continue
            with self.subTest(python=python):
                run = PythonRun(self, python, LAUNCHES, "method", "generator")
                self.assertEqual(run.result.stderr.count(UNKNOWN), 1, run.result.stderr)
                self.assertEqual(run.dump.records["python_stack_node"], [])
                self.assertTrue(all(call["flags"] == 0 for call in run.recorded.values()))

    def test_switched_off(self):
        for python in pythons.known_pythons()[-1:]:
            for switch in ("MIGPROF_PYTHON", "MIGPROF_STACKS"):
                run = PythonRun(self, python, LAUNCHES, "function", **{switch: "off"})
                self.assertEqual(run.dump.records["python_stack_node"], [])
                self.assertTrue(all(call["python_stack_node"] == 0 for call in run.recorded.values()))

    def test_interpreter_frames_are_shown_on_request(self):
        for python in pythons.known_pythons():
            with self.subTest(python=python):
                run = PythonRun(self, python, LAUNCHES, "callback_from_c")
                run.merge("--format", "folded")
                self.assertNotIn("_PyEval_EvalFrameDefault", (run.report / "folded.txt").read_text())
                run.merge("--format", "folded", "--show-interpreter", "--no-inline")
                for frames, _ in run.folded():
                    evaluations = [i for i, frame in enumerate(frames) if frame.startswith("_PyEval_EvalFrameDefault")]
                    self.assertTrue(evaluations)
                    for i in evaluations:
                        self.assertTrue(PYTHON_FRAME.fullmatch(frames[i + 1]), "a run of the loop holds Python frames")

    def test_deep_stacks_lose_their_outermost_frames_and_say_so(self):
        for python in pythons.known_pythons():
            with self.subTest(python=python):
                run = PythonRun(self, python, LAUNCHES, "recursion", MIGPROF_MAX_DEPTH="40")
                whole = 0
                for call in run.logged_calls():
                    record = run.recorded[call["launch"]]
                    whole += record["flags"] == 0
                    self.assertIn(record["flags"], (0, 1))
                    stack = run.python_stack(record["python_stack_node"])
                    self.assertEqual([frame[:3] for frame in stack], expected(call), "Python frames have a limit of their own")
                run.merge("--format", "folded,json")
                health = run.summary()["slices"][0]["health"]
                self.assertEqual(health["truncated"], len(run.recorded) - whole)
                self.assertEqual(health["unspliced"], 0)

    def test_trampolines_for_perf_are_followed(self):
        """The code that -X perf puts between Python calls has no unwind information."""
        for python in pythons.known_pythons():
            if python.version < (3, 12):
                continue
            with self.subTest(python=python):
                run = harness.Run(self)
                result = run.run(python.path, "-X", "perf", "-c", "import sys; print(sys.is_stack_trampoline_active())")
                if result.stdout.strip() != "True":
                    continue
                run = harness.Run(self)
                run.run(python.path, "-X", "perf", LAUNCHES, "recursion", "callback_from_c")
                run.merge("--format", "folded,json")
                calls = run.logged_calls()
                self.assertEqual(run.summary()["slices"][0]["health"]["unspliced"], 0)
                wanted = {tuple(f"{name} ({file}:{line})" for name, file, line in expected(call)) for call in calls}
                shown = {tuple(frame for frame in frames if PYTHON_FRAME.fullmatch(frame)) for frames, _ in run.folded()}
                self.assertEqual(shown, wanted)

    def test_small_rings_lose_nothing_silently(self):
        """Line tables of tens of kilobytes through a ring of 64 KB."""
        for python in pythons.known_pythons():
            with self.subTest(python=python):
                run = PythonRun(self, python, LAUNCHES, "short_lived_code", "long_code", "recursion", MIGPROF_RING_KB="64")
                lost = 0
                for call in run.logged_calls():
                    record = run.recorded.get(call["launch"])
                    if record is None or record["flags"]:
                        lost += 1
                        continue
                    stack = [frame[:3] for frame in run.python_stack(record["python_stack_node"])]
                    # Of a table that is too large for the ring, later lines are unknown.
                    got = [(name, file, line if line else want[2]) for (name, file, line), want in zip(stack, expected(call))]
                    self.assertEqual(got, expected(call))
                run.merge("--format", "json")
                health = run.summary()["slices"][0]["health"]
                self.assertLessEqual(lost, health["python_lost"] + health["dropped"] + health["stackless"])


if __name__ == "__main__":
    harness.main()
