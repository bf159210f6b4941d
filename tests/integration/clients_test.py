#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other users of what migprof uses: a second injection library, and another CUPTI client in the process."""

import concurrent.futures
import json
import re
import subprocess
import sys
import unittest

import accounting
import harness

PROBE = next(iter(sorted(harness.BUILD.rglob("libsimgpu_injected_probe.so"))), None)
CLIENT = harness.BUILD / "lib" / "libcupti_client.so"
LONG_MS = 600_000


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("migprof:")]


class SecondInjectionLibrary(unittest.TestCase):
    """CUDA_INJECTION64_PATH names one library."""

    def run_chained(self, run, *command, mode="keep", **extra):
        return run.run(*command, PROBE_PROTOCOL=run.folder / "protocol", PROBE_MODE=mode, **extra)

    def protocol(self, run):
        path = run.folder / "protocol"
        return path.read_text() if path.exists() else ""

    def ways(self):
        """How the environment may ask for both."""
        yield "named", {"way": harness.INJECT, "MIGPROF_CHAIN": PROBE}
        if not harness.SANITIZED:
            yield "preloaded", {"way": harness.PRELOAD, "CUDA_INJECTION64_PATH": PROBE}

    def test_both_run(self):
        for how, environment in self.ways():
            with self.subTest(how=how):
                run = harness.Run(self)
                result = self.run_chained(run, "copies", "--rounds", "2", **environment)
                self.assertEqual(result.stderr, "")
                self.assertEqual(self.protocol(run), "load\ninitialize count=3 nested=3\n")
                for _, _, health in accounting.check(self, run).values():
                    self.assertGreater(health["matched"], 0)
                    self.assertEqual(health["unmatched"], 0)

    def test_the_one_that_was_chosen_by_hand_gets_cupti(self):
        for how, environment in self.ways():
            with self.subTest(how=how):
                run = harness.Run(self)
                result = self.run_chained(run, "copies", "--rounds", "2", mode="watch", **environment)
                self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
                self.assertIn("held by another tool", result.stderr)
                self.assertIn("init finished", self.protocol(run))
                self.assertEqual(run.trace_files(), [])

    def test_a_zero_means_unload_and_try_again(self):
        for how, environment in self.ways():
            with self.subTest(how=how):
                run = harness.Run(self)
                result = self.run_chained(run, "cupti_clients", CLIENT, "init", "launch", 20, "init", mode="zero", **environment)
                self.assertEqual(result.stderr, "")
                protocol = self.protocol(run)
                self.assertEqual(protocol.count("unload\n"), 3, protocol)
                self.assertEqual(len(re.findall("^load\ninitialize", protocol, re.M)), 3, protocol)
                self.assertEqual([health["matched"] for _, _, health in accounting.check(self, run).values()], [20])

    def test_what_cannot_be_loaded_is_named_once(self):
        without = harness.SIMGPU / "libnvidia-ml.so.1"
        for other, reason in (("/opt/other/tool.so", "cannot be loaded"), ("a.so:b.so", "cannot be loaded"),
                              (without, "has no InitializeInjection")):
            for how, environment in self.ways():
                with self.subTest(how=how, other=other):
                    run = harness.Run(self)
                    environment = {key: other if value is PROBE else value for key, value in environment.items()}
                    result = run.run("copies", "--rounds", "2", **environment)
                    self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
                    self.assertIn(f"{other}, {reason}", result.stderr)
                    self.assertEqual(len(run.trace_files()), 1)

    def test_it_does_not_inject_itself(self):
        run = harness.Run(self)
        link = run.folder / "other-name.so"
        link.symlink_to(harness.LIBRARY)
        for chained in (harness.LIBRARY, link, "libmigprof.so"):
            with self.subTest(chained=chained):
                run = harness.Run(self)
                result = run.run("copies", "--rounds", "2", way=harness.INJECT, MIGPROF_CHAIN=chained,
                                 LD_LIBRARY_PATH=f"{harness.SIMGPU}:{harness.LIBRARY.parent}")
                self.assertEqual(result.stderr, "")
                self.assertEqual(len(run.trace_files()), 1)

    @unittest.skipIf(harness.SANITIZED, "a sanitized library cannot be preloaded into an ordinary program")
    def test_children_chain_too(self):
        run = harness.Run(self)
        # The second child has lost LD_PRELOAD, the third has another choice of its own.
        script = (f"{harness.BIN}/copies --rounds 1; env -u LD_PRELOAD {harness.BIN}/copies --rounds 1; "
                  f"CUDA_INJECTION64_PATH=/opt/mine.so {harness.BIN}/copies --rounds 1")
        result = self.run_chained(run, "/bin/sh", "-c", script, way=harness.PRELOAD, CUDA_INJECTION64_PATH=PROBE)
        self.assertEqual(self.protocol(run).count("initialize"), 2)
        self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
        self.assertIn("/opt/mine.so", result.stderr)
        self.assertEqual(len(run.trace_files()), 3)

    @unittest.skipIf(harness.SANITIZED, "a sanitized library cannot be preloaded into an ordinary program")
    def test_where_it_does_nothing_it_does_not_take_the_place(self):
        run = harness.Run(self)
        result = run.run("/bin/sh", "-c", "echo $CUDA_INJECTION64_PATH $MIGPROF_CHAIN", way=harness.PRELOAD, MIGPROF_DISABLE="1",
                         CUDA_INJECTION64_PATH="/opt/other/tool.so")
        self.assertEqual(result.stdout.strip(), "/opt/other/tool.so")

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_migprof_run_chains(self):
        run = harness.Run(self)
        command = [str(harness.BIN / "migprof"), "run", "--no-merge", "--", str(harness.BIN / "copies"), "--rounds", "1"]
        env = run.environment(way=harness.PLAIN, CUDA_INJECTION64_PATH=PROBE, PROBE_PROTOCOL=run.folder / "protocol", PROBE_MODE="keep")
        subprocess.run(command, env=env, check=True, capture_output=True, cwd=run.folder)
        self.assertEqual(self.protocol(run).count("initialize"), 1)


