#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python stacks in more than one interpreter, and in more than one process: equal to traceback.extract_stack() at each launch."""

import pathlib
import subprocess
import unittest

import harness
import pythons
from python_run import WORKLOADS, PythonRun, expected, with_python, without_fork_warning

# Where an interpreter's own library is, and what it is to be told of its home.
ASK = ("import sys, sysconfig; get = sysconfig.get_config_var;"
       "print(get('Py_ENABLE_SHARED') or 0, f\"{get('LIBDIR')}/{get('INSTSONAME')}\", sys.base_prefix, sep='\\n')")


def own_library(python):
    """(file, home), or None for an interpreter without one."""
    shared, file, home = subprocess.run([python.path, "-c", ASK], check=True, capture_output=True, text=True).stdout.splitlines()
    return (file, home) if pathlib.Path(file).exists() and (shared == "1" or ".so" in file) else None


@unittest.skipIf(harness.SANITIZED, "a library built with a sanitizer cannot be loaded into an interpreter that was not")
class PythonRuntimes(unittest.TestCase):
    def check_calls(self, run, calls):
        self.assertGreater(len(calls), 0)
        for call in calls:
            record = run.recorded[call["launch"]]
            self.assertEqual(record["flags"], 0, call)
            stack = [frame[:3] for frame in run.python_stack(record["python_stack_node"])]
            self.assertEqual(stack, expected(call), (run.python, call["kernel"]))

    def test_sub_interpreters(self):
        compared, limited = {}, {}
        for python in pythons.known_pythons():
            with self.subTest(python=python):
                run = PythonRun(self, python, str(WORKLOADS / "python_interpreters.py"))
                calls = run.logged_calls()
                inner = [call for call in calls if call["kernel"] == "sub"]
                outer = [call for call in calls if call["kernel"] == "main"]
                self.assertEqual({call["launch"] for call in calls}, set(run.recorded))
                self.check_calls(run, outer)
                run.merge("--format", "folded,json")
                health = run.summary()["slices"][0]["health"]
                self.assertEqual(health["python_lost"], 0)
                if python.version >= (3, 12):
                    self.check_calls(run, inner)
                    # The native stack goes on into the calls of the main interpreter, whose Python frames nobody has: counted and shown.
                    self.assertEqual(health["unspliced"], len(inner))
                    noted = [frames for frames, _ in run.folded() if "[Python frames not spliced]" in frames]
                    self.assertTrue(all(any("nested (<string>:" in frame for frame in frames) for frames in noted) and noted)
                    compared[python] = len(calls)
                else:
                    # docs/injection-safety.md, known limits: the frames of the interpreter that the thread's state was first made for.
                    for call in inner:
                        stack = run.python_stack(run.recorded[call["launch"]]["python_stack_node"])
                        self.assertEqual(stack[-1][0], "run", (python, stack))
                    limited[python] = len(inner)
        print("sub-interpreters:", *(f"{count} stacks equal on {python}" for python, count in compared.items()),
              *(f"{count} stacks show the main interpreter on {python}" for python, count in limited.items()), sep="\n  ")

    def test_a_library_opened_for_the_program_alone(self):
        tested = []
        for python in pythons.known_pythons():
            library = own_library(python)
            if library is None:
                continue
            with self.subTest(python=python):
                run = PythonRun(self, python)
                run.run("embed_python", *library, WORKLOADS / "python_embedded.py", **with_python({}))
                run.read(run.trace_files()[0])
                self.assertEqual(len(run.logged_calls()), len(run.recorded))
                self.check_calls(run, run.logged_calls())
                run.merge("--format", "json")
                self.assertEqual(run.summary()["slices"][0]["health"]["unspliced"], 0)
                tested.append(python)
        print("opened with RTLD_LOCAL:", *tested, sep="\n  ")
        if not tested:
            self.skipTest("no CPython with a shared library")

    def test_processes(self):
        for python in pythons.known_pythons():
            for how, processes in (("fork", 2), ("spawn", 3), ("forkserver", 3)):
                with self.subTest(python=python, how=how):
                    run = PythonRun(self, python)
                    command = (python.path, WORKLOADS / "python_processes.py", how)
                    plain = run.run(*command, way=harness.PLAIN, **with_python({}))
                    run.calls_path.unlink()
                    recorded = run.run(*command, **with_python({"MIGPROF_FLUSH_MS": "50"}))
                    self.assertEqual(recorded.stdout, plain.stdout)
                    self.assertEqual(without_fork_warning(recorded.stderr), without_fork_warning(plain.stderr))
                    pids = {call["pid"] for call in run.logged_calls()}
                    self.assertEqual(len(pids), processes)
                    files = run.trace_files()
                    self.assertEqual(len(files), processes)
                    ended = 0
                    for file in files:
                        run.read(file)
                        (pid,) = (pid for pid in pids if f".{pid}." in file.name)
                        calls = [call for call in run.logged_calls() if call["pid"] == pid]
                        self.assertEqual({call["launch"] for call in calls}, set(run.recorded))
                        self.check_calls(run, calls)
                        ended += len(run.dump.records["trailer"]) > 0
                    # Who leaves by os._exit, as a fork server's children do, writes no trailer.
                    self.assertEqual(ended, 1 if how == "forkserver" else processes)


if __name__ == "__main__":
    harness.main()
