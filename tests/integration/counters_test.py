#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""NVML's counters: what is sampled follows the workload, what cannot be believed is flagged, and nobody is disturbed."""

import pathlib
import time
import unittest

import harness

# Some 0.9 s on the real clock, 68 MiB of device memory all the time.
PROGRAM = ("training_loop", "--steps", "100")
DEVICE_BYTES = (4 + 32 + 32) << 20
GPM = ("graphics_utilization", "sm_utilization", "sm_occupancy", "tensor_utilization", "tensor_dfma_utilization",
       "tensor_hmma_utilization", "tensor_imma_utilization", "dram_bandwidth_utilization")


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("migprof:")]


class Counters(unittest.TestCase):
    def record(self, run, program=PROGRAM, lines=0, **extra):
        """Runs on the first slice at 10 Hz; returns the counters of the only slice by name."""
        extra = {"SIMGPU_CLOCK": "real", "MIGPROF_COUNTERS": "100", "CUDA_VISIBLE_DEVICES": "0", **extra}
        result = run.run(*program, **extra)
        self.assertEqual(len(own_lines(result.stderr)), lines, result.stderr)
        run.merge("--format", "json")
        (entry,) = run.summary()["slices"]
        return entry, {counter["name"]: counter for counter in entry["counters"]}

    def kernel_share(self, run, sample, end):
        """Percent of the span of a sample in which a kernel of the ledger ran. One stream: they do not overlap."""
        start = end - sample
        ran = sum(max(0, min(row["end_ns"], end) - max(row["start_ns"], start))
                  for row in run.ledger() if row["kind"] == "kernel")
        return 100 * ran / sample

    def test_memory_is_what_the_program_allocated(self):
        run = harness.Run(self)
        entry, counters = self.record(run)
        memory = counters["memory_used"]
        self.assertGreater(memory["samples"], 2)
        self.assertEqual(memory["largest"], DEVICE_BYTES)
        values = [row["value"] for row in harness.Dump(run.trace_files()[0]).records["counter_sample"]
                  if row["counter"] == 1]
        self.assertEqual(set(values[:-1]), {DEVICE_BYTES}, "the last one may fall into the end of the program")
        self.assertEqual(counters["memory_total"]["largest"], entry["memory_bytes"])
        self.assertEqual([counter["doubt"] for counter in counters.values()], [None] * len(counters))

    def test_gpm_agrees_with_the_ledger_sample_by_sample(self):
        run = harness.Run(self)
        self.record(run)
        samples = [row for row in harness.Dump(run.trace_files()[0]).records["counter_sample"]
                   if row["counter"] == 16 and row["span"] > 0]
        self.assertGreater(len(samples), 2)
        shares = [(sample["value"] / 1e4, self.kernel_share(run, sample["span"], sample["time"])) for sample in samples]
        self.assertGreater(max(measured for _, measured in shares), 0.5)
        # On a busy machine the thread may be stopped between reading the clock and taking the sample.
        close = [pair for pair in shares if abs(pair[0] - pair[1]) < 3]
        self.assertGreater(len(close), 0.7 * len(shares), shares)

    def test_samples_leave_times_and_totals_alone(self):
        run = harness.Run(self)
        entry, _ = self.record(run)
        kernels = [row for row in run.ledger() if row["kind"] == "kernel"]
        self.assertEqual(entry["kernels"]["count"], len(kernels))
        self.assertEqual(entry["kernels"]["total_ns"], sum(row["end_ns"] - row["start_ns"] for row in kernels))
        trace = harness.Dump(run.trace_files()[0])
        events = [row["time"] for kind in ("call", "allocation") for row in trace.records[kind]]
        ends = [row["start"] + row["duration"]
                for kind in ("kernel", "transfer", "synchronization") for row in trace.records[kind]]
        self.assertLessEqual(entry["first_ns"], min(events))
        end = trace.facts("trailer")["end_ns"]
        self.assertGreaterEqual(end, max(ends + events))
        self.assertEqual(entry["first_ns"] + entry["window_ns"], end)

    def test_doubtful_values_are_shown_and_flagged(self):
        for fault, values, doubt in (("gpm-nan", None, "not a number"), ("gpm-above-100", 137.5, "above 100 %"),
                                     ("gpm-stale", ..., "stale"), ("gpm-says=90", 90, "busier than what was recorded")):
            with self.subTest(fault=fault):
                for _ in range(3):  # on a machine too busy for NVML to answer in time the recorder stops asking
                    run = harness.Run(self)
                    _, counters = self.record(run, SIMGPU_FAULTS=fault)
                    if counters["sm_utilization"]["samples"] > 2 or fault == "gpm-nan":
                        break
                else:
                    self.skipTest("this machine is too busy for three samples of the simulated NVML")
                for name in ("graphics_utilization", "sm_utilization"):
                    self.assertIn(doubt, counters[name]["doubt"])
                    if values is not ...:
                        self.assertEqual(counters[name]["largest"], values)
                self.assertIsNone(counters["memory_used"]["doubt"])

    def test_idle_while_kernels_ran_is_flagged(self):
        run = harness.Run(self)
        rules = run.folder / "kernels.json"
        rules.write_text('[{"match": ".", "base_ns": 1000000, "wave_ns": 1}]')
        _, counters = self.record(run, ("training_loop", "--steps", "10"), SIMGPU_FAULTS="gpm-says=0", SIMGPU_KERNELS=rules)
        self.assertIn("idle while kernels ran", counters["graphics_utilization"]["doubt"])
        self.assertIn("idle while kernels ran", counters["sm_utilization"]["doubt"])
        self.assertIsNone(counters["tensor_utilization"]["doubt"])

    def test_refusals_are_named(self):
        for fault, doubt in (("nvmlGpmMetricsGet=4", "no permission"),
                             ("nvmlGpmMigSampleGet=4,nvmlGpmSampleGet=4", "no permission"),
                             ("nvmlGpmSampleAlloc=20", "NVML error 20"), ("nvmlGpmQueryDeviceSupport=3", "this GPU"),
                             ("nvmlGpmMigSampleGet=15", "the GPU is lost")):
            with self.subTest(fault=fault):
                for _ in range(3):  # on a machine too busy for NVML to answer in time the recorder stops asking
                    run = harness.Run(self)
                    _, counters = self.record(run, SIMGPU_FAULTS=fault)
                    if counters["sm_utilization"]["samples"] > 2 or fault == "gpm-nan":
                        break
                else:
                    self.skipTest("this machine is too busy for three samples of the simulated NVML")
                for name in GPM:
                    self.assertEqual(counters[name]["samples"], 0)
                    self.assertIn(doubt, counters[name]["doubt"])
                self.assertGreater(counters["memory_used"]["samples"], 0)

    def test_each_function_may_fail(self):
        functions = ("nvmlInit_v2:2+=9", "nvmlDeviceGetHandleByUUID:2+=6", "nvmlDeviceGetMemoryInfo_v2=25",
                     "nvmlDeviceGetMemoryInfo_v2=4,nvmlDeviceGetMemoryInfo=4", "nvmlGpmSampleFree=999",
                     "nvmlShutdown:2+=999", "nvmlGpmMigSampleGet=4", "nvmlDeviceGetDeviceHandleFromMigDeviceHandle:2+=4",
                     "nvml-gpu-lost=12", "nvml-gpu-lost=20")
        plain = harness.Run(self).run(*PROGRAM, way=harness.PLAIN, CUDA_VISIBLE_DEVICES="0")
        for fault in functions:
            with self.subTest(fault=fault):
                run = harness.Run(self)
                entry, counters = self.record(run, SIMGPU_FAULTS=fault)
                self.assertEqual(entry["health"]["unmatched"], 0)
                self.assertFalse(entry["loss"])
                if fault in ("nvmlDeviceGetMemoryInfo_v2=25", "nvmlGpmMigSampleGet=4"):
                    self.assertEqual(counters["memory_used"]["largest"], DEVICE_BYTES)
                    self.assertGreater(counters["sm_utilization"]["samples"], 0, "there is another way")
        self.assertEqual(own_lines(plain.stderr), [])

    def test_ampere_and_old_drivers_have_memory_only(self):
        run = harness.Run(self, "a100-seven-1g.json")
        _, counters = self.record(run)
        self.assertGreater(counters["memory_used"]["samples"], 2)
        self.assertEqual(counters["sm_utilization"]["doubt"], "not available: this GPU does not have it")
        run = harness.Run(self)
        _, counters = self.record(run, LD_LIBRARY_PATH=f"{harness.SIMGPU}/nvml-450:{harness.SIMGPU}")
        self.assertGreater(counters["memory_used"]["samples"], 2)
        self.assertIn("this driver's NVML", counters["sm_utilization"]["doubt"])

    def test_slow_nvml_is_given_up_with_one_line(self):
        run = harness.Run(self)
        entry, _ = self.record(run, ("training_loop", "--steps", "200"), lines=1, SIMGPU_FAULTS="gpm-slow=600")
        self.assertFalse(entry["loss"])
        self.assertEqual(entry["kernels"]["count"], sum(row["kind"] == "kernel" for row in run.ledger()))

    def test_two_processes_on_one_slice_are_one_series(self):
        run = harness.Run(self)
        extra = {"SIMGPU_CLOCK": "real", "MIGPROF_COUNTERS": "100", "CUDA_VISIBLE_DEVICES": "0"}
        processes = [run.start(*PROGRAM, **extra) for _ in range(2)]
        for process in processes:
            process.communicate(timeout=60)
        run.merge("--format", "json")
        (entry,) = run.summary()["slices"]
        samples = sum(row["counter"] == 1 for path in run.trace_files()
                      for row in harness.Dump(path).records["counter_sample"])
        self.assertEqual(entry["counters"][0]["samples"], samples)
        self.assertEqual(len(entry["processes"]), 2)

    def test_whole_gpus_are_sampled_themselves(self):
        run = harness.Run(self, "two-gpus.json")
        gpu = next(uuid for uuid in harness.slices_of(run.topology) if uuid.startswith("GPU-"))
        _, counters = self.record(run, CUDA_VISIBLE_DEVICES=gpu)
        self.assertEqual(counters["memory_used"]["largest"], DEVICE_BYTES)