class OtherClient(unittest.TestCase):
    """Commands: tests/programs/clients/main.cc."""

    def setUp(self):
        self.harness_run = harness.Run(self)
        self.kernels = self.harness_run.folder / "kernels.json"
        self.kernels.write_text(json.dumps([{"match": "long_work", "base_ns": LONG_MS * 1_000_000}]))

    def clients(self, *commands, **extra):
        extra.setdefault("MIGPROF_FLUSH_MS", "50")
        result = self.harness_run.run("cupti_clients", CLIENT, *commands, SIMGPU_KERNELS=self.kernels, **extra)
        self.said = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines() if not line.startswith("kernels "))
        got = re.search(r"^kernels (\d+) strangers (\d+) launches (\d+)$", result.stdout, re.M)
        self.got = tuple(map(int, got.groups())) if got else None
        return own_lines(result.stderr)

    def health(self):
        (health,) = [entry[2] for entry in accounting.check(self, self.harness_run).values()]
        return health


class Takeover(OtherClient):
    # After it, so that it is noticed: kernels of which nothing arrives while the GPU has nothing to do.
    NOTICED = ("launch", 20, "sync", "wait", 3500)

    def check_takeover(self, *commands, reason, before, unnoticed, after, earliest=None, **extra):
        """`unnoticed`: launches from the takeover until it is noticed; at least `earliest` where that happens while they are made."""
        lines = self.clients(*commands, **extra)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(reason, lines[0])
        health = self.health()
        self.assertTrue(health["stopped"])
        self.assertIsNotNone(health["taken_over_ns"])
        self.assertEqual(health["matched"], before)
        self.assertEqual(health["unmatched"] + health["dropped"], unnoticed + after)
        self.assertLessEqual(health["unmatched"], unnoticed)
        self.assertGreaterEqual(health["unmatched"], unnoticed if earliest is None else earliest)
        merged = self.harness_run.merge("--format", "json,html,svg", "--strict", expect=2)
        for text in [merged.stdout, *(path.read_text() for path in self.harness_run.report.glob("*.html")),
                     *(path.read_text() for path in self.harness_run.report.glob("*.svg"))]:
            self.assertIn("another CUPTI client took over at", text)

    def test_another_client_takes_the_buffers(self):
        self.check_takeover("launch", 30, "sync", "migprof-flush", "start", *self.NOTICED, "launch", 15,
                            reason="gets the GPU's activity", before=30, unnoticed=20, after=15)
        self.assertEqual(self.said["start"], "0")
        self.assertEqual(self.got[0], 0 + 20 + 0, "what the other had flushed")

    def test_another_client_disables_kernels(self):
        self.check_takeover("launch", 30, "sync", "migprof-flush", "disable-kernels", *self.NOTICED, "launch", 15,
                            reason="gets the GPU's activity", before=30, unnoticed=20, after=15)

    def test_the_new_owner_is_not_disturbed(self):
        """What it gets is what it gets without migprof, and nobody flushes, disables or reads its counts for it."""
        self.clients("launch", 30, "sync", "migprof-flush", "start", *self.NOTICED, "launch", 15, "sync", "wait", 300, "zeroed", "stop", "launch", 10)
        self.assertEqual(self.said["stop"], "0")
        self.assertEqual(self.got[0], 20 + 15)
        self.assertEqual(self.said["zeroed"], "0", "its buffers need not come zeroed")

    def test_busy_without_synchronizing_the_context(self):
        """More launches than CUDA queues."""
        self.check_takeover("launch", 30, "sync", "migprof-flush", "start", "launch", 34000, "stream-sync", "wait", 300, "launch", 15,
                            reason="gets the GPU's activity", before=30, unnoticed=34000, after=15, earliest=32000)

    def test_another_client_finalizes(self):
        lines = self.clients("launch", 30, "sync", "migprof-flush", "finalize", "wait", 300, "launch", 15)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("has finalized CUPTI", lines[0])
        self.harness_run.merge("--format", "json", "--strict", expect=2)
        health = self.harness_run.summary()["slices"][0]["health"]
        self.assertEqual((health["matched"], health["unmatched"]), (30, 0))
        self.assertTrue(health["stopped"])

    def test_it_cannot_be_started_again(self):
        lines = self.clients("launch", 30, "sync", "migprof-flush", "start", *self.NOTICED, "migprof-start", "launch", 15)
        self.assertEqual(len(lines), 1, lines)
        self.assertEqual(self.said["migprof-start"], "0")
        self.assertEqual(self.health()["dropped"], 15)


