#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""migprof-merge --anonymize: no name is left in anything it writes, and every number is what it was."""

import json
import re
import unittest

import harness

MARKER = "Zqxwk"  # of letters only, so that no escape hides it
ALL = ("--format", "svg,html,folded,json,openmetrics", "--view", "gpu,idle,memory")

# Python that makes the simulated GPU work, in a file, a function and a range that are named after the marker.
SCRIPT = f"""
import ctypes, sys
open("/proc/self/comm", "w").write("{MARKER}_train")
cuda = ctypes.CDLL("libcuda.so.1")
library = ctypes.CDLL(sys.argv[1])
context, data = ctypes.c_void_p(), ctypes.c_uint64()
def check(result):
    assert result == 0, result
def {MARKER}_step(size):
    library.migprof_push(b"{MARKER} range")
    check(cuda.cuMemsetD8_v2(data, ctypes.c_ubyte(0), ctypes.c_size_t(size)))
    library.migprof_pop()
check(cuda.cuInit(0))
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
check(cuda.cuMemAlloc_v2(ctypes.byref(data), ctypes.c_size_t(64)))
for size in range(1, 9):
    {MARKER}_step(size)
check(cuda.cuCtxSynchronize())
"""


def texts_inside(path):
    """The file as it is, and every text in the data that SVG and HTML carry, with its escapes undone."""
    content = path.read_text(encoding="utf-8")
    texts = [content]

    def collect(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                texts.append(key)
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        elif isinstance(value, str):
            texts.append(value)

    if path.suffix in (".svg", ".html"):
        blocks = re.findall(r'<metadata class="mp-data"><!\[CDATA\[(.*?)\]\]></metadata>', content, re.S)
        blocks += re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', content, re.S)
        assert blocks, f"{path}: the data inside were not found"
        for block in blocks:
            collect(json.loads(block))
    if path.suffix == ".json":
        collect(json.loads(content))
    return texts


def is_marked(text):
    return MARKER.lower() in text.lower()


def without_names(summary):
    """The numbers of summary.json, in an order that does not depend on names."""
    slices = []
    for entry in summary["slices"]:
        for key in ("host", "boot_id", "gpu_uuid", "mig_uuid", "pci_bus_id"):
            del entry[key]
        for process in entry["processes"]:
            del process["name"], process["command_line"]
        for kernel in entry["metrics"]["top_kernels"]:
            del kernel["name"]
        slices.append(entry)
    return sorted(slices, key=lambda entry: json.dumps(entry, sort_keys=True))


class Anonymize(unittest.TestCase):
    def merge_both(self, run, *options):
        """(result, files) of a plain and of an anonymized merge of the same traces."""
        both = []
        for name, more in (("plain", ()), ("anonymous", ("--anonymize",))):
            run.report = run.folder / name
            result = run.merge(*ALL, *options, *more)
            both.append((result, sorted(path for path in run.report.rglob("*") if path.is_file())))
        return both

    def check(self, run, *options):
        (plain, plain_files), (anonymous, files) = self.merge_both(run, *options)
        self.assertTrue(is_marked(plain.stdout))
        for path in plain_files:  # else this test proves nothing
            if path.name != "summary.schema.json":
                self.assertTrue(any(map(is_marked, texts_inside(path))), path)
        self.assertEqual(len(files), len(plain_files))
        for path in files:
            self.assertFalse(is_marked(str(path.relative_to(run.folder))), path)
            self.assertEqual([text[:200] for text in texts_inside(path) if is_marked(text)], [], path)
        for text in (anonymous.stdout, anonymous.stderr):
            self.assertFalse(is_marked(text.replace(str(run.folder), "")), text)
        for view in ("folded.txt", "folded.idle.txt", "folded.memory.txt"):
            run.report = run.folder / "plain"
            expected = sorted((len(frames), ns) for frames, ns in run.folded(view))
            run.report = run.folder / "anonymous"
            self.assertEqual(sorted((len(frames), ns) for frames, ns in run.folded(view)), expected, view)
        run.report = run.folder / "plain"
        expected = without_names(run.summary())
        run.report = run.folder / "anonymous"
        self.assertEqual(without_names(run.summary()), expected)
        return anonymous

    def marked(self):
        run = harness.Run(self)
        run.traces.mkdir()
        run.run("marked_traces", MARKER, run.traces, way=harness.PLAIN)
        for path in run.trace_files():
            path.rename(run.traces / f"{MARKER}{path.name}")
        return run

    def test_of_traces_in_which_everything_is_marked(self):
        for options in ((), ("--lines",), ("--show-internals", "--show-interpreter"), ("--nvtx", "off")):
            with self.subTest(options=options):
                self.check(self.marked(), *options)

    def test_what_stays_and_what_becomes_of_names(self):
        run = self.marked()
        run.report = run.folder / "new"
        run.merge(*ALL, "--anonymize")
        first, second = run.summary()["slices"]
        self.assertEqual((first["host"], second["host"]), ("host_1", "host_2"))
        self.assertEqual({first["gpu_name"], second["gpu_name"]}, {"NVIDIA H100 80GB HBM3"})
        self.assertEqual({first["profile"], second["profile"]}, {"1g.10gb", None})
        for entry in (first, second):
            self.assertEqual({p["name"] for p in entry["processes"]}, {"process_1"})  # the same name on both hosts
            self.assertEqual(sorted(k["name"] for k in entry["metrics"]["top_kernels"]), ["kernel_1", "kernel_2"])
            tensor = [k["name"] for k in entry["metrics"]["top_kernels"] if k["uses_tensor_cores_estimate"]]
            self.assertEqual(len(tensor), 1)  # by a name that is gone
        names = {name for frames, _ in run.folded() for name in frames}
        self.assertLessEqual({"cuLaunchKernel", "memcpy HtoD", "range_1", "unnamed_1"}, names)
        self.assertTrue(any(re.fullmatch(r"python_\d+ \(file_\d+:30\)", name) for name in names), names)
        again = run.folder / "again"
        run.report = again
        run.merge(*ALL, "--anonymize")
        for path in (path for path in again.rglob("*") if path.is_file()):
            self.assertEqual(path.read_bytes(), (run.folder / "new" / path.relative_to(again)).read_bytes(), path)

    def test_problems_are_told_without_names(self):
        run = self.marked()
        good = next(run.traces.glob("*1.migtrace"))
        (run.traces / f"{MARKER}copy.migtrace").write_bytes(good.read_bytes())
        (run.traces / f"{MARKER}junk.migtrace").write_bytes(b"junk" * 100)
        result = self.check(run)
        self.assertIn("left out: a copy of another trace", result.stderr)
        self.assertIn("trace_2", result.stderr)

    @unittest.skipIf(harness.SANITIZED, "a library built with a sanitizer cannot be preloaded into Python")
    def test_of_a_recorded_run(self):
        run = harness.Run(self)
        folder = run.folder / f"{MARKER}_folder"
        folder.mkdir()
        script = folder / f"{MARKER}.py"
        script.write_text(SCRIPT)
        run.run("/usr/bin/python3", script, harness.LIBRARY, f"--token={MARKER}", MIGPROF_RECORD_ARGS="1")
        # The host's own name is no marker; the rest is.
        self.check_recorded(run)

    def check_recorded(self, run):
        (plain, _), (_, files) = self.merge_both(run)
        self.assertTrue(is_marked((run.folder / "plain" / "report.html").read_text()))
        host = run_host(run)
        self.assertIn(host, plain.stdout)
        for path in files:
            texts = texts_inside(path)
            self.assertEqual([text[:200] for text in texts if is_marked(text) or (len(host) > 5 and host in text)], [], path)

    def test_a_folder_with_names_in_it_is_refused(self):
        run = self.marked()
        run.report = run.folder / "used"
        run.merge()
        before = {path: path.read_bytes() for path in run.report.rglob("*") if path.is_file()}
        result = run.merge("--anonymize", expect=1)
        self.assertIn("may hold names", result.stderr)
        self.assertEqual({path: path.read_bytes() for path in run.report.rglob("*") if path.is_file()}, before)


def run_host(run):
    return harness.Dump(run.trace_files()[0]).facts("process")["host"]


if __name__ == "__main__":
    harness.main()
