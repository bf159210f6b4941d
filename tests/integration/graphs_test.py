#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs of every shape: each kernel that the simulated GPU says it executed is shown below the launch of its graph and at the
place that the program itself says captured or added it, to the nanosecond."""

import collections
import unittest

import harness

SHAPES = ("graph_shapes", "--replays", "3")
ADDS = {"cuGraphAddKernelNode", "cuGraphAddMemsetNode"}
CONSTRUCTION = 8
# A kernel that was put into a node later stays where the node was added.
NODE_OF = {"params_after": "params_before"}
# Recorded by a lambda, whose own name is operator(), inlined into what the thread runs.
SHOWN_AS = {"operator()": "CaptureOnAThread"}


def sites(run):
    """Kernel or memset -> (the logged call, the function that made it)."""
    return {call["work"]: call for call in run.logged_calls()}


class Graphs(unittest.TestCase):
    def recorded(self, *programs, topology="h100-mixed.json", **extra):
        run = harness.Run(self, topology)
        for program in programs or (SHAPES,):
            run.run(*program, **extra)
        run.merge("--format", "folded,json")
        return run

    def check_paths(self, run, node_of=NODE_OF):
        """What is drawn, by what executed, equals the ledger, and every path is the right one."""
        executed = collections.Counter()
        for row in run.ledger():
            executed[row["name"]] += row["end_ns"] - row["start_ns"]
        self.assertGreaterEqual(len(executed), 19)
        logged = sites(run)
        drawn = collections.Counter()
        for frames, ns in run.folded():
            work = frames[-1]
            drawn[work] += ns
            function = logged[node_of.get(work, work)]["function"]
            function = SHOWN_AS.get(function, function)
            if work == "eager_kernel":
                self.assertNotIn("[CUDA graph]", frames)
                continue
            border = frames.index("[CUDA graph]")
            self.assertEqual(frames[border - 1], "cuGraphLaunch")
            self.assertIn("::Replay(", frames[border - 2])
            capture = frames[border + 1:]
            self.assertTrue(any(f"::{function}(" in frame for frame in capture), (work, function, capture))
            if work == "threaded_kernel":  # what stands outside of it differs: sanitizers start threads themselves
                self.assertTrue(any(frame.startswith("std::thread::_State_impl<") for frame in capture), capture)
                self.assertNotIn("main", capture)
            else:
                self.assertEqual(capture[0], "main")
            self.assertRegex(capture[-2], "^cu(LaunchKernel|GraphAdd.*Node)$")
        self.assertEqual(drawn, executed)

    def check_health(self, run):
        for entry in run.summary()["slices"]:
            for loss in ("graph_unattributed", "dropped", "unmatched", "orphaned", "untimed", "failed"):
                self.assertEqual(entry["health"][loss], 0, (loss, entry["profile"]))
            self.assertFalse(entry["loss"])

    def check_addresses(self, run):
        """Every node that was captured or added has the stack of the call that the program logged, to the instruction."""
        if harness.SANITIZED:
            return  # instrumentation moves code about, so that the two addresses around a call do not enclose it
        logged = collections.defaultdict(list)
        for call in run.logged_calls():
            logged[(call["pid"], call["tid"])].append(call)
        found = 0
        for path in run.trace_files():
            dump = harness.Dump(path)
            pid = int(dump.facts("process")["pid"])
            threads = {thread["id"]: thread["system_id"] for thread in dump.records["thread"]}
            stacks = dump.stacks()
            made = {row["correlation"] for row in dump.records["graph_nodes"] if row["event"] == 1}
            for call in dump.records["call"]:
                if call["correlation"] not in made or call["class"] > 4 and call["api"] not in ADDS or call["class"] == 2:
                    continue
                stack = stacks[call["stack_node"]]
                self.assertTrue(any(module == site["module"] and site["low"] < offset <= site["high"]
                                    for module, offset in stack for site in logged[(pid, threads[call["thread"]])]), call)
                found += 1
        self.assertGreaterEqual(found, 15)

    def test_every_kernel_is_at_its_site_on_every_topology(self):
        for topology in harness.TOPOLOGIES:
            uuids = harness.slices_of(topology)
            for uuid in uuids[:1] + uuids[-1:]:
                with self.subTest(topology=topology.name, slice=uuid):
                    run = self.recorded(topology=topology.name, CUDA_VISIBLE_DEVICES=uuid)
                    self.check_paths(run)
                    self.check_health(run)
                    self.check_addresses(run)

    def test_ids_that_come_again_are_told_apart(self):
        for faults in ("graph-id-reuse", "graph-id-reuse,shuffle", "graph-id-reuse,tiny-buffers,late-worker=20"):
            with self.subTest(faults=faults):
                run = self.recorded(SIMGPU_FAULTS=faults)
                rows = [row for path in run.trace_files() for row in harness.Dump(path).records["graph_nodes"]]
                created = collections.Counter(row["node"] for row in rows if row["event"] == 1)
                self.assertGreater(max(created.values()), 1, "no id came again: the test tests nothing")
                self.check_paths(run)
                self.check_health(run)

    def test_a_graph_built_without_its_device_is_known_in_the_file_of_that_device(self):
        run = self.recorded(SHAPES + ("--other-device", "1"))
        self.assertEqual(len(run.trace_files()), 2)
        self.check_paths(run)
        self.check_health(run)
        for path in run.trace_files():  # each file stands alone
            run.merge("--format", "folded,json", inputs=[path])
            self.check_health(run)
            for frames, _ in run.folded():
                if "[CUDA graph]" in frames:
                    self.assertGreater(len(frames) - frames.index("[CUDA graph]"), 3, frames)

    def test_every_cupti_version(self):
        for version in ("18", "22", "130001"):
            with self.subTest(cupti=version):
                run = self.recorded(SIMGPU_CUPTI_API=version)
                # Before 13.0 CUPTI does not tell of updates from another graph.
                self.check_paths(run, NODE_OF if version == "130001" else {**NODE_OF, "update_after": "update_before"})

    def test_whole_launches(self):
        run = self.recorded(MIGPROF_GRAPHS="graph")
        entry = run.summary()["slices"][0]
        launched = collections.defaultdict(list)
        eager = 0
        for row in run.ledger():
            if row["graph_node_id"]:
                launched[row["correlation_id"]].append(row)
            else:
                eager += 1
        self.assertEqual(entry["kernels"]["count"], eager)
        self.assertEqual(entry["graph_runs"]["count"], len(launched))
        durations = sum(max(row["end_ns"] for row in rows) - min(row["start_ns"] for row in rows) for rows in launched.values())
        self.assertEqual(entry["graph_runs"]["total_ns"], durations)
        drawn = sum(ns for frames, ns in run.folded() if frames[-1] == "graph launch" and frames[-2] == "[CUDA graph]")
        self.assertEqual(drawn, durations)
        self.assertEqual(entry["health"]["unmatched"], 0)
        self.assertFalse(entry["loss"])
        self.assertEqual(harness.Dump(run.trace_files()[0]).records["graph_nodes"], [])

    def test_off_keeps_kernels_under_the_launch(self):
        run = self.recorded(MIGPROF_GRAPHS="off")
        executed = sum(row["end_ns"] - row["start_ns"] for row in run.ledger())
        self.assertEqual(sum(ns for _, ns in run.folded()), executed)
        for frames, _ in run.folded():
            self.assertTrue(frames[-1] == "eager_kernel" or frames[-2] == "[CUDA graph]", frames)
        self.check_health(run)  # not asked for is not lost
        dump = harness.Dump(run.trace_files()[0])
        self.assertEqual(dump.records["graph_nodes"], [])
        self.assertEqual([call for call in dump.records["call"] if call["class"] == CONSTRUCTION], [])

    def test_what_is_lost_is_counted_and_shown(self):
        # Threads that find no room say nothing of their nodes; the kernels are there all the same.
        run = self.recorded(("graph_replay", "--layers", "400", "--replays", "3"), MIGPROF_RING_KB="64")
        entry = run.summary()["slices"][0]
        executed = [row for row in run.ledger() if row["kind"] == "kernel"]
        self.assertEqual(entry["kernels"]["count"], len(executed))
        unattributed = entry["health"]["graph_unattributed"]
        if unattributed:
            self.assertTrue(entry["loss"])
            self.assertGreater(entry["health"]["dropped"], 0)
        under_border = sum(1 for frames, _ in run.folded() if frames[-2] in ("[CUDA graph]", "[unknown launch]"))
        self.assertEqual(unattributed > 0, under_border > 0)


if __name__ == "__main__":
    harness.main()
