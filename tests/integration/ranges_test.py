#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranges of NVTX and of migprof's header are frames outside the host stack, in C++ and in Python."""

import re
import unittest

import harness

# Bytes of a memset -> the ranges it is in, as examples/workloads/ranges.cc opens them.
EXPECTED = {
    1: ["whole program", "outer"],
    2: ["whole program", "outer", "inner é€"],
    3: ["whole program", "outer", "own"],
    4: ["whole program", "own"],
    5: ["whole program"],
    6: ["NCCL: registered", "plain"],
    7: ["plain"],
    8: ["epoch", "step"],
    9: [],
    10: ["step"],
    11: [],
    12: ["deep"] * 64,
    13: [],
}

# What the README says about ranges from Python, word for word.
SNIPPET = re.search(r"```python\n(.*?)```", (harness.SOURCE / "README.md").read_text(), re.S)[1]

PYTHON = SNIPPET + """
cuda = ctypes.CDLL("libcuda.so.1")
push, pop = lambda name: migprof("migprof_push", name), lambda: migprof("migprof_pop")
context, data = ctypes.c_void_p(), ctypes.c_uint64()
def check(result):
    assert result == 0, result
check(cuda.cuInit(0))
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
check(cuda.cuMemAlloc_v2(ctypes.byref(data), ctypes.c_size_t(64)))
push(b"epoch 1")
push("Schritt \u00fc".encode())
check(cuda.cuMemsetD8_v2(data, ctypes.c_ubyte(0), ctypes.c_size_t(1)))
pop()
check(cuda.cuMemsetD8_v2(data, ctypes.c_ubyte(0), ctypes.c_size_t(2)))
pop()
check(cuda.cuMemsetD8_v2(data, ctypes.c_ubyte(0), ctypes.c_size_t(3)))
check(cuda.cuCtxSynchronize())
print("done")
"""


class Ranges(unittest.TestCase):
    def ranges_of_memsets(self, run):
        """Bytes -> names of the ranges, outermost first, as recorded."""
        found = {}
        for path in run.trace_files():
            dump = harness.Dump(path)
            nodes = {node["id"]: node for node in dump.records["range_node"]}
            calls = {call["correlation"]: call for call in dump.records["call"]}
            for transfer in dump.records["transfer"]:
                names, node = [], calls[transfer["correlation"]]["range_node"]
                while node:
                    names.insert(0, (nodes[node]["domain"] + ": " if nodes[node]["domain"] else "") + nodes[node]["name"])
                    node = nodes[node]["parent"]
                found[transfer["bytes"]] = [bytes(name, "latin-1").decode("unicode_escape").encode("latin-1").decode()
                                            for name in names]
        return found

    def check(self, run, expected, lost=0):
        self.assertEqual(self.ranges_of_memsets(run), expected)
        run.merge("--format", "folded,json")
        health = run.summary()["slices"][0]["health"]
        self.assertEqual(health["ranges_lost"], lost)
        self.assertEqual((health["unmatched"], health["dropped"], health["stackless"], health["truncated"]), (0, 0, 0, 0))
        self.assertEqual(run.summary()["slices"][0]["loss"], lost != 0)
        executed = sum(row["end_ns"] - row["start_ns"] for row in run.ledger())
        shown = run.folded()
        self.assertEqual(sum(ns for _, ns in shown), executed)
        for ranges in expected.values():  # outside the host frames, right behind the process
            self.assertTrue(any(frames[4:4 + len(ranges)] == ranges for frames, _ in shown), ranges)
        run.merge("--format", "folded", "--nvtx", "off")
        plain = run.folded()
        self.assertEqual(sum(ns for _, ns in plain), executed)
        names = {name for ranges in expected.values() for name in ranges}
        self.assertFalse([frames for frames, _ in plain if names & set(frames)])

    def test_of_nvtx_and_of_the_header(self):
        run = harness.Run(self)
        run.run("ranges", NVTX_INJECTION64_PATH=str(harness.LIBRARY) if harness.SANITIZED else None)
        self.check(run, EXPECTED, lost=6)
        self.assertIn("6 ranges lost", run.merge("--format", "json").stdout)
        counters = harness.Dump(run.trace_files()[0]).facts("trailer")
        self.assertEqual(counters["ranges_lost"], 6)

    def test_in_python(self):
        if harness.SANITIZED:
            self.skipTest("a library built with a sanitizer cannot be preloaded into Python")
        for way in (harness.PRELOAD, harness.INJECT):
            with self.subTest(way=way):
                run = harness.Run(self)
                run.run("/usr/bin/python3", "-c", PYTHON, way=way)
                self.check(run, {1: ["epoch 1", "Schritt ü"], 2: ["epoch 1"], 3: []})

    def test_in_python_without_migprof(self):
        if harness.SANITIZED:
            self.skipTest("a simulated GPU built with a sanitizer cannot be loaded into Python")
        result = harness.Run(self).run("/usr/bin/python3", "-c", PYTHON, way=harness.PLAIN)
        self.assertEqual((result.stdout, result.stderr), ("done\n", ""))

    def test_programs_that_are_not_recorded_run_as_ever(self):
        for way, extra in ((harness.PLAIN, {}), (harness.DEFAULT_WAY, {"MIGPROF_DISABLE": "1"}),
                           (harness.PLAIN, {"NVTX_INJECTION64_PATH": str(harness.LIBRARY)}),
                           (harness.DEFAULT_WAY, {"SIMGPU_FAULTS": "second-client=Nsight Systems"})):
            with self.subTest(way=way, extra=extra):
                run = harness.Run(self)
                self.assertEqual(run.run("ranges", way=way, **extra).stdout, "said what it did\n")

    def test_somebody_elses_nvtx_tool_is_left_alone(self):
        run = harness.Run(self)
        run.run("ranges", NVTX_INJECTION64_PATH="/nonexistent/libother.so")
        self.assertEqual(set(map(tuple, self.ranges_of_memsets(run).values())), {(), ("own",)})


if __name__ == "__main__":
    harness.main()
