#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A steady state: a program that launches, copies, makes and gives back threads, streams, memory and graphs for long keeps its memory,
descriptors and threads. LONG_RUN_LAUNCHES says for how long; the long form is 50000000. Under the least ceiling, LONG_RUN_MEMORY: how
much waits in rings and buffers goes up and down with the load of the machine, as far as the ceiling lets it, and would hide what grows."""

import itertools
import os
import re
import statistics
import unittest

import harness

LAUNCHES = int(os.environ.get("LONG_RUN_LAUNCHES", "1000000"))
MEMORY = os.environ.get("LONG_RUN_MEMORY", "16M")
SAMPLES = 100
WARM_UP = 0.3  # of the run: rings are touched for the first time, tables reach their size
# By how much the fitted line may rise from the end of the warm-up to the end of the run, whatever its length: how much waits in
# buffers is never the same twice.
MOST_GROWTH_KB = 2048


def rise(points):
    """How much a line through [(x, y)] rises over all of them: the median of all slopes, which single peaks do not move."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x2 > x1]
    return statistics.median(slopes) * (points[-1][0] - points[0][0])


class LongRun(unittest.TestCase):
    def samples_of(self, way):
        run = harness.Run(self)
        result = run.run("long_run", LAUNCHES, SAMPLES, way=way, timeout=None, SIMGPU_LEDGER=None,
                         **({} if way == harness.PLAIN else {"MIGPROF_MAX_MEMORY": MEMORY}))
        # On a busy machine questions to NVML may take too long, and are given up.
        self.assertRegex(result.stderr, r"^(migprof: no more NVML counters: .*\n)?$")
        samples = [tuple(map(int, row)) for row in re.findall(r"^sample (\d+) (\d+) (\d+) (\d+)$", result.stdout, re.M)]
        self.assertEqual(len(samples), SAMPLES - 1)
        executed = int(re.search(r"^executed (\d+)$", result.stdout, re.M)[1])
        return run, samples[int(WARM_UP * SAMPLES):], executed

    def test_nothing_grows(self):
        _, plain, _ = self.samples_of(harness.PLAIN)
        run, samples, executed = self.samples_of(harness.DEFAULT_WAY)
        rss, descriptors, threads = ([(row[0], row[column]) for row in samples] for column in (1, 2, 3))
        plain_kb = rise([(row[0], row[1]) for row in plain])
        rss_kb = rise(rss)
        print(f"{LAUNCHES} launches: resident {min(y for _, y in rss)} to {max(y for _, y in rss)} kB, fitted rise {rss_kb:.0f} kB "
              f"(plain {plain_kb:.0f} kB), descriptors {sorted({y for _, y in descriptors})}, threads {sorted({y for _, y in threads})}")
        if "address" not in harness.SANITIZED:  # which keeps for long what was given back
            self.assertLess(rss_kb - max(plain_kb, 0), MOST_GROWTH_KB)
        self.assertEqual(rise(descriptors), 0)
        self.assertEqual(rise(threads), 0)
        self.assertLessEqual(max(y for _, y in descriptors) - min(y for _, y in descriptors), 1)
        # Two that launch may each have a short-lived one at work.
        self.assertLessEqual(max(y for _, y in threads) - min(y for _, y in threads), 2)
        run.merge("--format", "json")
        [entry] = run.summary()["slices"]
        health, recorder = entry["health"], entry["processes"][0]["recorder"]
        print(f"launches in the trace {health['launches']} (captured {health['captured']}), dropped {health['dropped']}; "
              f"the recorder took at most {recorder['memory_peak_bytes'] / 1e6:.1f} MB")
        self.assertLessEqual(recorder["memory_peak_bytes"], recorder["memory_most_bytes"])
        self.assertFalse(health["killed"])
        made = health["launches"] - health["captured"] - health["failed"]
        self.assertLessEqual(made, executed)
        self.assertGreaterEqual(made + health["dropped"], executed)  # calls of other kinds may be among the dropped
        if health["dropped"] == 0:
            self.assertEqual(made, executed)
            self.assertEqual(health["unmatched"], 0)


if __name__ == "__main__":
    harness.main()