class LeftAlone(unittest.TestCase):
    def loaded(self, process, name):
        try:
            return name in pathlib.Path(f"/proc/{process.pid}/maps").read_text()
        except (ProcessLookupError, FileNotFoundError):
            return False

    def initialisations(self, run, **extra):
        """How often NVML was initialised: the N-th one fails, and is reported at the debug level."""
        result = run.run(*PROGRAM, SIMGPU_CLOCK="real", CUDA_VISIBLE_DEVICES="0", MIGPROF_LOG="debug",
                         SIMGPU_FAULTS="nvmlInit_v2:2+=9", **extra)
        return sum("no counters of device" in line for line in result.stderr.splitlines())

    def test_off_opens_nothing(self):
        self.assertGreater(self.initialisations(harness.Run(self), MIGPROF_COUNTERS="100"), 0)
        self.assertEqual(self.initialisations(harness.Run(self), MIGPROF_COUNTERS="off"), 0)
        run = harness.Run(self)
        run.run(*PROGRAM, SIMGPU_CLOCK="real", MIGPROF_COUNTERS="off")
        self.assertEqual(harness.Dump(run.trace_files()[0]).records["counter_sample"], [])
        run.merge("--format", "json")
        self.assertEqual(run.summary()["slices"][0]["counters"], [])

    def test_without_identification_nvml_is_not_asked(self):
        run = harness.Run(self)
        result = run.run(*PROGRAM, SIMGPU_CLOCK="real", MIGPROF_COUNTERS="100", MIGPROF_LOG="debug",
                         SIMGPU_FAULTS="nvmlInit_v2:1=9")
        self.assertNotIn("no counters", result.stderr)
        self.assertEqual(harness.Dump(run.trace_files()[0]).records["counter_sample"], [])

    @unittest.skipIf(harness.SANITIZED, "preloads")
    def test_a_program_without_cuda_never_loads_nvml(self):
        run = harness.Run(self)
        process = run.start("/bin/sleep", "0.5", MIGPROF_COUNTERS="100")
        time.sleep(0.3)
        self.assertTrue(self.loaded(process, "libmigprof.so"))
        self.assertFalse(self.loaded(process, "libnvidia-ml"))
        process.communicate(timeout=10)

    def test_a_sample_that_never_returns_delays_the_end_only_so_long(self):
        run = harness.Run(self)
        start = time.monotonic()
        result = run.run(*PROGRAM, SIMGPU_CLOCK="real", MIGPROF_COUNTERS="100", MIGPROF_EXIT_TIMEOUT_MS="300",
                         SIMGPU_FAULTS="gpm-slow=60000")
        self.assertLess(time.monotonic() - start, 15)
        self.assertEqual(len(own_lines(result.stderr)), 1)
        self.assertIn("MIGPROF_EXIT_TIMEOUT_MS", result.stderr)

    def test_the_period_is_checked(self):
        run = harness.Run(self)
        result = run.run("copies", "--rounds", "1", MIGPROF_COUNTERS="99")
        self.assertIn("100 to 60000", result.stderr)


if __name__ == "__main__":
    harness.main()
