#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Eight processes on seven slices of two GPUs, started together, merge into one picture."""

import collections
import unittest

import harness


class ManyProcesses(unittest.TestCase):
    def test_eight_processes_on_seven_slices_of_two_gpus(self):
        run = harness.Run(self, "two-gpus.json")
        uuids = harness.slices_of(run.topology)
        self.assertEqual(len(uuids), 7)
        programs = [("training_loop", "--steps", "3"), ("inference_server", "--requests", "2"), ("graph_replay", "--replays", "5")]
        started = [run.start(*programs[i % 3], CUDA_VISIBLE_DEVICES=uuid) for i, uuid in enumerate(uuids + [uuids[2]])]
        for process in started:
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
        self.assertEqual(len(run.trace_files()), 8)
        run.merge("--format", "svg,folded,json")

        # Who ran where, by the ledger.
        slices_of_pid = collections.defaultdict(set)
        executed = collections.Counter()
        for row in run.ledger():
            slices_of_pid[row["pid"]].add(row["slice"])
            executed[(row["slice"], row["pid"])] += row["end_ns"] - row["start_ns"]
        self.assertEqual(len(slices_of_pid), 8)
        self.assertTrue(all(len(slices) == 1 for slices in slices_of_pid.values()))

        summary = run.summary()
        self.assertEqual(len(summary["slices"]), 7)
        self.assertEqual(len({entry["gpu_uuid"] for entry in summary["slices"]}), 2)
        for entry in summary["slices"]:
            uuid = entry["mig_uuid"] or entry["gpu_uuid"]
            pids = {process["pid"] for process in entry["processes"]}
            self.assertEqual(pids, {pid for pid, slices in slices_of_pid.items() if uuid in slices})
            for process in entry["processes"]:
                self.assertEqual(process["gpu_ns"], executed[(uuid, process["pid"])])

        # Whole, although the kernel keeps only 15 bytes of a name.
        names = {process["name"] for entry in summary["slices"] for process in entry["processes"]}
        self.assertEqual(names, {"training_loop", "inference_server", "graph_replay"})

        # host; GPU; slice; process: every process below its own slice, every slice below its own GPU.
        drawn = collections.Counter()
        for frames, value in run.folded():
            drawn[tuple(frames[:4])] += value
        self.assertEqual(len(drawn), 8)
        self.assertEqual(len({path[:1] for path in drawn}), 1)
        self.assertEqual(len({path[:2] for path in drawn}), 2)
        self.assertEqual(len({path[:3] for path in drawn}), 7)
        self.assertEqual(sum(drawn.values()), sum(executed.values()))
        self.assertEqual(len(list((run.report / "flamegraphs").glob("*.svg"))), 8)

    def test_one_process_on_every_device(self):
        run = harness.Run(self, "two-gpus.json")
        run.run("all_devices", "--steps", "20")
        self.assertEqual(len(run.trace_files()), 7)
        run.merge("--format", "json")
        for entry in run.summary()["slices"]:
            self.assertEqual(entry["kernels"]["count"], 40)
            self.assertEqual(len(entry["processes"]), 1)

    def test_order_and_splitting_of_inputs_make_no_difference(self):
        run = harness.Run(self)
        for program in (("training_loop", "--steps", "2"), ("copies", "--rounds", "3"), ("graph_replay", "--replays", "3")):
            run.run(*program)
        outputs = []
        files = run.trace_files()
        for inputs in (files, list(reversed(files)), [run.traces], files + [run.traces]):
            run.merge("--format", "folded,json,svg", inputs=inputs)
            outputs.append({path.name: path.read_bytes() for path in run.report.rglob("*") if path.is_file()})
        for other in outputs[1:]:
            self.assertEqual(other, outputs[0])


if __name__ == "__main__":
    harness.main()
