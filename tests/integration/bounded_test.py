#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recordings within MIGPROF_MAX_BYTES and MIGPROF_WINDOW. What the simulated GPU executed is held against what is there and what is
said to have been deleted. BOUNDED_KILLS says at how many moments a process is killed; BOUNDED_SEED repeats a run."""

import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import threading
import time
import unittest

import accounting
import harness

KILLS = int(os.environ.get("BOUNDED_KILLS", "3"))
SEED = int(os.environ.get("BOUNDED_SEED", time.time_ns() % 1_000_000))
LIMIT = 1 << 20
ROOM = {"MIGPROF_RING_KB": "16384", "MIGPROF_MAX_MEMORY": "1G"}  # what is lost here is lost on disk, however busy the machine


def recording_of(path):
    """Name without segment, and the number of the segment."""
    name, number = path.name.removesuffix(".migtrace").rsplit(".", 1)
    return name, int(number)


class FolderWatch(threading.Thread):
    """Looks at the sizes of all files of a folder, all the time. Newest files first: what grows is looked at before what may be
    deleted meanwhile, so that the sum is never more than there was at a time."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.most, self.least_when_full, self.looks, self.ends = pathlib.Path(folder), 0, None, 0, threading.Event()

    def run(self):
        while not self.ends.is_set():
            newest, files = {}, list(self.folder.glob("*.migtrace")) if self.folder.exists() else []
            for path in files:
                name, number = recording_of(path)
                newest[name] = max(newest.get(name, -1), number)
            files.sort(key=lambda path: recording_of(path)[1] != newest[recording_of(path)[0]])
            total = 0
            for path in files:
                try:
                    total += path.stat().st_size
                except FileNotFoundError:
                    pass
            self.most = max(self.most, total)
            self.looks += 1
            time.sleep(0.0005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


class Segment:
    """One file."""

    def __init__(self, path):
        self.path = path
        self.recording, self.number = recording_of(path)
        dump = harness.Dump(path)
        counts = accounting.TraceCounts(path, dump)
        self.slice, self.work, self.closed, self.counters = counts.slice, counts.work, counts.closed, counts.counters
        self.calls = [call for call in dump.records["call"] if not call["flags"] & 16]
        self.launches = sum(call["class"] <= 4 for call in self.calls)
        times = [call["time"] for call in self.calls]
        times += [row["time"] for kind in ("allocation", "graph_nodes") for row in dump.records[kind] if not row["flags"]]
        times += [row["start"] for kind in ("kernel", "transfer", "synchronization") for row in dump.records[kind] if row["start"]]
        self.first_ns = min(times, default=0)
        # Each chunk tells of all gaps; the last one counts. Chunks begin with the first gap.
        self.rotated = []
        for row in dump.records["rotated"]:
            if self.rotated and row["first_segment"] <= self.rotated[-1]["first_segment"]:
                self.rotated = []
            self.rotated.append(row)


class Slice:
    """All files of a slice: what they hold, without those that are counted as deleted though they are there."""

    def __init__(self, segments):
        self.segments = sorted(segments, key=lambda segment: segment.number)
        self.rotated = max((s.rotated for s in self.segments), key=lambda rows: sum(row["segments"] for row in rows))
        self.kept = [s for s in self.segments
                     if not any(row["first_segment"] <= s.number <= row["last_segment"] for row in self.rotated)]
        self.work = sum((s.work for s in self.kept), collections.Counter())
        self.launches = sum(s.launches for s in self.kept)
        self.calls = sum(len(s.calls) for s in self.kept)

    def sum(self, *columns):
        return sum(row[column] for row in self.rotated for column in columns)

    @property
    def rotated_activities(self):
        return self.sum("kernels", "transfers", "graph_runs")


def read(run):
    by_slice = collections.defaultdict(list)
    for path in run.trace_files():
        if path.stat().st_size > 0:  # between its creation and its first chunk there is nothing in a file
            segment = Segment(path)
            by_slice[segment.slice].append(segment)
    return {uuid: Slice(segments) for uuid, segments in by_slice.items() if uuid}


class Bounded(unittest.TestCase):
    def check(self, run, killed=False):
        """Holds the traces and the merge against the ledger. Returns the slices and the merge's health of each."""
        in_order = collections.defaultdict(list)
        for row in accounting.ledger_of(run, cut=killed):
            in_order[row["slice"]].append(accounting.work_of(row))
        executed = collections.Counter(work for works in in_order.values() for work in works)
        done = {uuid: len(works) for uuid, works in in_order.items()}
        slices = read(run)
        run.merge("--format", "json,folded")
        health = {entry["mig_uuid"] or entry["gpu_uuid"]: entry["health"] for entry in run.summary()["slices"]}
        for uuid, one in slices.items():
            numbers = f"{uuid}: executed {done[uuid]}, {health[uuid]}"
            untimed = collections.Counter({work: count for work, count in one.work.items() if work[-2] == 0})
            self.assertFalse((one.work - untimed) - executed, numbers)
            found = sum(one.work.values()) + one.rotated_activities
            if not killed:
                lost = one.segments[-1].counters["process.dropped_activities"]
                self.assertEqual(found + lost, done[uuid], numbers)
                self.assertFalse(health[uuid]["killed"])
                self.assertEqual(health[uuid]["unmatched"] + health[uuid]["orphaned"] + health[uuid]["dropped"], 0, numbers)
                self.assertEqual(health[uuid]["damaged_bytes"] + health[uuid]["missing_chunks"], 0, numbers)
            else:
                # All that was done up to some moment: what comes last in the files is that far in the ledger.
                order = {work: place for place, work in enumerate(in_order[uuid])}
                self.assertEqual(found, max((order[work] + 1 for work in one.work - untimed), default=found), numbers)
                self.assertTrue(health[uuid]["killed"])
                self.assertEqual(health[uuid]["missing_chunks"], 0, numbers)
            mine = health[uuid]
            self.assertEqual(mine["rotated_activities"], one.rotated_activities, numbers)
            self.assertEqual(mine["rotated_launches"], one.sum("launches"), numbers)
            self.assertEqual(mine["rotated_files"], one.sum("segments"), numbers)
            self.assertEqual(mine["launches"], one.launches, numbers)
            self.assertEqual(mine["launches"], mine["matched"] + mine["unmatched"] + mine["captured"] + mine["failed"]
                             + mine["cut_off_launches"], numbers)
        if not killed and slices:  # every call that was recorded is there or counted
            counters = next(iter(slices.values())).segments[-1].counters
            calls = sum(one.calls + one.sum("launches", "other_calls") for one in slices.values())
            self.assertEqual(counters["process.calls"], calls + counters["process.unrouted_calls"])
        return slices, health

    def test_bytes_are_bounded_on_all_slices_at_once(self):
        run = harness.Run(self, "two-gpus.json")
        with FolderWatch(run.traces) as watch:
            run.run("bounded_load", "--rounds", 3000, MIGPROF_MAX_BYTES="1M", MIGPROF_FLUSH_MS=100, SIMGPU_CLOCK="real", **ROOM)
        self.assertGreater(watch.looks, 20)
        self.assertLessEqual(watch.most, LIMIT)
        slices, health = self.check(run)
        self.assertGreater(len(slices), 2)
        self.assertGreater(sum(one["rotated_files"] for one in health.values()), 8)
        left = sum(path.stat().st_size for path in run.trace_files())
        self.assertLessEqual(left, LIMIT)
        self.assertGreaterEqual(left, LIMIT * 3 // 4)
        summary = run.summary()["slices"]
        for entry in summary:
            uuid = entry["mig_uuid"] or entry["gpu_uuid"]
            # The window begins with what is there.
            self.assertEqual(entry["first_ns"], min(segment.first_ns for segment in slices[uuid].kept if segment.first_ns))
            self.assertFalse(entry["loss"], entry["health"])
            # What was captured and taken at the start is known to the end.
            self.assertEqual(entry["health"]["graph_unattributed"], 0)
            if entry["health"]["rotated_files"]:
                self.assertEqual(entry["metrics"]["memory"]["unknown_releases"], 0)
                self.assertGreaterEqual(entry["metrics"]["memory"]["peak_bytes"], 3 << 20)
        graph_ns = sum(ns for frames, ns in run.folded() if any("CapturedAtTheStart" in frame for frame in frames))
        self.assertGreater(graph_ns, 0)
        run.merge("--strict")  # what was to be deleted is no loss

    def test_every_output_says_what_was_deleted(self):
        run = harness.Run(self)
        run.run("bounded_load", "--rounds", 24000, "--devices", 1, MIGPROF_MAX_BYTES="1M", MIGPROF_FLUSH_MS=100,
                SIMGPU_CLOCK="real", SIMGPU_LEDGER=None)
        run.merge("--format", "json")
        mine = run.summary()["slices"][0]["health"]
        self.assertGreater(mine["rotated_files"], 0)
        table = run.merge("--format", "svg,html,json,openmetrics").stdout
        self.assertIn(f"deleted with {mine['rotated_files']} old files", table)
        pages = list(run.report.rglob("*.svg")) + list(run.report.rglob("*.html"))
        self.assertGreaterEqual(len(pages), 2)
        for page in pages:
            self.assertIn("old files", page.read_text(), page)
        metrics = next(run.report.rglob("*openmetrics*")).read_text()
        self.assertRegex(metrics, r"migprof_slice_launches_rotated_total\{.*\} %d(\.0)? " % mine["rotated_launches"])
        anonymous = run.folder / "anonymous"
        subprocess.run([str(harness.BIN / "migprof-merge"), "--anonymize", "--format", "json", "-o", str(anonymous), str(run.traces)],
                       check=True, capture_output=True)
        self.assertIn(f'"rotated_launches": {mine["rotated_launches"]}', (anonymous / "summary.json").read_text())
        # A copy of a file counts once.
        shutil.copy(run.trace_files()[0], run.traces / "copy.migtrace")
        result = run.merge("--format", "json")
        self.assertIn("a copy of", result.stdout + result.stderr)
        self.assertEqual(run.summary()["slices"][0]["health"], mine)

    def test_killed_in_the_middle(self):
        chosen = random.Random(SEED)
        rotated = 0
        for number in range(KILLS):
            moment_s = chosen.uniform(0, 0.5)  # after the first file was deleted
            with self.subTest(seed=SEED, number=number, moment_s=moment_s):
                run = harness.Run(self, "two-gpus.json")
                process = run.start("bounded_load", "--rounds", 10_000_000, MIGPROF_MAX_BYTES="1M", MIGPROF_FLUSH_MS=50,
                                    SIMGPU_CLOCK="real", **ROOM)
                with FolderWatch(run.traces) as watch:
                    while not any(recording_of(path)[1] > 3 for path in run.trace_files()):
                        self.assertIsNone(process.poll())
                        time.sleep(0.001)
                    time.sleep(moment_s)
                    process.kill()
                    out, err = process.communicate()
                self.assertEqual((out, err), ("", ""))
                self.assertLessEqual(watch.most, LIMIT)
                _, health = self.check(run, killed=True)
                rotated += sum(one["rotated_files"] for one in health.values())
        self.assertGreater(rotated, 0)
        print(f"{KILLS} kills, {rotated} files deleted before them")

    def test_a_full_disk_costs_events_and_not_the_program(self):
        run = harness.Run(self, "two-gpus.json")
        run.traces.mkdir()
        kept = run.folder / "kept"
        script = (f"mount -t tmpfs -o size=1200k none {run.traces} || exit 77; ( "
                  # Once old files have been deleted there is suddenly no room left, and what is freed goes to somebody else.
                  f"cd {run.traces}; until ls *.000003.migtrace && [ $(ls *.000000.migtrace | wc -l) -lt 7 ]; do sleep 0.01; done; while :; do cat /dev/zero >>filler; done ) "
                  f">/dev/null 2>&1 & "
                  f"filler=$!; {harness.BIN}/bounded_load --rounds 4500; status=$?; kill $filler 2>/dev/null; unset LD_PRELOAD CUDA_INJECTION64_PATH; cp -r {run.traces} {kept}; exit $status")
        probe = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", str(run.traces)], capture_output=True)
        if probe.returncode != 0:
            self.skipTest("no tmpfs can be mounted here")
        result = subprocess.run(["unshare", "-Urm", "/bin/sh", "-c", script], text=True, capture_output=True, timeout=120,
                                env=run.environment(MIGPROF_MAX_BYTES="1M", MIGPROF_FLUSH_MS="50", SIMGPU_CLOCK="real"))
        self.assertEqual(result.returncode, 0, result.stderr)
        # On a busy machine questions to NVML may take too long, and are given up.
        said = [line for line in result.stderr.splitlines() if "no more NVML counters" not in line]
        self.assertEqual(len(said), 2, result.stderr)
        # Nothing is deleted whose numbers wait in memory, so that there is no room for more.
        self.assertIn("nothing can be written for now", said[0])
        self.assertRegex(said[1], r"No space left on device; \d+ launches and \d+ activities are missing$")
        run.traces = kept
        self.check_prefix(run)

    def check_prefix(self, run):
        executed = collections.Counter(accounting.work_of(row) for row in run.ledger())
        for one in read(run).values():
            untimed = collections.Counter({work: count for work, count in one.work.items() if work[-2] == 0})
            self.assertFalse((one.work - untimed) - executed)
            done = sum(count for work, count in executed.items() if work[0] == one.segments[0].slice)
            self.assertLess(sum(one.work.values()) + one.rotated_activities, done)
        run.merge("--format", "json")
        self.assertTrue(all(entry["loss"] for entry in run.summary()["slices"]))
        self.assertGreater(sum(entry["health"]["rotated_files"] for entry in run.summary()["slices"]), 0)


class Window(unittest.TestCase):
    """A program that is told what to do, kernels of 10 ms on the simulated clock, and a window of a second: a hundred kernels."""

    def setUp(self):
        self.traced = harness.Run(self)
        (self.traced.folder / "kernels.json").write_text(json.dumps([{"match": ".*", "base_ns": 10_000_000, "wave_ns": 0}]))

    def start(self, **environment):
        environment = self.traced.environment(MIGPROF_WINDOW="1s", MIGPROF_FLUSH_MS="50", MIGPROF_CONTROL=self.traced.folder / "control",
                                           SIMGPU_KERNELS=self.traced.folder / "kernels.json", **environment)
        self.process = subprocess.Popen([str(harness.BIN / "controlled")], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, cwd=self.traced.folder, env=environment)
        self.addCleanup(self.process.kill)
        self.assertEqual(self.process.stdout.readline(), "ready\n")

    def do(self, line, expect):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.assertEqual(self.process.stdout.readline().strip(), expect, line)

    def work(self, rounds):
        """Ten kernels a round, and time to write them."""
        for _ in range(rounds):
            self.do("launch 10", "ok")
            self.do("sync", "ok")
            self.do("wait 70", "ok")

    def end(self):
        out, err = self.process.communicate(timeout=60)
        self.assertEqual((self.process.returncode, err), (0, ""))

    def correlations(self):
        return {work[4] for one in read(self.traced).values() for work in one.work}

    def executed(self):
        return [row["correlation_id"] for row in self.traced.ledger()]

    def check(self):
        one = next(iter(read(self.traced).values()))
        executed = self.executed()
        self.assertEqual(sum(one.work.values()) + one.rotated_activities, len(executed))
        self.traced.merge("--format", "json", "--strict")
        health = self.traced.summary()["slices"][0]["health"]
        self.assertEqual(health["rotated_launches"], one.sum("launches"))
        self.assertEqual(health["launches"] + health["rotated_launches"], len(executed))
        self.assertEqual(health["unmatched"] + health["orphaned"], 0, health)
        return one, health

    def test_the_last_window_remains_at_the_end(self):
        self.start()
        self.work(40)
        self.end()
        one, health = self.check()
        self.assertGreater(health["rotated_files"], 0)
        kept = self.correlations()
        self.assertLessEqual(set(self.executed()[-99:]), kept)
        self.assertLess(len(kept), 400)
        entry = self.traced.summary()["slices"][0]
        self.assertEqual(entry["not_recorded_ns"], 0)
        self.assertLess(entry["window_ns"], 400 * 10_000_000)

    def test_dumps_stay(self):
        """By command and by the C API, several times; between them nothing is known, and said so."""
        self.start()
        dumped = set()
        for dump in range(3):
            self.work(30)
            if dump % 2 == 0:
                self.do("flush", "1")
            else:
                subprocess.run([str(harness.BIN / "migprof"), "flush", str(self.process.pid)], check=True, capture_output=True,
                               env=self.traced.environment(MIGPROF_CONTROL=self.traced.folder / "control", way=harness.PLAIN))
            now = self.correlations()
            self.assertLessEqual(set(self.executed()[-99:]), now)
            self.assertLessEqual(dumped, now)
            dumped |= now
        self.work(30)
        self.end()
        one, health = self.check()
        kept = self.correlations()
        self.assertLessEqual(dumped, kept)
        self.assertLessEqual(set(self.executed()[-99:]), kept)
        self.assertGreater(len(one.rotated), 2)
        entry = self.traced.summary()["slices"][0]
        gaps_ns = len(self.executed()) * 10_000_000 - entry["busy_ns"]
        self.assertGreater(entry["not_recorded_ns"], gaps_ns // 4)
        self.assertFalse(entry["loss"])

    def test_stopped_time_does_not_age_what_is_there(self):
        self.start()
        self.work(15)
        self.do("stop", "1")
        before = self.correlations()
        self.do("other 500", "ok")
        self.do("sync", "ok")
        self.do("wait 300", "ok")
        self.assertEqual(self.correlations(), before)
        self.do("start", "1")
        self.work(1)
        self.end()
        self.traced.merge("--format", "json")
        self.assertFalse(self.traced.summary()["slices"][0]["loss"])

    def test_killed_with_a_window(self):
        self.start()
        self.work(30)
        self.process.kill()
        self.process.communicate()
        one = next(iter(read(self.traced).values()))
        self.assertLessEqual(set(self.executed()[-99:-10]), self.correlations())
        self.assertGreater(one.rotated_activities, 0)


if __name__ == "__main__":
    harness.main()
