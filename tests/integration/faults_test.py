#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""When recording is not possible the program runs as without migprof, and one line says why."""

import os
import pathlib
import subprocess
import time
import unittest

import accounting
import harness

PROGRAM = ("copies", "--rounds", "2")


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("migprof:")]


class CannotRecord(unittest.TestCase):
    def check(self, reason, program=PROGRAM, expect=0, **extra):
        """Runs plain and recorded; the only difference may be one line that holds `reason`."""
        run = harness.Run(self)
        plain = run.run(*program, way=harness.PLAIN, expect=expect, **extra)
        recorded = run.run(*program, expect=expect, **extra)
        self.assertEqual(recorded.stdout, plain.stdout)
        lines = own_lines(recorded.stderr)
        self.assertEqual(len(lines), 1, recorded.stderr)
        self.assertRegex(lines[0], reason)
        foreign = [line for line in recorded.stderr.splitlines() if line not in lines]
        self.assertEqual(foreign, plain.stderr.splitlines())
        self.assertEqual([path for path in run.trace_files() if path.stat().st_size > 0], [])
        return run

    def test_cupti_is_held_by_another_tool(self):
        self.check("held by another tool.*Nsight", SIMGPU_FAULTS="second-client=Nsight Systems")

    def test_cupti_refuses(self):
        self.check(r"CUPTI refused the subscription.*15", SIMGPU_FAULTS="cuptiSubscribe_v2=15,cuptiSubscribe=15")
        self.check(r"CUPTI refused to record.*35", SIMGPU_FAULTS="cuptiActivityEnable=35")
        self.check(r"CUPTI refused the activity buffers", SIMGPU_FAULTS="cuptiActivityRegisterCallbacks=1")

    def test_every_wrong_option_is_named(self):
        run = harness.Run(self)
        wrong = {"MIGPROF_GRAPHS": "foo", "MIGPROF_PYTHON": "maybe", "MIGPROF_TYPO": "1"}
        lines = own_lines(run.run(*PROGRAM, **wrong).stderr)
        self.assertEqual(len(lines), 3, lines)
        for name, value in wrong.items():
            self.assertEqual(sum(f"{name}={value} is ignored" in line for line in lines), 1, lines)
        many = own_lines(run.run(*PROGRAM, **{f"MIGPROF_TYPO_{i}": "1" for i in range(50)}).stderr)
        self.assertEqual(len(many), 9)
        self.assertIn("more options are ignored", many[-1])

    def test_driver_is_too_old_for_cupti(self):
        self.check(r"CUPTI.*999", SIMGPU_FAULTS="old-driver")

    def test_cupti_is_missing(self):
        run = harness.Run(self)
        bare = run.folder / "driver-only"
        bare.mkdir()
        for library in ("libcuda.so.1", "libnvidia-ml.so.1"):
            (bare / library).symlink_to(harness.SIMGPU / library)
        # The toolkit of this machine must not be found either: MIGPROF_CUPTI names the only candidate.
        result = run.run(*PROGRAM, LD_LIBRARY_PATH=bare, MIGPROF_CUPTI="/nonexistent/libcupti.so")
        self.assertEqual(len(own_lines(result.stderr)), 1)
        self.assertIn("MIGPROF_CUPTI", result.stderr)

    def test_there_is_no_gpu(self):
        run = harness.Run(self)
        empty = run.folder / "no-gpu.json"
        empty.write_text('{"driver": {"version": "580.159.03", "cuda": 13000}, "gpus": []}')
        self.check("CUPTI refused", expect=1, SIMGPU_TOPOLOGY=empty)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_there_is_no_driver(self):
        run = harness.Run(self)
        command = [str(harness.BIN / "migprof"), "run", "--", "/bin/echo", "hello"]
        env = run.environment(way=harness.PLAIN, LD_LIBRARY_PATH="/nonexistent")
        result = subprocess.run(command, env=env, capture_output=True, text=True, cwd=run.folder)
        self.assertEqual((result.returncode, result.stdout), (0, "hello\n"))
        self.assertEqual(len(own_lines(result.stderr)), 1)
        self.assertIn("no NVIDIA driver", result.stderr)

    def test_output_folder_cannot_be_written(self):
        self.check("output folder", MIGPROF_OUTPUT="/proc/nowhere/traces")
        run = harness.Run(self)
        (run.folder / "file").write_text("in the way")
        for mode in (0o600, 0o700):  # whatever one may do with it
            (run.folder / "file").chmod(mode)
            result = run.run(*PROGRAM, MIGPROF_OUTPUT=run.folder / "file")
            self.assertEqual(own_lines(result.stderr), ["migprof: not recording: the output folder (MIGPROF_OUTPUT) is not a folder"])

    def test_disk_is_full(self):
        run = harness.Run(self)
        result = run.run("training_loop", "--steps", "3", MIGPROF_OUTPUT="/dev/full/x")
        self.assertEqual(len(own_lines(result.stderr)), 1)

    def test_options_that_make_no_sense_are_named(self):
        run = harness.Run(self)
        result = run.run(*PROGRAM, MIGPROF_FLUSH_MS="soon")
        self.assertEqual(len(own_lines(result.stderr)), 1)
        self.assertIn("MIGPROF_FLUSH_MS=soon", result.stderr)
        self.assertEqual(len(run.trace_files()), 1)


