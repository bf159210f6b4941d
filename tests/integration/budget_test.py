#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MIGPROF_BUDGET: less detail of stacks, but all the time and all the counts."""

import collections
import time
import unittest

import harness

# One thread, so that the simulator's clock gives the same times in every run; long enough for several steps down.
COMMAND = ("training_loop", "--steps", "1500", "--layers", "8")


class Budget(unittest.TestCase):
    def recorded(self, **extra):
        run = harness.Run(self)
        run.run(*COMMAND, WORKLOAD_CALLS=None, **extra)
        run.merge("--format", "folded,json,svg", "--no-inline")
        return run

    @unittest.skipIf(harness.SANITIZED, "several times slower, and nothing to learn")
    def test_totals_are_exact_and_shares_of_stacks_nearly(self):
        full, reduced = self.recorded(), self.recorded(MIGPROF_BUDGET="0.1%")
        executed = collections.Counter()
        for row in reduced.ledger():
            executed[row["kind"]] += row["end_ns"] - row["start_ns"]
        entry = reduced.summary()["slices"][0]
        self.assertEqual(entry["kernels"]["total_ns"], executed["kernel"])
        self.assertEqual(sum(ns for _, ns in reduced.folded()), sum(executed.values()))
        self.assertEqual(entry["health"]["launches"], full.summary()["slices"][0]["health"]["launches"])
        self.assertFalse(entry["loss"])

        recorder = entry["processes"][0]["recorder"]
        self.assertTrue(recorder["reduced"])
        self.assertGreater(recorder["sampled_ms"], 0)
        self.assertGreater(entry["health"]["sampled_out"], entry["health"]["launches"] / 4)
        self.assertIn("with an estimated stack", (reduced.report / "flamegraphs" / "all.svg").read_text())
        table = reduced.merge("--format", "json").stdout
        self.assertRegex(table, "MIGPROF_BUDGET in 1 process: sampled stacks for ", "and nothing of Python, of which there is none")

        # Who launched is estimated: each function's time is what it is without a budget, within a tenth.
        def by_function(run):
            times = collections.Counter()
            for frames, ns in run.folded():
                for frame in frames:
                    if "::Trainer::" in frame or frame.startswith("Trainer::"):
                        times[frame] += ns
            return times

        exact, estimated = by_function(full), by_function(reduced)
        self.assertGreater(len(exact), 3)
        whole = sum(executed.values())
        for function, ns in exact.items():
            self.assertLess(abs(estimated[function] - ns), whole / 20, (function, ns, estimated[function]))

    @unittest.skipIf(harness.SANITIZED, "several times slower, and nothing to learn")
    def test_at_last_graphs_are_recorded_as_a_whole_and_every_launch_is_still_there(self):
        replays = 60000
        run = harness.Run(self)
        run.run("graph_replay", "--replays", str(replays), "--layers", "3", WORKLOAD_CALLS=None, MIGPROF_BUDGET="0.1%")
        table = run.merge("--format", "json").stdout
        entry = run.summary()["slices"][0]
        self.assertGreater(entry["processes"][0]["recorder"]["whole_graphs_ms"], 0)
        self.assertRegex(table, r"graphs recorded as a whole, not in KERNELS: [\d,.kM]+ \(")
        self.assertRegex(table, "graphs as a whole for ")
        self.assertFalse(entry["loss"])
        launches = [row for row in run.ledger() if row["graph_node_id"]]
        self.assertGreater(entry["graph_runs"]["count"], replays / 10)
        # What is not in a run of a whole graph is there kernel by kernel.
        nodes = len(launches) // replays
        in_graphs = (replays - entry["graph_runs"]["count"]) * nodes
        outside = len([row for row in run.ledger() if not row["graph_node_id"]])
        recorded = entry["kernels"]["count"] + entry["memcpys"]["count"] + entry["memsets"]["count"]
        # The launch that ran while CUPTI was told to record whole graphs may be there in both ways.
        self.assertLess(abs(recorded - in_graphs - outside), nodes)

    def test_cost_of_a_few_calls_is_in_the_report_and_plausible(self):
        run = harness.Run(self)
        began_ns = time.monotonic_ns()
        run.run("copies", "--rounds", "2")
        took_ns = time.monotonic_ns() - began_ns
        self.assertIn("recording itself took", run.merge("--format", "json").stdout)
        entry = run.summary()["slices"][0]
        own, calls = entry["processes"][0]["recorder"]["own_ns"], entry["health"]["launches"]
        self.assertGreater(own, 20 * calls)
        self.assertLess(own, took_ns if harness.SANITIZED else 100_000 * calls)

    def test_without_a_budget_the_cost_is_reported_and_nothing_left_out(self):
        run = harness.Run(self)
        run.run("training_loop", "--steps", "400")
        result = run.merge("--format", "json")
        entry = run.summary()["slices"][0]
        self.assertFalse(entry["processes"][0]["recorder"]["reduced"])
        self.assertEqual(entry["health"]["sampled_out"], 0)
        self.assertIn("recording itself took", result.stdout)


if __name__ == "__main__":
    harness.main()