class NoTakeover(OtherClient):
    def check_none(self, *commands, matched, untimed=0, **extra):
        self.assertEqual(self.clients(*commands, **extra), [])
        health = self.health()
        self.assertIsNone(health["taken_over_ns"])
        self.assertEqual((health["matched"], health["unmatched"], health["untimed"], health["dropped"]), (matched, 0, untimed, 0))

    def test_a_kernel_that_takes_minutes(self):
        # CUPTI withholds it, and all that lies in the same buffer.
        for api in ("130001", "22"):  # a buffer for each thread, and one for all
            with self.subTest(api=api):
                self.setUp()
                self.check_none("launch", 30, "sync", "migprof-flush", "launch", 20, "long", "wait", 3500, "launch", 20, "wait", 500, matched=71,
                                SIMGPU_CUPTI_API=api)

    def test_a_kernel_that_takes_minutes_right_after_a_synchronization(self):
        self.check_none("launch", 30, "sync", "migprof-flush", "launch", 20, "sync", "long", "wait", 3500, matched=51)

    def test_an_idle_process(self):
        self.check_none("launch", 30, "sync", "wait", 3500, "launch", 5, "wait", 1000, matched=35)

    def test_a_process_that_never_launches(self):
        self.assertEqual(self.clients("wait", 3000), [])

    def test_a_stopped_recording(self):
        lines = self.clients("launch", 30, "sync", "migprof-flush", "migprof-stop", "launch", 40, "sync", "wait", 3500, "migprof-start",
                             "launch", 10, "sync", "wait", 500)
        self.assertEqual(lines, [])
        self.harness_run.merge("--format", "json")
        health = self.harness_run.summary()["slices"][0]["health"]
        self.assertEqual((health["matched"], health["unmatched"], health["taken_over_ns"]), (40, 0, None))

    def test_ways_of_recording_graphs(self):
        for graphs in ("node", "graph", "off"):
            with self.subTest(graphs=graphs):
                run = harness.Run(self)
                result = run.run("graph_replay", MIGPROF_GRAPHS=graphs, MIGPROF_FLUSH_MS="50")
                self.assertEqual(result.stderr, "")

    def test_faults_of_cupti(self):
        """What keeps records from arriving for other reasons, or late."""
        faults = ("late-worker=300", "tiny-buffers", "shuffle", "drop-records=1", "cuptiGetCallbackState=999", "unknown-kind", "cuptiActivityFlushAll=2")
        commands = ("launch", 30, "sync", "migprof-flush", "launch", 200, "sync", "wait", 200, "launch", 20, "sync", "wait", 3500, "launch", 20)
        runs = [harness.Run(self).start("cupti_clients", CLIENT, *commands, SIMGPU_FAULTS=fault, MIGPROF_FLUSH_MS="50") for fault in faults]
        for fault, process in zip(faults, runs):
            with self.subTest(fault=fault):
                self.assertEqual(own_lines(process.communicate(timeout=60)[1]), [])
                self.assertEqual(process.returncode, 0)

    def test_a_client_that_is_refused(self):
        self.check_none("launch", 30, "sync", "migprof-flush", "subscribe", "launch", 20, "sync", "wait", 3000, matched=50)
        self.assertEqual(self.said["subscribe"], "39")