class RecordingSuffers(unittest.TestCase):
    def test_a_flush_that_never_returns_delays_the_end_only_so_long(self):
        run = harness.Run(self)
        start = time.monotonic()
        result = run.run(*PROGRAM, SIMGPU_FAULTS="flush-hang=60000", MIGPROF_EXIT_TIMEOUT_MS="500", timeout=30)
        self.assertLess(time.monotonic() - start, 15)
        self.assertIn("MIGPROF_EXIT_TIMEOUT_MS", result.stderr)

    def test_unusable_times_are_counted_and_have_no_width(self):
        for fault in ("zero-stamps=7", "swap-stamps=7"):
            with self.subTest(fault=fault):
                run = harness.Run(self)
                run.run("training_loop", "--steps", "3", SIMGPU_FAULTS=fault)
                run.merge("--format", "folded,json")
                entry = run.summary()["slices"][0]
                kernels = sum(row["kind"] == "kernel" for row in run.ledger())
                self.assertEqual(entry["kernels"]["count"], kernels)
                self.assertEqual(entry["health"]["untimed"], kernels // 7)
                self.assertEqual(entry["health"]["unmatched"], 0)

    def check_records(self, faults, **extra):
        """Runs with records spoilt; the program's own numbers must fit the ledger's. Returns (executed, recorded, health)."""
        run = harness.Run(self)
        result = run.run("training_loop", "--steps", "3", SIMGPU_FAULTS=faults, **extra)
        self.assertEqual(own_lines(result.stderr), [])
        return run, *next(iter(accounting.check(self, run).values()))

    def test_correlation_ids_that_wrap(self):
        run, executed, recorded, health = self.check_records("high-correlation-ids")
        ids = {row["correlation_id"] for row in run.ledger()}
        self.assertTrue(max(ids) > 2**32 - 200 and min(ids) < 1000)
        self.assertEqual((recorded, health["matched"], health["unmatched"]), (executed, executed, 0))

    def test_records_in_any_order_and_one_to_a_buffer(self):
        for faults in ("shuffle=7,late-worker", "tiny-buffers=1,shuffle", "high-correlation-ids,shuffle=3,unknown-kind=2,tiny-buffers"):
            with self.subTest(faults=faults):
                run, executed, recorded, health = self.check_records(faults)
                self.assertEqual((recorded, health["matched"], health["unmatched"]), (executed, executed, 0))

    def test_records_of_contexts_that_nobody_was_told_of(self):
        """The device says where they belong."""
        run, executed, recorded, health = self.check_records("foreign-contexts=3")
        self.assertEqual((recorded, health["matched"], health["unmatched"]), (executed, executed, 0))

    def test_records_without_a_correlation(self):
        """The work is there, without its launch; and the launch, without its work."""
        run = harness.Run(self)
        run.run("training_loop", "--steps", "3", SIMGPU_FAULTS="zero-correlations=5")
        run.merge("--format", "json")
        kernels = sum(row["kind"] == "kernel" for row in run.ledger())
        entry = run.summary()["slices"][0]
        self.assertEqual(entry["kernels"]["count"], kernels)
        health = entry["health"]
        self.assertEqual((health["orphaned"], health["unmatched"]), (kernels // 5, kernels // 5))
        self.assertEqual(health["launches"], health["matched"] + health["unmatched"])

    def test_records_that_come_twice(self):
        """Nobody can tell a launch that ran twice from a record that came twice: both are shown, and one call stays one."""
        run = harness.Run(self)
        run.run("training_loop", "--steps", "3", SIMGPU_FAULTS="duplicate-records=4")
        run.merge("--format", "json")
        rows = run.ledger()
        entry = run.summary()["slices"][0]
        kernels = sum(row["kind"] == "kernel" for row in rows)
        self.assertEqual(entry["kernels"]["count"], kernels + kernels // 4)
        health = entry["health"]
        self.assertEqual((health["launches"], health["unmatched"]), (len(rows), 0))
        self.assertEqual(health["launches"], health["matched"])

    def test_ids_of_graphs_that_are_used_again(self):
        for mode in ("node", "graph"):
            with self.subTest(graphs=mode):
                run = harness.Run(self)
                result = run.run("graph_replay", SIMGPU_FAULTS="graph-id-reuse", MIGPROF_GRAPHS=mode)
                self.assertEqual(own_lines(result.stderr), [])
                run.merge("--format", "json")
                health = run.summary()["slices"][0]["health"]
                self.assertEqual((health["unmatched"], health["orphaned"], health["dropped"], health["graph_unattributed"]), (0, 0, 0, 0))

    def test_a_flush_that_hangs_in_the_middle(self):
        """CUPTI keeps the thread that empties the rings for ever: launches go on, and the process ends when it may."""
        run = harness.Run(self)
        result = run.run("storm", 30_000, run.folder / "launched", 200, SIMGPU_FAULTS="flush-hang=600000", MIGPROF_EXIT_TIMEOUT_MS="300",
                         MIGPROF_FLUSH_MS="50", timeout=60)
        self.assertEqual(result.stdout, "30000 launches\n")
        self.assertEqual(len(own_lines(result.stderr)), 1)
        self.assertIn("MIGPROF_EXIT_TIMEOUT_MS", result.stderr)
        for executed, recorded, health in accounting.check(self, run).values():
            self.assertTrue(health["killed"])

    def test_a_fatal_error_of_cupti_is_reported(self):
        run = harness.Run(self)
        result = run.run("training_loop", "--steps", "20", SIMGPU_FAULTS="fatal-error=200")
        self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
        self.assertIn("CUPTI gave up", result.stderr)
        merged = run.merge("--format", "json", "--strict", expect=2)
        self.assertTrue(run.summary()["slices"][0]["health"]["stopped"])
        self.assertIn("recording stopped early", merged.stdout)

    def test_dropped_records_are_counted(self):
        run = harness.Run(self)
        run.run("training_loop", "--steps", "3", SIMGPU_FAULTS="drop-records=5")
        run.merge("--format", "json")
        health = run.summary()["slices"][0]["health"]
        self.assertGreater(health["dropped"], 0)
        self.assertGreater(health["unmatched"], 0)
        self.assertEqual(run.merge("--strict", "--format", "json", expect=2).returncode, 2)

    def test_losses_of_several_slices_are_each_their_own(self):
        """Of calls, exactly: rings overflow. CUPTI does not say whose records it dropped: that number is the process's, and stands for no
        slice alone."""
        for faults in (None, "drop-records=5"):
            with self.subTest(faults=faults):
                run = harness.Run(self)
                run.run("all_devices", "--steps", 4000, MIGPROF_RING_KB=64, **({"SIMGPU_FAULTS": faults} if faults else {}))
                slices = accounting.check(self, run).values()
                self.assertEqual(len(slices), 3)
                missing = sum(executed - recorded for executed, recorded, _ in slices)
                unplaced = {health["unplaced"] for _, _, health in slices}
                self.assertEqual(len(unplaced), 1)
                # CUPTI counts records of synchronization with them.
                self.assertIn(unplaced.pop() - missing, range(8))
                if faults:
                    self.assertGreater(missing, 1000)

    def test_slices_are_known_without_nvml(self):
        for fault in ("nvmlInit_v2=4", "nvmlDeviceGetHandleByUUID=15", "nvml-gpu-lost"):
            with self.subTest(fault=fault):
                run = harness.Run(self)
                uuid = harness.slices_of(run.topology)[1]
                result = run.run(*PROGRAM, CUDA_VISIBLE_DEVICES=uuid, SIMGPU_FAULTS=fault)
                self.assertEqual(own_lines(result.stderr), [])
                run.merge("--format", "json")
                entry = run.summary()["slices"][0]
                self.assertEqual(entry["mig_uuid"], uuid)
                self.assertEqual(entry["profile"], "2g.20gb")
                self.assertEqual(entry["sm_count"], 32)
                # CUPTI's own device record fills in what NVML would have said.
                self.assertIsNotNone(entry["gpu_instance_id"])

    def test_an_old_nvml_without_mig_functions_is_enough(self):
        run = harness.Run(self)
        uuid = harness.slices_of(run.topology)[0]
        run.run(*PROGRAM, CUDA_VISIBLE_DEVICES=uuid, LD_LIBRARY_PATH=f"{harness.SIMGPU}/nvml-450:{harness.SIMGPU}")
        run.merge("--format", "json")
        entry = run.summary()["slices"][0]
        self.assertEqual(entry["mig_uuid"], uuid)
        self.assertIsNotNone(entry["gpu_instance_id"])

    def test_records_of_unknown_kinds_and_kernels_without_names_do_no_harm(self):
        run = harness.Run(self)
        run.run("training_loop", "--steps", "2", SIMGPU_FAULTS="unknown-kind,null-symbol")
        run.merge("--format", "folded,json")
        entry = run.summary()["slices"][0]
        self.assertEqual(entry["health"]["unmatched"], 0)
        self.assertTrue(any("[unnamed kernel]" in frames for frames, _ in run.folded()))
        self.assertGreater(harness.Dump(run.trace_files()[0]).facts("trailer")["unknown_records"], 0)

    def test_killed_process_leaves_a_readable_trace(self):
        run = harness.Run(self)
        process = run.start("inference_server", "--requests", "100000", MIGPROF_FLUSH_MS="50", SIMGPU_LEDGER_SYNC="1")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.2)
            files = run.trace_files()
            if files and files[0].stat().st_size > 100_000:
                break
        process.kill()
        process.communicate()
        result = run.merge("--format", "folded,json")
        entry = run.summary()["slices"][0]
        self.assertTrue(entry["health"]["killed"])
        self.assertGreater(entry["kernels"]["count"], 1000)
        executed = {(row["correlation_id"], row["start_ns"]) for row in run.ledger() if row["kind"] == "kernel"}
        for kernel in harness.Dump(run.trace_files()[0]).records["kernel"]:
            self.assertIn((kernel["correlation"], kernel["start"]), executed)


if __name__ == "__main__":
    harness.main()
