#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments under load: the trace opens, what it says was executed, and everything older than MIGPROF_FLUSH_MS is in
it. KILL_MOMENTS says how many moments; the long form is 500. KILL_SEED repeats a run."""

import json
import os
import random
import time
import unittest

import accounting
import harness

MOMENTS = int(os.environ.get("KILL_MOMENTS", "20"))
SEED = int(os.environ.get("KILL_SEED", time.time_ns() % 1_000_000))
# Beyond the flush period: for reading the rings and writing, on a machine that does other things as well.
LATE_MS = 400 if not harness.SANITIZED else 3000


class Killed(unittest.TestCase):
    def check_moment(self, moment_s, flush_ms, hazard="busy", kernels=None, **environment):
        """Kills so long after the first launch was executed. Returns how old the oldest missing piece of work was, in ms."""
        run = harness.Run(self)
        if kernels:
            (run.folder / "kernels.json").write_text(json.dumps([{"match": ".*", **kernels}]))
            environment["SIMGPU_KERNELS"] = run.folder / "kernels.json"
        process = run.start("hazards", hazard, SIMGPU_CLOCK="real", MIGPROF_FLUSH_MS=flush_ms, **environment)
        while not run.ledger_path.exists() or run.ledger_path.stat().st_size == 0:
            self.assertIsNone(process.poll())
            time.sleep(0.001)
        time.sleep(moment_s)
        killed_ns = time.time_ns()
        process.kill()
        out, err = process.communicate()
        self.assertEqual((out, err), ("", ""))
        # In the moment between a file's creation and its first chunk there is nothing in it.
        traces = [accounting.TraceCounts(path) for path in run.trace_files() if path.stat().st_size > 0]
        for _, _, health in accounting.check(self, run, cut=True, traces=traces).values():
            self.assertTrue(health["killed"])
        executed = [row for row in accounting.ledger_of(run, cut=True) if row["end_ns"] < killed_ns]
        recorded = {work[4] for trace in traces for work in trace.work}
        missing = [row["end_ns"] for row in executed if row["correlation_id"] not in recorded]
        oldest_ms = (killed_ns - min(missing)) / 1e6 if missing else 0
        self.assertLess(oldest_ms, flush_ms + LATE_MS, f"{len(missing)} of {len(executed)} are missing")
        return oldest_ms

    def test_any_moment(self):
        chosen = random.Random(SEED)
        oldest = 0
        for number in range(MOMENTS):
            moment_s = chosen.uniform(0, 0.8)
            with self.subTest(seed=SEED, number=number, moment_s=moment_s):
                oldest = max(oldest, self.check_moment(moment_s, flush_ms=200))
        print(f"{MOMENTS} moments: the oldest work that was lost had ended {oldest:.0f} ms before (MIGPROF_FLUSH_MS=200)")

    def test_the_default_period(self):
        oldest = self.check_moment(3, flush_ms=2000)
        print(f"the oldest work that was lost had ended {oldest:.0f} ms before (MIGPROF_FLUSH_MS=2000)")

    def test_a_gpu_that_is_never_idle(self):
        """CUPTI holds back a buffer as long as any of its work is not done."""
        for base_ns in (500_000, 5_000_000):
            with self.subTest(kernel_ns=base_ns):
                oldest = self.check_moment(1.5, 200, "pipelined", {"base_ns": base_ns, "wave_ns": 0})
                print(f"kernels of {base_ns / 1000:.0f} us: the oldest work that was lost had ended {oldest:.0f} ms before (MIGPROF_FLUSH_MS=200)")


if __name__ == "__main__":
    harness.main()
