#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who shares a row and who does not: slices under one UUID, slices of one process, processes of one slice, each held against what
the simulated GPU executed."""

import collections
import json
import re
import unittest

import harness

KERNELS_PER_STEP = 2  # of all_devices, on every device


def union_of(rows):
    total, end = 0, 0
    for start, stop in sorted((row["start_ns"], row["end_ns"]) for row in rows):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total


class SameUuid(unittest.TestCase):
    def setUp(self):
        self.run_of = harness.Run(self)
        topology = json.loads(self.run_of.topology.read_text())
        instances = topology["gpus"][0]["gpu_instances"]
        # The same card before and after it was cut anew: the UUID of the small slice goes to a larger one.
        self.small = next(gi for gi in instances if gi["profile"] == "1g.10gb")
        self.large = next(gi for gi in instances if gi["profile"] == "2g.20gb")
        self.uuid = self.small["compute_instances"][0]["uuid"]
        self.before = self.write("before", topology, [self.small])
        moved = json.loads(json.dumps(self.large))
        moved["compute_instances"][0]["uuid"] = self.uuid
        self.after = self.write("after", topology, [moved])

    def write(self, name, topology, instances):
        path = self.run_of.folder / f"{name}.json"
        gpu = dict(topology["gpus"][0], gpu_instances=instances)
        path.write_text(json.dumps(dict(topology, gpus=[gpu])))
        return path

    def use(self, topology, steps, name, **extra):
        """Runs a process with a ledger of its own; returns its trace and the ledger's work."""
        before = set(self.run_of.trace_files())
        ledger = self.run_of.folder / f"{name}.ledger"
        self.run_of.run("all_devices", "--steps", steps, SIMGPU_TOPOLOGY=topology, SIMGPU_LEDGER=ledger, **extra)
        traces = sorted(set(self.run_of.trace_files()) - before)
        return traces, [row for row in harness.read_json_lines(ledger) if row["kind"] != "call"]

    def alone(self, traces):
        self.run_of.merge("--format", "json", inputs=traces)
        return self.run_of.summary()["slices"]

    def expect_measured(self, entry, work):
        kernels = [row for row in work if row["kind"] == "kernel"]
        self.assertEqual(entry["kernels"], {"count": len(kernels),
                                            "total_ns": sum(row["end_ns"] - row["start_ns"] for row in kernels)})
        self.assertEqual(entry["busy_ns"], union_of(work))
        self.assertFalse(entry["loss"])

    def test_another_slice_under_the_same_uuid(self):
        small_traces, small_work = self.use(self.before, 20, "before")
        large_traces, large_work = self.use(self.after, 50, "after")
        small_alone, = self.alone(small_traces)
        large_alone, = self.alone(large_traces)
        table = self.run_of.merge("--format", "json,folded,html,openmetrics").stdout
        small, large = self.run_of.summary()["slices"] if self.large["id"] > self.small["id"] else \
            reversed(self.run_of.summary()["slices"])
        for entry, alone, instance, work in ((small, small_alone, self.small, small_work),
                                             (large, large_alone, self.large, large_work)):
            self.assertEqual((entry["mig_uuid"], entry["profile"], entry["gpu_instance_id"]),
                             (self.uuid, instance["profile"], instance["id"]))
            self.assertEqual(entry["sm_count"], instance["compute_instances"][0]["sm_count"])
            self.assertEqual(entry["placement"], {"start": instance["placement_start"], "size": instance["placement_size"]})
            self.expect_measured(entry, work)
            self.assertEqual(entry, alone, "window and metrics are those of its own processes")
            self.assertRegex(table, rf"(?m)^.* {re.escape(instance['profile'])} {instance['id']}/0 ")
        report = (self.run_of.report / "report.html").read_text()
        self.assertEqual(report.count('class="r-detail"'), 2)
        drawn = collections.Counter()
        for frames, ns in self.run_of.folded():
            drawn[frames[2].split(" (")[0]] += ns
        self.assertEqual(drawn, {f"MIG {instance['profile']} GI {instance['id']} CI 0":
                                 sum(row["end_ns"] - row["start_ns"] for row in work)
                                 for instance, work in ((self.small, small_work), (self.large, large_work))})
        for name in ("metrics.prom", "openmetrics.txt"):
            series = re.findall(r"(?m)^migprof_slice_kernels_total(\{.*?\}) (\d+)", (self.run_of.report / name).read_text())
            self.assertEqual(len({labels for labels, _ in series}), 2)
            self.assertEqual(sorted(int(value) for _, value in series),
                             [20 * KERNELS_PER_STEP, 50 * KERNELS_PER_STEP])

    def test_who_could_not_ask_nvml_is_with_those_who_could(self):
        _, first = self.use(self.before, 20, "before")
        _, second = self.use(self.after, 30, "after")
        _, third = self.use(self.before, 5, "blind", SIMGPU_FAULTS="nvmlInit_v2=9")
        _, fourth = self.use(self.before, 7, "refused", SIMGPU_FAULTS="nvml-no-permission")
        self.run_of.merge("--format", "json")
        entries = {entry["profile"]: entry for entry in self.run_of.summary()["slices"]}
        self.assertEqual(set(entries), {"1g.10gb", "2g.20gb"})
        self.assertEqual(len(entries["1g.10gb"]["processes"]), 3)
        self.assertEqual(entries["1g.10gb"]["gpu_instance_id"], self.small["id"])
        self.assertEqual(entries["1g.10gb"]["kernels"]["count"], 32 * KERNELS_PER_STEP)
        self.expect_measured(entries["2g.20gb"], second)

    def test_same_uuid_and_facts_are_one_slice(self):
        self.use(self.before, 20, "first")
        self.use(self.before, 30, "second")
        self.run_of.merge("--format", "json")
        entry, = self.run_of.summary()["slices"]
        self.assertEqual([process["health"]["matched"] for process in entry["processes"]].count(0), 0)
        self.assertEqual((len(entry["processes"]), entry["kernels"]["count"]), (2, 50 * KERNELS_PER_STEP))

    def test_one_process_on_two_slices(self):
        topology = json.loads(self.run_of.topology.read_text())
        both = self.write("both", topology, [self.small, self.large])
        traces, work = self.use(both, 15, "both")
        self.assertEqual(len(traces), 2)
        entries = self.alone(traces)
        self.assertEqual(len(entries), 2)
        self.assertEqual(len({entry["processes"][0]["pid"] for entry in entries}), 1)
        for entry in entries:
            self.expect_measured(entry, [row for row in work if row["slice"] == entry["mig_uuid"]])

    def test_two_processes_on_one_slice_at_a_time(self):
        processes = [self.run_of.start("all_devices", "--steps", steps, SIMGPU_TOPOLOGY=self.before) for steps in (20, 30)]
        for process in processes:
            self.assertEqual(process.communicate(timeout=60) and process.returncode, 0)
        self.run_of.merge("--format", "json")
        entry, = self.run_of.summary()["slices"]
        self.expect_measured(entry, [row for row in self.run_of.ledger() if row["kind"] != "call"])
        self.assertEqual({process["pid"] for process in entry["processes"]}, {process.pid for process in processes})

    def test_placement_is_recorded_for_who_may_ask(self):
        traces, _ = self.use(self.after, 1, "root")
        facts = harness.Dump(traces[0]).facts("slice")
        self.assertEqual([facts[key] for key in ("placement_start", "placement_size", "memory_slices")],
                         [str(self.large["placement_start"]), str(self.large["placement_size"]), "8"])
        traces, _ = self.use(self.after, 1, "user", SIMGPU_FAULTS="nvml-no-permission")
        self.assertNotIn("placement_start", harness.Dump(traces[0]).facts("slice"))
        self.assertIsNone(self.alone(traces)[0]["placement"])


if __name__ == "__main__":
    harness.main()