SETTLE = ("wait", 1200)  # the recorder begins again a moment after the other has ended


class Yield(OtherClient):
    """MIGPROF_YIELD=1, and a client that does what Kineto does (torch.profiler)."""

    FIRST = ("launch", 30, "sync")
    PROFILE = ("start", "launch", 20, "sync", "stop")

    def check_shared(self, *commands, recorded, others, neither=0, stops=1, untimed=0, lines=(), **extra):
        """Each kernel was seen by one of the two, or is counted here."""
        said = self.clients(*commands, MIGPROF_YIELD="1", **extra)
        self.assertEqual(len(said), len(lines), said)
        for line, expected in zip(said, lines):
            self.assertIn(expected, line)
        kernels, strangers, self.launches = self.got
        self.assertEqual((kernels, strangers), (others, 0))
        self.harness_run.merge("--format", "json")
        (entry,) = self.harness_run.summary()["slices"]
        health = entry["health"]
        self.assertEqual(entry["kernels"]["count"], recorded)
        self.assertEqual((health["unmatched"], health["orphaned"], health["dropped"], health["untimed"], health["graph_unattributed"]),
                         (0, 0, 0, untimed, 0))
        self.assertFalse(health["stopped"])
        self.assertEqual([process["stops"] for process in entry["processes"]], [stops])
        (trace,) = accounting.read(self.harness_run)
        executed = accounting.without_times(accounting.collections.Counter(map(accounting.work_of, self.harness_run.ledger())))
        self.assertFalse(accounting.without_times(trace.work) - executed)
        self.assertEqual(sum(executed.values()), recorded + others + neither)
        return health

    def test_a_profiler_that_stays_subscribed(self):
        for way in (harness.INJECT, harness.DEFAULT_WAY):
            with self.subTest(way=way):
                self.setUp()
                self.check_shared(*self.FIRST, "subscribe", "zeroed", *self.PROFILE, *SETTLE, "launch", 10, recorded=40, others=20, way=way)
                self.assertEqual(self.said["zeroed"], "0", "its buffers need not come zeroed")

    def test_a_cupti_with_one_buffer_for_all_threads(self):
        # 12.4, which also does not tell who holds it. What the recorder's buffer had room for is the other's.
        self.check_shared(*self.FIRST, "subscribe", *self.PROFILE, *SETTLE, "launch", 10, "sync", *self.PROFILE, *SETTLE, "launch", 5,
                          recorded=45, others=40, stops=2, SIMGPU_CUPTI_API="22")

    def test_a_profiler_that_finalizes_cupti(self):
        self.check_shared(*self.FIRST, "subscribe", *self.PROFILE, "teardown", "sync", *SETTLE, "launch", 10, recorded=40, others=20)

    def test_again_and_again(self):
        once = (*self.PROFILE, *SETTLE, "launch", 10, "sync")
        self.check_shared(*self.FIRST, "subscribe", *(3 * once), recorded=60, others=60, stops=3)
        self.setUp()
        once = ("subscribe", *self.PROFILE, "teardown", "sync", *SETTLE, "launch", 10, "sync")
        self.check_shared(*self.FIRST, *(3 * once), recorded=60, others=60, stops=3)

    def test_a_profiler_that_never_subscribes(self):
        self.check_shared(*self.FIRST, *self.PROFILE, *SETTLE, "launch", 10, recorded=40, others=20)

    def test_callbacks_of_the_other_are_left_to_it(self):
        self.check_shared(*self.FIRST, "subscribe", "callbacks-on", "launch", 8, *SETTLE, "launch", 2, "callbacks-off", *SETTLE, "launch", 4,
                          "callbacks-on", "launch", 3, recorded=34, others=0, neither=13, stops=2)
        self.assertEqual(self.launches, 13)

    def test_the_process_ends_meanwhile(self):
        self.check_shared(*self.FIRST, "subscribe", *self.PROFILE, "launch", 10, recorded=30, others=20, neither=10)
        self.setUp()
        self.check_shared(*self.FIRST, "subscribe", "start", "launch", 20, "sync", recorded=30, others=0, neither=20)

    def test_work_that_runs_when_the_recorder_gives_way(self):
        # The other flushes by force, which is why CUPTI says no times of it.
        self.check_shared(*self.FIRST, "launch", 5, "long", "start", "launch", 20, "stop", *SETTLE, "launch", 10, recorded=46, others=20,
                          untimed=1)

    def test_work_of_the_other_that_runs_when_it_ends(self):
        # Its buffer has room, and the recorder's work lands in it: the other gets the whole buffer, the recorder what is its own.
        self.check_shared(*self.FIRST, "start", "launch", 5, "long", "stop-softly", *SETTLE, "launch", 10, "sync", "wait", 200, recorded=40,
                          others=16, neither=-10)

    def test_graphs_stay_known(self):
        health = self.check_shared("capture", "replay", 5, "sync", "subscribe", *self.PROFILE, *SETTLE, "replay", 4, recorded=27, others=20)
        self.assertEqual(health["captured"], 3)

    def test_a_client_that_was_first(self):
        self.assertEqual(self.clients("launch", 3, "subscribe", MIGPROF_START="off", MIGPROF_YIELD="1"), [])
        self.assertEqual(self.said["subscribe"], "0", "a stopped recording holds nothing")

    @unittest.skipIf(harness.SANITIZED, "a sanitizer's library comes first")
    def test_calls_that_do_not_come_by(self):
        """libcupti comes first. Then a stopped recording leaves CUPTI to others."""
        self.check_shared(*self.FIRST, "migprof-stop", "subscribe", *self.PROFILE, "unsubscribe", "migprof-start", "launch", 10, recorded=40,
                          others=20, lines=["needs"], way=harness.INJECT, LD_PRELOAD=harness.SIMGPU / "libcupti.so.13")
        self.assertEqual([self.said[what] for what in ("migprof-stop", "subscribe", "start", "migprof-start")], ["1", "0", "0", "1"])

    @unittest.skipIf(harness.SANITIZED, "a sanitizer's library comes first")
    def test_a_program_that_is_linked_to_cupti(self):
        self.check_shared(*self.FIRST, "subscribe", *self.PROFILE, *SETTLE, "launch", 10, recorded=40, others=20, way=harness.INJECT,
                          LD_PRELOAD=f"{harness.LIBRARY.parent}/libmigprof-yield.so:{harness.SIMGPU}/libcupti.so.13")

    def test_threads_that_launch_all_the_while(self):
        yields, threads = 4, 3
        once = ("start", "wait", 50, "stop", "wait", 700)
        lines = self.clients("background", threads, "wait", 100, "subscribe", *(yields * once), MIGPROF_YIELD="1", SIMGPU_CLOCK="real")
        self.assertEqual(lines, [])
        self.assertEqual(self.got[1], 0)
        self.harness_run.merge("--format", "json")
        (entry,) = self.harness_run.summary()["slices"]
        health = entry["health"]
        self.assertGreaterEqual(entry["processes"][0]["stops"], yields)
        self.assertGreater(health["matched"], 0)
        # A launch that was entered just before, and executed after.
        self.assertLessEqual(health["unmatched"] + health["orphaned"], yields * threads)
        self.assertFalse(health["stopped"])

    def test_without_the_library_one_line_says_so(self):
        run = harness.Run(self)
        alone = run.folder / "libmigprof.so"
        alone.write_bytes(harness.LIBRARY.read_bytes())
        result = run.run("copies", "--rounds", "1", way=harness.INJECT, CUDA_INJECTION64_PATH=alone, MIGPROF_YIELD="1")
        self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
        self.assertIn("MIGPROF_YIELD has no effect", result.stderr)
        self.assertEqual(len(run.trace_files()), 1)


def run_concurrently():
    """They mostly wait. Each has a folder and a process of its own."""
    def run(test):
        result = unittest.TestResult()
        test.run(result)
        problems = [text for _, text in result.errors + result.failures]
        print(test.id(), "ok" if not problems else "FAILED", "(skipped)" if result.skipped else "", flush=True)
        return problems

    def flat(suite):
        return [test for part in suite for test in (flat(part) if isinstance(part, unittest.TestSuite) else [part])]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        problems = sum(pool.map(run, flat(unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))), [])
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        harness.main()
    run_concurrently()
