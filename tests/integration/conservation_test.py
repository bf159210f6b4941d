#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost and nothing invented: what the flamegraphs show equals what the simulated GPU says it executed, to the nanosecond
and kernel by kernel, and every call is shown at the place the program itself says it was made."""

import collections
import unittest

import harness

WORKLOADS = [
    ("inference_server", "--workers", "3", "--requests", "3", "--layers", "4"),
    ("training_loop", "--steps", "4", "--layers", "6"),
    ("graph_replay", "--replays", "10", "--layers", "6"),
    ("copies", "--rounds", "5"),
    ("all_devices", "--steps", "50"),
]
CUDA_PROGRAMS = [("vector_add",), ("stream_pipeline",)]

CLASS_OF_WORK = {"memset": 4, "graph": 2}


def available_workloads():
    return WORKLOADS + [program for program in CUDA_PROGRAMS if (harness.BIN / program[0]).exists()]


class Conservation(unittest.TestCase):
    def check_run(self, run):
        run.merge("--format", "folded,json")
        summary = run.summary()
        self.assertTrue(summary["simulated"])
        self.check_totals(run, summary)
        dumps = [harness.Dump(path) for path in run.trace_files()]
        self.check_kernel_by_kernel(run, dumps)
        self.check_call_sites(run, dumps)
        for entry in summary["slices"]:
            health = entry["health"]
            self.assertEqual(health["launches"],
                             health["matched"] + health["unmatched"] + health["captured"] + health["failed"])
            for loss in ("unmatched", "dropped", "untimed", "orphaned", "stackless", "truncated", "python_lost", "unspliced", "damaged_bytes", "failed"):
                self.assertEqual(health[loss], 0, (loss, entry["profile"]))

    def check_totals(self, run, summary):
        executed = collections.Counter()
        kernels = collections.Counter()
        for row in run.ledger():
            executed[row["slice"]] += row["end_ns"] - row["start_ns"]
            kernels[row["slice"]] += row["kind"] == "kernel"
        self.assertTrue(executed)
        by_uuid = {entry["mig_uuid"] or entry["gpu_uuid"]: entry for entry in summary["slices"]}
        self.assertEqual(set(by_uuid), set(executed))
        drawn = collections.Counter()
        for frames, value in run.folded():
            # The slice's frame ends in the first digits of its UUID; for a whole GPU the GPU's frame does.
            for uuid in executed:
                if f"({uuid[:12]})" in (frames[2] if uuid.startswith("MIG") else frames[1]):
                    drawn[uuid] += value
            self.assertIn("[simulated]", frames[1])
        self.assertEqual(drawn, executed)
        for uuid, entry in by_uuid.items():
            self.assertEqual(entry["kernels"]["count"], kernels[uuid])
            self.assertLessEqual(entry["busy_ns"], entry["window_ns"])
            self.assertEqual(entry["busy_ns"], union_of([(row["start_ns"], row["end_ns"]) for row in run.ledger()
                                                         if row["slice"] == uuid]))

    def check_kernel_by_kernel(self, run, dumps):
        recorded = collections.Counter()
        for dump in dumps:
            facts = dump.facts("slice")
            process = dump.facts("process")
            uuid = facts["mig_uuid"] or facts["gpu_uuid"]
            for kernel in dump.records["kernel"]:
                recorded[(uuid, int(process["pid"]), "kernel", kernel["name"], kernel["start"],
                          kernel["start"] + kernel["duration"], kernel["correlation"], kernel["graph_node"])] += 1
            for transfer in dump.records["transfer"]:
                kind = "memset" if transfer["what"] == 64 else "memcpy"
                recorded[(uuid, int(process["pid"]), kind, transfer["bytes"], transfer["start"],
                          transfer["start"] + transfer["duration"], transfer["correlation"], transfer["graph_node"])] += 1
        executed = collections.Counter()
        for row in run.ledger():
            what = row["name"] if row["kind"] == "kernel" else row["bytes"]
            executed[(row["slice"], row["pid"], row["kind"], what, row["start_ns"], row["end_ns"], row["correlation_id"],
                      row["graph_node_id"])] += 1
        self.assertEqual(recorded, executed)

    def check_call_sites(self, run, dumps):
        """The i-th call of a thread, as the program logged it, is the i-th that was recorded, and its stack holds the site."""
        if harness.SANITIZED:
            return  # instrumentation moves code about, so that the two addresses around a call do not enclose it
        logged = collections.defaultdict(list)
        for call in run.logged_calls():
            logged[(call["pid"], call["tid"])].append(call)
        recorded = collections.defaultdict(list)
        for dump in dumps:
            pid = int(dump.facts("process")["pid"])
            threads = {thread["id"]: thread["system_id"] for thread in dump.records["thread"]}
            stacks = dump.stacks()
            for call in dump.records["call"]:
                if call["class"] <= 4:
                    recorded[(pid, threads[call["thread"]])].append((call["correlation"], call, stacks[call["stack_node"]]))
        sites = 0
        for thread, calls in logged.items():
            made = self.without_unlogged(recorded[thread], calls)  # in the order in which the thread made them
            self.assertEqual(len(made), len(calls), thread)
            for call, (_, record, stack) in zip(calls, made):
                inside = [offset for module, offset in stack
                          if module == call["module"] and call["low"] < offset <= call["high"]]
                self.assertTrue(inside, (call, record, stack))
                sites += 1
        self.assertGreater(sites, 0)

    @staticmethod
    def without_unlogged(made, calls):
        """The .cu programs log their launches, not their copies."""
        kinds = {CLASS_OF_WORK.get(call["work"], 3 if call["work"].startswith("memcpy") else 1) for call in calls}
        return [entry for entry in made if entry[1]["class"] in kinds]

    def test_every_workload_on_every_slice_of_every_topology(self):
        for topology in harness.TOPOLOGIES:
            run_of = lambda: harness.Run(self, topology.name)
            for workload in available_workloads():
                with self.subTest(topology=topology.name, workload=workload[0]):
                    run = run_of()
                    if workload[0] == "all_devices":
                        run.run(*workload)
                    else:
                        for uuid in harness.slices_of(topology):
                            run.run(*workload, CUDA_VISIBLE_DEVICES=uuid)
                    self.check_run(run)

    def test_the_way_in_makes_no_difference(self):
        ways = [harness.INJECT] if harness.SANITIZED else [harness.PRELOAD, harness.INJECT, harness.BOTH]
        for way in ways:
            with self.subTest(way=way):
                run = harness.Run(self)
                run.run("training_loop", "--steps", "3", way=way)
                self.assertEqual(len(run.trace_files()), 1)
                self.check_run(run)

    @unittest.skipIf("thread" in harness.SANITIZED, "there is no libunwind under ThreadSanitizer")
    def test_every_captured_stack_equals_libunwinds(self):
        run = harness.Run(self)
        for command in available_workloads():
            run.run(*command, MIGPROF_CHECK_STACKS="1")
        checked = 0
        for path in run.trace_files():
            dump = harness.Dump(path)
            counters = {line.split("=")[0]: int(line.split("=")[1]) for line in dump.text.splitlines() if line.startswith("trailer")}
            checked += counters["trailer process.stacks_checked"]
            self.assertEqual(counters["trailer process.stacks_different"], 0)
            self.assertEqual(counters["trailer process.stacks_checked"], counters["trailer process.calls"])
        self.assertGreater(checked, 1000)

    def test_records_of_every_cupti_version_are_read_alike(self):
        for version in ("18", "22", "130001"):
            with self.subTest(cupti=version):
                run = harness.Run(self)
                run.run("training_loop", "--steps", "3", SIMGPU_CUPTI_API=version)
                run.run("graph_replay", "--replays", "5", SIMGPU_CUPTI_API=version)
                self.check_run(run)

    def test_disorder_and_small_buffers_change_nothing(self):
        run = harness.Run(self)
        run.run("inference_server", "--requests", "2", SIMGPU_FAULTS="shuffle")
        run.run("stream_pipeline" if (harness.BIN / "stream_pipeline").exists() else "copies", SIMGPU_FAULTS="tiny-buffers,late-worker=5")
        run.run("graph_replay", "--replays", "5", SIMGPU_FAULTS="high-correlation-ids,shuffle=3")
        run.run("training_loop", "--steps", "2", MIGPROF_BUFFER_KB=64)
        self.check_run(run)


def union_of(intervals):
    total, until = 0, 0
    for start, end in sorted(intervals):
        start = max(start, until)
        if end > start:
            total += end - start
            until = end
    return total


if __name__ == "__main__":
    harness.main()
