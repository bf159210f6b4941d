#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Idle time by cause: what migprof says equals a slow computation from the ledger, to the nanosecond."""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness

CLASSES = {
    "copies": ("cuMemcpy",),
    "memory allocation": ("cuMemAlloc", "cuMemFree", "cuMemHost", "cuMemCreate", "cuMemPool", "cuMemRelease"),
    "synchronization": ("cuCtxSynchronize", "cuStreamSynchronize", "cuEventSynchronize"),
    "first launch": ("cuModuleLoad", "cuModuleGetFunction", "cuLibraryLoad", "cuLinkComplete", "cuLibraryGetModule",
                     "cuFuncLoad"),
}
KEYS = {"no process running": "no_process", "host code": "host", "synchronization": "synchronize", "copies": "copy",
        "memory allocation": "allocation", "first launch": "first_launch", "launch latency": "launch_latency",
        "unknown": "unknown"}


GIVE_WORK = ("cuLaunch", "cuGraphLaunch", "cuMemcpy", "cuMemset")


def class_of(name):
    if name.startswith(("cuMemHostGet", "cuMemPoolSet", "cuMemPoolGet", "cuLaunchHostFunc")):
        return None
    return next((cause for cause, starts in CLASSES.items() if name.startswith(starts)), None)


def is_recorded(row):
    return class_of(row["name"]) is not None or row["name"].startswith(GIVE_WORK)


def reference(rows, first_ns, window_ns, ends):
    """Idle nanoseconds by cause on one slice, from all ledger rows of it: the definitions of docs/metrics.md. `ends`:
    by process id, when its recording ended."""
    work = sorted((row for row in rows if row["kind"] != "call"), key=lambda row: row["start_ns"])
    # Several calls of the driver may be made by one call of the runtime and carry its id; those that migprof records, and
    # of calls inside of each other the outermost.
    calls, begin, blocking, first_launch = {}, {}, collections.defaultdict(list), {}
    returned = {}
    for row in sorted((row for row in rows if row["kind"] == "call"), key=lambda row: (row["start_ns"], -row["end_ns"])):
        cause = class_of(row["name"])
        gives_work = row["name"].startswith(GIVE_WORK)
        thread = row["pid"], row["thread"]
        if not (cause or gives_work) or row["end_ns"] <= returned.get(thread, 0):
            continue
        returned[thread] = row["end_ns"]
        begin.setdefault(row["pid"], row["start_ns"])
        if cause:
            blocking[thread].append((row["start_ns"], row["end_ns"], cause))
        if gives_work:
            calls[row["pid"], row["correlation_id"]] = row
    for row in work:
        if row["kind"] == "kernel":
            key = row["pid"], row["name"]
            asked = calls[row["pid"], row["correlation_id"]]["start_ns"]
            first_launch[key] = min(first_launch.get(key, asked), asked)
    last = {pid: ends[pid] for pid in begin}
    last_thread = {pid: max((row["start_ns"], row["thread"]) for row in rows
                            if row["pid"] == pid and row["kind"] == "call" and is_recorded(row))[1] for pid in begin}

    def without_work(start, end):
        """Time that no work ended: of processes that were there, or of nobody."""
        times = collections.Counter()
        edges = sorted({start, end, *(time for time in (*begin.values(), *last.values()) if start < time < end)})
        for left, right in zip(edges, edges[1:]):
            there = [pid for pid in begin if begin[pid] <= left < last[pid]]
            if not there:
                times["no process running"] += right - left
                continue
            pid = max(there, key=last.get)
            inside = 0
            for call_start, call_end, cause in blocking[pid, last_thread[pid]]:
                overlap = max(min(call_end, right) - max(call_start, left), 0)
                times[cause] += overlap
                inside += overlap
            times["host code"] += right - left - inside
        return times

    idle = collections.Counter()
    covered = first_ns
    for row in work:
        start, end = covered, row["start_ns"]
        covered = max(covered, row["end_ns"])
        if end <= start:
            continue
        call = calls[row["pid"], row["correlation_id"]]
        here = min(max(begin[row["pid"]], start), end)
        idle.update(without_work(start, here))
        asked = min(max(call["start_ns"], here), end)
        if row["kind"] != "kernel":
            reason = "copies"
        elif call["start_ns"] == first_launch[row["pid"], row["name"]]:
            reason = "first launch"
        else:
            reason = "launch latency"
        idle[reason] += end - asked
        inside = 0
        for call_start, call_end, cause in blocking[row["pid"], call["thread"]]:
            overlap = min(call_end, asked) - max(call_start, here)
            if overlap > 0:
                idle[cause] += overlap
                inside += overlap
        idle["host code"] += asked - here - inside
    idle.update(without_work(covered, first_ns + window_ns))
    return {KEYS[cause]: idle[cause] for cause in KEYS}


