#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program under migprof behaves and ends as without it."""

import os
import signal
import statistics
import subprocess
import sys
import unittest

import harness

THROW = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.nanoseconds_per_throw.restype = ctypes.c_double
print(min(library.nanoseconds_per_throw(2000) for _ in range(5)))
"""


@unittest.skipIf(harness.SANITIZED, "a sanitized library cannot be preloaded into an ordinary program")
class WithoutCuda(unittest.TestCase):
    def test_a_program_without_cuda_notices_nothing(self):
        for status in (0, 5):
            run = harness.Run(self)
            before = sorted(os.listdir(run.folder))
            plain = run.run("self_report", status, way=harness.PLAIN, expect=status)
            preloaded = run.run("self_report", status, way=harness.PRELOAD, expect=status)
            self.assertEqual(preloaded.stdout, plain.stdout)
            self.assertEqual(preloaded.stderr, plain.stderr)
            self.assertEqual(sorted(os.listdir(run.folder)), before)

    def test_ordinary_programs_and_their_children(self):
        run = harness.Run(self)
        for command in (["/bin/sh", "-c", "echo $((6 * 7)); ls / | wc -l; exit 3"], [sys.executable, "-c", "import json, subprocess; print(json.dumps({'a': 1})); print(subprocess.check_output(['echo', 'child']))"],
                        ["/bin/false"], ["/bin/sh", "-c", "kill -9 $$"]):
            plain = run.run(*command, way=harness.PLAIN, expect=None)
            preloaded = run.run(*command, way=harness.PRELOAD, expect=None)
            self.assertEqual((preloaded.returncode, preloaded.stdout, preloaded.stderr),
                             (plain.returncode, plain.stdout, plain.stderr), command)
        self.assertFalse(run.traces.exists())

    def test_exceptions_in_a_preloaded_python_stay_fast(self):
        # A dynamic libunwind under LD_PRELOAD makes them thirty times slower; the bound leaves room for a noisy machine.
        run = harness.Run(self)
        library = str(harness.BUILD / "lib" / "libthrow_and_catch.so")
        times = {harness.PLAIN: [], harness.PRELOAD: []}
        for _ in range(3):
            for way, measured in times.items():
                out = run.run("/usr/bin/python3", "-c", THROW, library, way=way, LD_LIBRARY_PATH=None).stdout
                measured.append(float(out))
        ratio = statistics.median(times[harness.PRELOAD]) / statistics.median(times[harness.PLAIN])
        print(f"one throw: preloaded {statistics.median(times[harness.PRELOAD]):.0f} ns, {ratio:.2f} x plain")
        self.assertLess(ratio, 5)

    def test_a_foreign_injection_library_is_chained(self):
        run = harness.Run(self)
        result = run.run("/bin/sh", "-c", "echo $CUDA_INJECTION64_PATH $MIGPROF_CHAIN", way=harness.PRELOAD,
                         CUDA_INJECTION64_PATH="/opt/other/tool.so")
        self.assertEqual(result.stdout.split(), [str(harness.LIBRARY.resolve()), "/opt/other/tool.so"])

    def test_the_constructor_names_the_library_by_its_real_path(self):
        run = harness.Run(self)
        link = run.folder / "link.so"
        link.symlink_to(harness.LIBRARY)
        result = run.run("/bin/sh", "-c", "echo $CUDA_INJECTION64_PATH", way=harness.PLAIN, LD_PRELOAD=link)
        self.assertEqual(result.stdout.strip(), str(harness.LIBRARY.resolve()))


class WithCuda(unittest.TestCase):
    ENDINGS = {"return": 0, "exit": 7, "_exit": 8, "quick_exit": 9, "abort": -signal.SIGABRT, "throw": -signal.SIGABRT,
               "kill": -signal.SIGKILL, "segfault": -signal.SIGSEGV, "thread": 10, "nosync": 0, "destroyed": 0, "working": 11,
               "cancelled": 12, "destructor": 11}
    # How many of the 100 launches must be in the trace; the rest may die with the process.
    COMPLETE = {"return", "exit", "thread", "nosync", "destroyed"}

    def test_every_way_to_end(self):
        for how, status in self.ENDINGS.items():
            if harness.SANITIZED and how in ("segfault", "abort", "throw", "working"):
                continue  # the sanitizers have their own opinions on these
            with self.subTest(how=how):
                run = harness.Run(self)
                plain = run.run("ending", how, way=harness.PLAIN, expect=status)
                run.ledger_path.unlink(missing_ok=True)
                recorded = run.run("ending", how, expect=status)
                self.assertEqual((recorded.stdout, recorded.stderr), (plain.stdout, plain.stderr))
                if how in self.COMPLETE:
                    run.merge("--format", "json")
                    entry = run.summary()["slices"][0]
                    self.assertEqual(entry["kernels"]["count"], 100)
                    self.assertEqual(entry["health"]["unmatched"], 0)
                    self.assertFalse(entry["health"]["killed"])

    def test_launches_after_the_end_are_counted(self):
        """By the destructor of a static object, when the files have been closed."""
        run = harness.Run(self)
        run.run("ending", "destructor", expect=11)
        result = run.merge("--format", "json", "--strict", expect=2)
        health = run.summary()["slices"][0]["health"]
        self.assertEqual((health["matched"], health["dropped"]), (100, 50), result.stdout)

    def test_forked_children(self):
        run = harness.Run(self)
        quiet = {"ASAN_OPTIONS": "detect_leaks=0"}  # LeakSanitizer remarks on threads that a fork left behind
        plain = run.run("fork_around_init", way=harness.PLAIN, **quiet)
        recorded = run.run("fork_around_init", **quiet)
        self.assertEqual((recorded.stdout, recorded.stderr), (plain.stdout, plain.stderr))
        counts = {}
        for path in run.trace_files():
            dump = harness.Dump(path)
            counts[len(dump.records["kernel"])] = len(dump.records["trailer"]) > 0
        self.assertEqual(counts, {5: True, 50: True})

    def test_threads_that_come_and_go(self):
        run = harness.Run(self)
        run.run("many_short_threads")
        run.merge("--format", "json")
        entry = run.summary()["slices"][0]
        self.assertEqual(entry["kernels"]["count"], 750)
        self.assertEqual(entry["health"]["matched"], 750)

    def test_traces_are_private(self):
        run = harness.Run(self)
        run.run("copies", "--rounds", "1")
        self.assertEqual(run.traces.stat().st_mode & 0o777, 0o700)
        for path in run.trace_files():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_disabled_means_nothing_happens(self):
        run = harness.Run(self)
        result = run.run("copies", "--rounds", "1", MIGPROF_DISABLE="1")
        self.assertEqual(result.stderr, "")
        self.assertFalse(run.traces.exists())

    def test_without_stacks_the_times_are_still_there(self):
        run = harness.Run(self)
        run.run("copies", "--rounds", "3", MIGPROF_STACKS="off")
        run.merge("--format", "folded,json")
        self.assertTrue(all(frames[4] == "[stack not recorded]" for frames, _ in run.folded()))
        self.assertEqual(sum(value for _, value in run.folded()),
                         sum(row["end_ns"] - row["start_ns"] for row in run.ledger()))
        self.assertEqual(run.summary()["slices"][0]["health"]["stackless"], 0)


if __name__ == "__main__":
    harness.main()
