#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping and flushing a recording while the program runs. What the simulated GPU executed, and what the program was
told to do, are the oracles."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

import harness


class Program:
    """The program `controlled`, to be told line by line what to do."""

    def __init__(self, test, *before, **environment):
        self.run = harness.Run(test)
        self.control = self.run.folder / "control"
        environment.setdefault("MIGPROF_CONTROL", self.control)
        self.process = subprocess.Popen([str(harness.BIN / "controlled"), *before], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.run.folder,
                                        env=self.run.environment(**environment))
        test.addCleanup(self.process.kill)
        self.before = [self.process.stdout.readline().strip() for _ in before]
        assert self.process.stdout.readline() == "ready\n"

    def do(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer, self.process.stderr.read()
        return answer

    def end(self):
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, (self.process.returncode, err)
        return err

    def ask(self, verb, *options, expect=0, env=None):
        result = subprocess.run([str(harness.BIN / "migprof"), verb, *options, str(self.process.pid)], capture_output=True, text=True,
                                timeout=30, env=env)
        assert result.returncode == expect, (result.returncode, result.stdout, result.stderr)
        return result.stdout + result.stderr

    def merged(self):
        self.run.merge("--format", "json")
        return self.run.summary()["slices"]

    def names(self):
        """Kernels of all trace files, by name."""
        names = {}
        for path in self.run.trace_files():
            for kernel in harness.Dump(path).records["kernel"]:
                names[kernel["name"]] = names.get(kernel["name"], 0) + 1
        return {"matmul" if "matmul" in name else "gelu": count for name, count in names.items()}


class Control(unittest.TestCase):
    def assert_exact(self, slices, launches, executed):
        """What was recorded of one slice, and that nothing is told of that was not."""
        health = slices[0]["health"]
        self.assertEqual(health["launches"], launches)
        self.assertEqual(health["matched"], launches)
        self.assertEqual(slices[0]["kernels"]["count"], launches)
        self.assertEqual(health["unmatched"] + health["dropped"] + health["orphaned"] + health["untimed"], 0, health)
        self.assertFalse(slices[0]["loss"])
        self.assertLess(launches, executed)

    def test_api_stops_and_starts(self):
        program = Program(self)
        program.do("launch 300")
        self.assertEqual(program.do("stop"), "1")
        program.do("other 200")
        self.assertEqual(program.do("start"), "1")
        program.do("launch 100")
        program.do("stop")
        program.do("other 50")
        program.end()
        slices = program.merged()
        self.assert_exact(slices, 400, len([row for row in program.run.ledger() if row["kind"] == "kernel"]))
        self.assertEqual(program.names().get("matmul"), 400)
        self.assertEqual(slices[0]["processes"][0]["stops"], 2)
        dump = harness.Dump(program.run.trace_files()[0])
        pauses = {pause["stopped"]: pause for pause in dump.records["pause"]}
        self.assertEqual(len(pauses), 2)
        self.assertTrue(all(pause["started"] > pause["stopped"] for pause in pauses.values()), pauses)

    def test_stopped_time_is_neither_busy_nor_idle(self):
        program = Program(self, SIMGPU_CLOCK="real")
        program.do("launch 300")
        program.do("sync")
        program.do("stop")
        program.do("other 100")
        program.do("wait 1500")
        program.do("start")
        program.do("launch 300")
        program.end()
        entry = program.merged()[0]
        pauses = [pause for pause in harness.Dump(program.run.trace_files()[0]).records["pause"] if pause["started"]]
        length = pauses[-1]["started"] - pauses[-1]["stopped"]
        self.assertGreater(entry["not_recorded_ns"], 0)
        self.assertLessEqual(entry["not_recorded_ns"], length)
        self.assertGreater(entry["not_recorded_ns"], 0.99 * length)
        self.assertEqual(entry["processes"][0]["stopped_ns"], length)
        idle = sum(entry["idle_ns"].values())
        self.assertEqual(idle + entry["not_recorded_ns"] + entry["busy_ns"], entry["window_ns"])
        recorded = entry["window_ns"] - entry["not_recorded_ns"]
        self.assertAlmostEqual(entry["metrics"]["utilization"], entry["busy_ns"] / recorded, places=6)
        table = program.run.merge().stdout
        self.assertIn("recording was stopped for", table)

    def test_what_is_stopped_costs_cupti_nothing(self):
        program = Program(self, MIGPROF_FLUSH_MS="50")
        program.do("launch 1000")
        program.do("stop")
        program.do("wait 1500")
        program.do("other 5000")
        program.do("wait 200")
        sizes = [path.stat().st_size for path in program.run.trace_files()]
        program.do("other 5000")
        program.do("wait 300")
        self.assertEqual(sizes, [path.stat().st_size for path in program.run.trace_files()], "a stopped process writes")
        self.assertEqual(program.do("start"), "1")
        program.do("launch 10")
        program.end()
        slices = program.merged()
        self.assert_exact(slices, 1010, 11010)
        dump = harness.Dump(program.run.trace_files()[0])
        self.assertEqual(dump.facts("trailer")["unrecorded_activities"], 0, "CUPTI was not told")

    def test_threads_that_launch_across_the_edges(self):
        program = Program(self)
        program.do("launch 10")
        for round in range(5):
            # From outside, so that the threads are at work.
            program.process.stdin.write("threads 4 3000\n")
            program.process.stdin.flush()
            program.ask("stop")
            time.sleep(0.02)
            program.ask("start")
            self.assertEqual(program.process.stdout.readline(), "ok\n")
        program.end()
        slices = program.merged()
        health = slices[0]["health"]
        self.assertEqual(health["launches"], health["matched"])
        self.assertEqual(health["unmatched"] + health["dropped"] + health["orphaned"], 0, health)
        self.assertEqual(slices[0]["kernels"]["count"], health["launches"])
        self.assertEqual(slices[0]["processes"][0]["stops"], 5)

    def test_begins_stopped(self):
        # Before cuInit only a preloaded library is there.
        for how in ("environment",) if harness.SANITIZED else ("environment", "API before cuInit"):
            with self.subTest(how):
                program = Program(self, MIGPROF_START="off") if how == "environment" else Program(self, "stop")
                self.assertEqual(program.before, [] if how == "environment" else ["1"])
                program.do("other 500")
                program.do("wait 50")
                self.assertEqual(program.run.trace_files(), [])
                self.assertIn("recording", program.ask("start"))
                program.do("launch 70")
                program.end()
                self.assert_exact(program.merged(), 70, 570)
                self.assertEqual(program.names(), {"matmul": 70})

    def test_command_line(self):
        program = Program(self)
        program.do("launch 30")
        began = time.monotonic()
        self.assertIn("stopped", program.ask("stop"))
        self.assertLess(time.monotonic() - began, 2)
        program.do("other 30")
        self.assertIn("recording", program.ask("start"))
        program.do("launch 30")
        program.ask("flush")
        counts = sum(len(harness.Dump(path).records["call"]) for path in program.run.trace_files())
        self.assertGreaterEqual(counts, 60, "flush wrote nothing")
        program.end()
        self.assert_exact(program.merged(), 60, 90)
        self.assertEqual(list(program.control.iterdir()), [], "control files are left behind")
        self.assertIn("no such process", program.ask("stop", expect=1))

    def test_only_the_owners_files_are_obeyed(self):
        program = Program(self)
        command = program.control / f"{program.process.pid}.command"
        elsewhere = program.run.folder / "elsewhere"
        elsewhere.write_text("stop 1\n")
        elsewhere.chmod(0o600)
        def leave(how):
            if how == "link":
                command.symlink_to(elsewhere)
            elif how == "hard link":
                os.link(elsewhere, command)
            elif how == "pipe":
                os.mkfifo(command)
            elif how == "folder":
                command.mkdir()
            else:  # it appears whole, with its mode: it is taken within milliseconds
                content = {"long": "stop 1\n" + "x" * 1000, "nonsense": "halt 1\n"}.get(how, "stop 1\n")
                made = program.run.folder / "made"
                made.write_text(content)
                made.chmod(0o666 if how == "writable by others" else 0o600)
                made.rename(command)
        for how in ("link", "hard link", "pipe", "long", "nonsense", "writable by others", "folder"):
            with self.subTest(how):
                leave(how)
                time.sleep(0.15)
                end = time.monotonic() + 10  # on a busy machine
                while how != "folder" and (command.is_symlink() or command.exists()) and time.monotonic() < end:
                    time.sleep(0.02)
                state = (program.control / f"{program.process.pid}.state").read_text()
                self.assertTrue(state.startswith("recording 0"), state)
                if how == "folder":
                    command.rmdir()
                else:
                    self.assertFalse(command.is_symlink() or command.exists())
        program.do("launch 20")
        program.end()
        self.assertEqual(program.merged()[0]["health"]["launches"], 20)
        self.assertEqual(elsewhere.read_text(), "stop 1\n")

    def test_folder_of_others_is_not_used(self):
        folder = pathlib.Path(harness.Run(self).folder) / "open"
        folder.mkdir()
        folder.chmod(0o777)
        program = Program(self, MIGPROF_CONTROL=folder)
        self.assertEqual(list(folder.iterdir()), [])
        program.do("launch 5")
        self.assertEqual(program.do("stop"), "1", "the API needs no folder")
        program.end()
        self.assertEqual(program.merged()[0]["health"]["launches"], 5)

    def test_recording_that_has_failed_keeps_nobody_waiting(self):
        run = harness.Run(self)
        control = run.folder / "control"
        process = run.start("training_loop", "--steps", 100_000, MIGPROF_CONTROL=control, MIGPROF_WINDOW="500ms", MIGPROF_FLUSH_MS="50",
                            SIMGPU_CLOCK="real", SIMGPU_LEDGER=None, WORKLOAD_CALLS=None)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        end = time.monotonic() + 60
        while not list(run.traces.glob("*.000001.migtrace")) and time.monotonic() < end:
            time.sleep(0.01)
        run.traces.rename(run.folder / "elsewhere")
        self.assertIn("recording stops", process.stderr.readline())
        state = control / f"{process.pid}.state"
        while state.exists() and time.monotonic() < end:
            time.sleep(0.01)
        began = time.monotonic()
        flush = subprocess.run([str(harness.BIN / "migprof"), "flush", str(process.pid)], capture_output=True, text=True, timeout=30)
        self.assertEqual(flush.returncode, 1)
        self.assertIn("has stopped recording for good", flush.stderr)
        self.assertLess(time.monotonic() - began, 5, "it waited for an answer until it gave up")

    def test_a_process_that_cannot_answer_because_it_is_stopped(self):
        program = Program(self)
        program.do("launch 5")
        program.process.send_signal(signal.SIGSTOP)
        self.addCleanup(program.process.send_signal, signal.SIGCONT)
        self.assertIn("did not answer within 0.3 s: it is stopped, by Ctrl-Z", program.ask("flush", "--timeout", "0.3", expect=1))
        program.process.send_signal(signal.SIGCONT)
        self.assertIn("flushed", program.ask("flush"))
        program.end()

    def test_without_the_recorder_nothing_happens(self):
        program = Program(self, way=harness.PLAIN)
        for verb in ("stop", "start", "flush"):
            self.assertEqual(program.do(verb), "0")
        self.assertIn("not under migprof", program.ask("stop", expect=1))
        program.end()


if __name__ == "__main__":
    harness.main()