class Idle(unittest.TestCase):
    def check(self, *commands, **extra):
        run = harness.Run(self)
        for command in commands:
            run.run(*command, WORKLOAD_CALLS=None, SIMGPU_LEDGER_CALLS="1", **extra)
        run.merge("--format", "folded,json", "--view", "gpu,idle", "--no-inline")
        rows = collections.defaultdict(list)
        for row in run.ledger():
            rows[row["slice"]].append(row)
        # All threads share the simulated clock, and migprof and the simulator read it one after the other: what others spent
        # in between may be on either side. With one thread that is migprof's own, asking who the slice is.
        launching = {(row["pid"], row["thread"]) for row in run.ledger() if row["kind"] == "call" and row["slice"]}
        spent = sum(row["end_ns"] - row["start_ns"] for row in run.ledger() if row["kind"] == "call" and not row["slice"])
        slack = spent if len(launching) == len(commands) else run.summary()["slices"][0]["window_ns"] // 50
        ends = {}
        for trace in map(harness.Dump, run.trace_files()):
            pid = int(trace.facts("process")["pid"])
            ends[pid] = trace.facts("trailer")["end_ns"]
            # Nothing moves the simulated clock after the last call of a program but that call itself.
            last = max(row["end_ns"] for row in run.ledger() if row["pid"] == pid and "end_ns" in row)
            self.assertLess(abs(ends[pid] - last), 2_000_000)
        folded = collections.Counter()
        for line in (run.report / "folded.idle.txt").read_text().splitlines():
            path, _, ns = line.rpartition(" ")
            folded[path.split(";")[-1]] += int(ns)
        total = collections.Counter()
        causes = set()
        for entry in run.summary()["slices"]:
            idle = entry["idle_ns"]
            expected = reference(rows[entry["mig_uuid"] or entry["gpu_uuid"]], entry["first_ns"], entry["window_ns"], ends)
            for cause, ns in idle.items():
                self.assertLessEqual(abs(ns - expected[cause]), slack, (cause, idle, expected))
            self.assertEqual(sum(idle.values()), entry["window_ns"] - entry["busy_ns"])
            total.update(idle)
            causes.update(cause for cause, ns in idle.items() if ns)
        self.assertEqual({KEYS[name]: ns for name, ns in folded.items()}, {key: ns for key, ns in total.items() if ns})
        return run, causes

    def test_training(self):
        _, causes = self.check(("training_loop", "--steps", "30"))
        self.assertTrue({"host", "copy", "first_launch", "launch_latency", "allocation"} <= causes, causes)

    def test_inference(self):
        self.check(("inference_server", "--workers", "3", "--requests", "6", "--layers", "4"))

    @unittest.skipUnless((harness.BIN / "stream_pipeline").exists(), "needs nvcc, and is not built with sanitizers")
    def test_streams(self):
        self.check(("stream_pipeline",))

    def test_graphs(self):
        self.check(("graph_replay", "--replays", "40"))

    def test_copies(self):
        self.check(("copies",))

    def test_several_processes_on_one_slice(self):
        # On the simulated clock every process begins at the same moment.
        self.check(("training_loop", "--steps", "5"), ("graph_replay", "--replays", "5"))


@unittest.skipIf(harness.SANITIZED, "a sanitized library cannot be preloaded into programs that are not")
class ThreeTenants(unittest.TestCase):
    def test_the_wasted_slice_and_the_function_that_starves_it_are_found(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="migprof-test-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        subprocess.run([harness.SOURCE / "examples" / "three_tenants.sh", folder], check=True, stdout=subprocess.PIPE,
                       env={**os.environ, "BUILD": str(harness.BUILD)})
        slices = json.loads((folder / "summary.json").read_text())["slices"]
        busy = {entry["gpu_instance_id"]: 100 * entry["busy_ns"] / entry["window_ns"] for entry in slices}
        for instance, percent in {3: 85, 4: 48, 5: 93.6}.items():
            self.assertAlmostEqual(busy[instance], percent, delta=0.1)
        wasted = next(entry for entry in slices if entry["gpu_instance_id"] == 4)
        starved = sum(int(line.rpartition(" ")[2]) for line in (folder / "folded.idle.txt").read_text().splitlines()
                      if wasted["mig_uuid"][:12] in line and "::LoadBatch()" in line)
        self.assertGreater(starved / sum(wasted["idle_ns"].values()), 0.9)


if __name__ == "__main__":
    harness.main()
