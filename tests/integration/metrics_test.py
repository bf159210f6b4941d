# SPDX-License-Identifier: Apache-2.0
"""The numbers of docs/metrics.md, computed a second time, slowly and from the simulated GPU's ledger alone."""

import collections
import fractions
import math

import harness
from harness import unittest

# What an SM of compute capability 8.0 and 9.0 holds: threads, blocks, registers, bytes of shared memory.
SM = {(8, 0): (2048, 32, 65536, 164 * 1024), (9, 0): (2048, 32, 65536, 228 * 1024)}
DEVICE_KINDS = {0, 3, 4, 5, 6, 7, 8}  # of CUPTI's memory kinds; 1 and 2 are the host's
SKETCH_ERROR = 1 / 128
CALL_NS = 1500  # what a call takes before its work is queued (driver_call_ns of the time model)


def union(intervals, first=0, last=1 << 64):
    """Nanoseconds of [first, last) that any of the intervals covers."""
    total, until = 0, first
    for start, end in sorted(intervals):
        start, end = max(start, until), min(end, last)
        if end > start:
            total += end - start
            until = end
    return total


def round_up(value, unit):
    return -(-value // unit) * unit


def busy_share(row, limits, sms):
    """The share of the SMs that a kernel's blocks keep busy, by dealing them out wave after wave."""
    threads, blocks, registers, shared = limits
    warps = -(-row["block_threads"] // 32)
    resident = min(blocks, threads // (32 * warps), shared // round_up(row["shared_bytes"] + 1024, 128))
    if row["registers"]:
        # A quarter of the registers belongs to each of four parts of the SM, and a warp's lie in one of them.
        warps_held = 4 * (registers // 4 // round_up(32 * row["registers"], 256))
        resident = min(resident, warps_held // warps)
    left, waves, busy = row["grid_blocks"], 0, fractions.Fraction(0)
    while left > 0:
        wave = min(left, resident * sms)
        busy += fractions.Fraction(min(wave, sms), sms)
        waves += 1
        left -= wave
    return busy / waves


def quantile(values, q):
    return sorted(values)[max(math.ceil(q * len(values)), 1) - 1]


class Memory:
    """Device memory of a slice over time, from the ledger's alloc and free lines."""

    def __init__(self, rows, ends):
        self.peak = self.peak_ns = self.allocations = self.releases = self.left = 0
        self.levels = [(0, 0)]  # (from when, bytes)
        live = {}
        events = [(row["time_ns"], row["pid"], row["correlation_id"], row) for row in rows
                  if row["kind"] in ("alloc", "free") and row["memory_kind"] in DEVICE_KINDS]
        events += [(end, pid, 1 << 64, None) for pid, end in ends.items()]
        # What several processes do at one and the same time counts in the order of their files.
        order = {pid: position for position, pid in enumerate(ends)}
        for time, pid, _, row in sorted(events, key=lambda event: (event[0], order[event[1]], event[2])):
            if row is None:
                mine = [key for key in live if key[0] == pid]
                self.left += sum(live.pop(key) for key in mine)
            elif row["kind"] == "alloc":
                self.allocations += 1
                live[(pid, row["address"])] = row["bytes"]
            else:
                self.releases += 1
                del live[(pid, row["address"])]
            level = sum(live.values())
            self.levels.append((time, level))
            if level > self.peak:
                self.peak, self.peak_ns = level, time

    def most_between(self, first, last):
        before = [level for time, level in self.levels if time < first]
        return max([before[-1]] + [level for time, level in self.levels if first <= time < last])


class MetricsTest(unittest.TestCase):
    def check(self, run, capability=(9, 0), threads=False):
        """Compares summary.json with the ledger, slice by slice. Returns the entries by UUID. `threads`: several of one
        process moved its clock, so that a call took longer than its own time."""
        run.merge("--format", "json,folded")
        summary = run.summary()
        entries = {entry["mig_uuid"] or entry["gpu_uuid"]: entry for entry in summary["slices"]}
        ends = collections.defaultdict(dict)
        for path in run.trace_files():
            facts = harness.Dump(path)
            uuid = facts.facts("slice")["mig_uuid"] or facts.facts("slice")["gpu_uuid"]
            ends[uuid][int(facts.facts("process")["pid"])] = self.end_of(path)
        rows = collections.defaultdict(list)
        for row in run.ledger():
            rows[row["slice"]].append(row)
        self.assertEqual(set(entries), {uuid for uuid, of_slice in rows.items() if any("start_ns" in row for row in of_slice)})
        for uuid, entry in entries.items():
            with self.subTest(slice=entry["profile"], uuid=uuid):
                self.check_time(entry, rows[uuid])
                self.check_sms(entry, rows[uuid], SM[capability])
                self.check_distributions(entry, rows[uuid], threads)
                self.check_copies(entry, rows[uuid])
                self.check_memory(entry, Memory(rows[uuid], ends[uuid]))
        return entries

    def end_of(self, path):
        """When the process ended, by its trace. No event is later."""
        end = harness.Dump(path).facts("trailer")["end_ns"]
        self.assertGreaterEqual(end, max(int(chunk["last"]) for chunk in harness.chunks_of(path)))
        return end

    def check_time(self, entry, rows):
        metrics = entry["metrics"]
        kernels = [(row["start_ns"], row["end_ns"]) for row in rows if row["kind"] == "kernel"]
        work = [(row["start_ns"], row["end_ns"]) for row in rows if "start_ns" in row]
        self.assertEqual(metrics["kernel_busy_ns"], union(kernels))
        self.assertAlmostEqual(metrics["utilization"], union(work) / entry["window_ns"], places=5)
        self.assertAlmostEqual(metrics["kernel_utilization"], union(kernels) / entry["window_ns"], places=5)
        timeline, first = metrics["timeline"], entry["first_ns"]
        bins = len(timeline["busy_ns"])
        self.assertEqual(bins, -(-entry["window_ns"] // timeline["bin_ns"]))
        self.assertGreater(bins, 100)
        idle = timeline["idle_ns"]
        self.assertEqual({cause: sum(parts) for cause, parts in idle.items()},
                         {cause: ns for cause, ns in entry["idle_ns"].items() if ns})
        for i in range(bins):
            begin = first + i * timeline["bin_ns"]
            end = begin + timeline["bin_ns"]
            near = [(s, e) for s, e in work if s < end and e > begin]
            self.assertEqual(timeline["busy_ns"][i], union(near, begin, end), i)
            length = min(end, first + entry["window_ns"]) - begin
            self.assertEqual(timeline["busy_ns"][i] + sum(parts[i] for parts in idle.values()), length, i)
            near = [(s, e) for s, e in kernels if s < end and e > begin]
            self.assertEqual(timeline["kernel_ns"][i], union(near, begin, end), i)

    def check_sms(self, entry, rows, limits):
        weighted, by_name = fractions.Fraction(0), collections.Counter()
        for row in rows:
            if row["kind"] != "kernel":
                continue
            duration = row["end_ns"] - row["start_ns"]
            weighted += duration * busy_share(row, limits, entry["sm_count"])
            by_name[row["name"]] += duration
        metrics = entry["metrics"]
        # Rounded once for each shape of a kernel and each process.
        self.assertAlmostEqual(metrics["sm_weighted_ns"], float(weighted), delta=500)
        self.assertEqual(metrics["sm_unknown_ns"], 0)
        self.assertAlmostEqual(metrics["sm_utilization_estimate"], float(weighted) / entry["window_ns"], places=4)
        self.assertEqual(metrics["distinct_kernels"], len(by_name))
        self.assertEqual(sorted(kernel["total_ns"] for kernel in metrics["top_kernels"]), sorted(by_name.values())[-30:])
        tensor = sum(duration for name, duration in by_name.items() if "hmma" in name)
        if tensor:
            self.assertEqual(metrics["tensor_ns_estimate"], tensor)

    def check_distributions(self, entry, rows, threads):
        durations = [row["end_ns"] - row["start_ns"] for row in rows if row["kind"] == "kernel"]
        latencies = [row["start_ns"] - row["queued_ns"] + CALL_NS for row in rows
                     if row["kind"] == "kernel" and row["graph_node_id"] == 0]
        for name, values in (("kernel_duration_ns", durations), ("launch_latency_ns", latencies)):
            said = entry["metrics"][name]
            if not values:
                self.assertIsNone(said)
                continue
            self.assertEqual(said["count"], len(values))
            for key, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
                true = quantile(values, q)
                if threads and name == "launch_latency_ns":
                    self.assertGreaterEqual(said[key], true * (1 - SKETCH_ERROR), key)
                else:
                    self.assertLessEqual(abs(said[key] - true), true * SKETCH_ERROR, (name, key))

    def check_copies(self, entry, rows):
        directions = {"memcpy HtoD": "host_to_device", "memcpy DtoH": "device_to_host", "memcpy DtoD": "device_to_device"}
        count, time, size = collections.Counter(), collections.Counter(), collections.Counter()
        for row in rows:
            if row["kind"] == "memcpy":
                direction = directions[row["name"]]
                count[direction] += 1
                time[direction] += row["end_ns"] - row["start_ns"]
                size[direction] += row["bytes"]
        for direction, said in entry["metrics"]["copies"].items():
            self.assertEqual((said["count"], said["total_ns"], said["bytes"]),
                             (count[direction], time[direction], size[direction]), direction)
            if time[direction]:
                self.assertAlmostEqual(said["bytes_per_second"], size[direction] * 1e9 / time[direction], delta=1)

    def check_memory(self, entry, memory):
        said = entry["metrics"]["memory"]
        self.assertEqual(said["allocations"], memory.allocations)
        self.assertEqual(said["releases"], memory.releases)
        self.assertEqual(said["unknown_releases"], 0)
        self.assertEqual(said["peak_bytes"], memory.peak)
        self.assertEqual(said["live_at_end_bytes"], memory.left)
        if memory.peak:
            self.assertEqual(said["peak_ns"], memory.peak_ns)
        timeline, first = entry["metrics"]["timeline"], entry["first_ns"]
        for i, level in enumerate(timeline["live_bytes"]):
            begin = first + i * timeline["bin_ns"]
            end = begin + timeline["bin_ns"]
            is_last = i + 1 == len(timeline["live_bytes"])
            self.assertEqual(level, memory.most_between(begin, 1 << 64 if is_last else end), i)

    def test_one_process(self):
        for command in (("training_loop", "--steps", "3"), ("inference_server", "--requests", "3"), ("copies",),
                        ("graph_replay", "--replays", "5"), ("allocations",)):
            with self.subTest(command=command[0]):
                run = harness.Run(self)
                run.run(*command, SIMGPU_LEDGER_DETAIL="1")
                self.check(run, threads=command[0] == "inference_server")

    def test_several_processes_on_one_slice(self):
        run = harness.Run(self)
        started = [run.start("allocations", "--seed", str(seed), "--steps", "300", SIMGPU_LEDGER_DETAIL="1")
                   for seed in range(1, 5)]
        started.append(run.start("training_loop", "--steps", "2", SIMGPU_LEDGER_DETAIL="1"))
        for process in started:
            process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0)
        entries = self.check(run)
        self.assertGreater(max(len(entry["processes"]) for entry in entries.values()), 4)

    def test_one_process_on_several_slices_beside_another(self):
        run = harness.Run(self)
        started = [run.start("allocations", SIMGPU_LEDGER_DETAIL="1"), run.start("all_devices", SIMGPU_LEDGER_DETAIL="1")]
        for process in started:
            process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0)
        entries = self.check(run, threads=True)  # of all_devices, one for each slice
        self.assertGreater(max(len(entry["processes"]) for entry in entries.values()), 1)
        self.assertGreater(len(entries), 1)

    def test_ampere_has_limits_of_its_own(self):
        run = harness.Run(self, "a100-seven-1g.json")
        run.run("allocations", SIMGPU_LEDGER_DETAIL="1")
        entries = self.check(run, (8, 0))
        self.assertLess(max(entry["metrics"]["sm_utilization_estimate"] for entry in entries.values()), 1)

    def test_disorder_changes_nothing(self):
        run = harness.Run(self)
        run.run("allocations", SIMGPU_FAULTS="shuffle,tiny-buffers,late-worker=5", SIMGPU_LEDGER_DETAIL="1")
        run.run("allocations", "--seed", "9", SIMGPU_FAULTS="shuffle=3", MIGPROF_BUFFER_KB=64, SIMGPU_LEDGER_DETAIL="1")
        self.check(run)

    def test_weights_of_the_memory_flamegraph_are_the_peak(self):
        run = harness.Run(self)
        run.run("allocations", SIMGPU_LEDGER_DETAIL="1")
        run.merge("--format", "json,folded", "--view", "memory")
        peak = sum(entry["metrics"]["memory"]["peak_bytes"] for entry in run.summary()["slices"])
        rows = run.folded("folded.memory.txt")
        self.assertEqual(sum(value for _, value in rows), peak)
        leaves = {frames[-1] for frames, _ in rows}
        self.assertTrue({"cuMemAlloc", "cuMemAllocManaged", "cuMemAllocAsync", "cuMemAllocFromPoolAsync"} <= leaves, leaves)
        for taker in ("TakePlain", "TakeManaged", "TakeAsync", "TakeFromPool"):
            self.assertTrue(any(taker in frame for frames, _ in rows for frame in frames), taker)


if __name__ == "__main__":
    harness.main()
