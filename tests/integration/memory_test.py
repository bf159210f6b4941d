#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The memory ceiling, MIGPROF_MAX_MEMORY: programs that have without end what a recorder remembers. Its own count never passes the
ceiling, neither does what the process takes more than without it, and what could not be kept is counted."""

import collections
import os
import re
import subprocess
import unittest

import harness

CEILING_MB = 16  # the least there is
# Not counted: the library's code and data (4 MB), what CUPTI and libunwind take, and what the allocator adds to small blocks.
TOLERANCE_KB = 10 * 1024
SCALE = int(os.environ.get("MEMORY_SCALE", "1"))


def counters_of(path):
    text = subprocess.run([str(harness.BIN / "migprof-dump"), "--all", str(path)], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in re.findall(r"^trailer ([a-z_.]+)=(\d+)$", text, re.M)}


@unittest.skipIf(harness.SANITIZED, "a sanitizer's own memory is in the way")
class Ceiling(unittest.TestCase):
    def hungry(self, kind, count, megabytes=CEILING_MB, **environment):
        """Returns the run, the pieces of work executed, and the counters and the health, summed over slices."""
        def numbers_of(result):
            return (int(re.search(rf"^{name} (\d+)$", result.stdout, re.M)[1]) for name in ("peak", "executed", "waits"))

        run = harness.Run(self)
        environment.setdefault("SIMGPU_LEDGER", None)
        plain = run.run("memory_hungry", kind, count, way=harness.PLAIN, **environment)
        result = run.run("memory_hungry", kind, count, MIGPROF_MAX_MEMORY=f"{megabytes}M", **environment)
        # On a busy machine questions to NVML may take too long, and are given up.
        self.assertRegex(result.stderr, r"^(migprof: no more NVML counters: .*\n)?$")
        (plain_kb, _, _), (peak_kb, executed, waits) = numbers_of(plain), numbers_of(result)
        table = run.merge("--format", "json,folded").stdout
        slices = run.summary()["slices"]
        health = collections.Counter()
        for entry in slices:
            health.update({name: int(value or 0) for name, value in entry["health"].items()})
        counters = [counters_of(path) for path in run.trace_files()]
        total = collections.Counter(counters[0])
        total["waits"] = waits
        total["device.dropped_calls"] = sum(each["device.dropped_calls"] for each in counters)
        print(f"{kind} {count}: {peak_kb - plain_kb} kB more than plain; counted at most {total['process.memory_peak_bytes'] // 1024} kB; "
              f"small rings {total['process.small_rings']}, threads without {total['process.threads_without_ring']}, "
              f"forgotten {total['process.definitions_forgotten']} times, dropped calls {total['device.dropped_calls']}, "
              f"activities {total['process.dropped_activities']}, stacks lost {total['process.stacks_lost']}")
        self.assertEqual(total["process.memory_most_bytes"], megabytes << 20)
        self.assertLessEqual(max(each["process.memory_peak_bytes"] for each in counters), megabytes << 20)
        self.assertLessEqual(peak_kb - plain_kb, megabytes * 1024 + TOLERANCE_KB)
        self.assertEqual(total["process.unrouted_calls"], 0)
        self.assertEqual(total["process.unknown_contexts"], 0)
        for entry in slices:
            recorder = entry["processes"][0]["recorder"]
            self.assertEqual(recorder["definitions_forgotten"], total["process.definitions_forgotten"])
            self.assertEqual(recorder["threads_without_ring"], total["process.threads_without_ring"])
        small = total["process.small_rings"] + total["process.threads_without_ring"]
        because = f", because of MIGPROF_MAX_MEMORY={megabytes}M"
        (self.assertIn if small and health["dropped"] else self.assertNotIn)(because, table)
        return run, executed, total, health

    def check_sums(self, executed, total, health):
        """Nothing is missing without a number, and nothing is counted that is not missing."""
        numbers = f"executed {executed}, {dict(health)}"
        # Of the calls that waited some may be among the dropped.
        self.assertGreaterEqual(health["launches"] + total["device.dropped_calls"], executed, numbers)
        self.assertLessEqual(health["launches"] + total["device.dropped_calls"], executed + total["waits"], numbers)
        lost = total["device.dropped_calls"] + total["process.dropped_activities"]
        self.assertEqual(health["dropped"], lost, numbers)
        self.assertEqual(health["launches"], health["matched"] + health["unmatched"], numbers)

    def test_many_threads(self):
        for threads, megabytes in ((200, CEILING_MB), (200, 64)):
            with self.subTest(megabytes=megabytes):
                _, executed, total, health = self.hungry("threads", threads, megabytes)
                self.check_sums(executed, total, health)
                self.assertGreater(total["process.small_rings"], 0)
                self.assertLess(total["process.threads_without_ring"], threads - 20 if megabytes == CEILING_MB else threads / 2)
                # Whoever has no ring loses all its calls, all others at most some.
                self.assertGreaterEqual(total["device.dropped_calls"], 200 * total["process.threads_without_ring"])

    def test_stacks_without_end(self):
        count = 30_000 * SCALE
        run, executed, total, health = self.hungry("stacks", count)
        self.check_sums(executed, total, health)
        self.assertGreater(total["process.definitions_forgotten"], 2 * SCALE)
        found = set()
        for frames, _ in run.folded():
            turns = [re.search(r"\b(Left|Right)\(", frame) for frame in frames]
            turns = [turn[1] for turn in turns if turn]
            if len(turns) == 20:
                found.add(sum(1 << bit for bit, turn in enumerate(turns) if turn == "Right"))
        self.assertLessEqual(found, set(range(count)), "a stack that no call had")
        lost = health["dropped"] + total["process.stacks_lost"]
        self.assertGreaterEqual(len(found), count - lost)
        # A stack is lost where the ring had no room for it, where it was sent two generations ago but is in the same ring as a call
        # that needs it, or where its thread was stopped in the middle of a call meanwhile. Not whenever something is forgotten.
        self.assertLessEqual(total["process.stacks_lost"], total["device.dropped_calls"] + executed / 50)

    def test_bounded_recording_keeps_whose_memory_it_is(self):
        """What was allocated at the start is told of by every later file, also when its stack was forgotten many times since."""
        run = harness.Run(self)
        result = run.run("memory_hungry", "stacks", 30_000, MIGPROF_MAX_MEMORY=f"{CEILING_MB}M", MIGPROF_WINDOW="500ms", SIMGPU_LEDGER=None)
        self.assertRegex(result.stderr, r"^(migprof: no more NVML counters: .*\n)?$")
        self.assertRegex(min(run.trace_files()).name, r"\.0*[1-9]\d*\.", "the file of the start was not deleted")
        counters = counters_of(max(run.trace_files()))
        self.assertGreater(counters["process.definitions_forgotten"], 2)
        self.assertEqual(counters["process.carried_stacks_lost"], 0)
        self.assertLessEqual(counters["process.memory_peak_bytes"], CEILING_MB << 20)
        run.merge("--format", "json,folded", "--view", "memory")
        rows = run.folded("folded.memory.txt")
        self.assertTrue(any("hazards::Gpu" in frame for frames, _ in rows for frame in frames), rows[:5])

    def test_kernels_without_end(self):
        count = 10_000 * SCALE
        run, executed, total, health = self.hungry("names", count)
        self.check_sums(executed, total, health)
        self.assertGreater(total["process.definitions_forgotten"], 0)
        found = {frames[-1] for frames, _ in run.folded() if frames[-1].startswith("compiled_kernel")}
        self.assertGreaterEqual(len(found), count - health["dropped"])

    def test_graphs_without_end(self):
        run, _, total, health = self.hungry("graphs", 500 * SCALE)
        kernels = sum(entry["kernels"]["count"] for entry in run.summary()["slices"])
        self.assertLessEqual(kernels, 80 * 500 * SCALE)
        self.assertGreaterEqual(kernels + total["process.dropped_activities"], 80 * 500 * SCALE)

    def test_contexts_without_end(self):
        _, executed, total, health = self.hungry("contexts", 5000 * SCALE)
        self.check_sums(executed, total, health)


if __name__ == "__main__":
    harness.main()
