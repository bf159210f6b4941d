#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands, as a user meets them."""

import json
import os
import re
import signal
import subprocess
import time
import unittest

import harness


class MigprofRun(unittest.TestCase):
    def migprof(self, run, *arguments, **extra):
        env = run.environment(way=harness.PLAIN, **extra)
        return subprocess.run([str(harness.BIN / "migprof"), *map(str, arguments)], env=env, cwd=run.folder,
                              capture_output=True, text=True, timeout=120)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_run_records_merges_and_shows(self):
        run = harness.Run(self)
        result = self.migprof(run, "run", "--format", "svg,html,json", "-o", "out", "--", harness.BIN / "copies", "--rounds", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("2 rounds of copies", result.stdout)
        self.assertRegex(result.stdout, r"4g\.40gb")
        self.assertRegex(result.stdout, r"(?i)simulated")
        self.assertTrue((run.folder / "out" / "flamegraphs" / "all.svg").exists())
        self.assertIn("SIMULATED GPU", (run.folder / "out" / "report.html").read_text(encoding="utf-8"))
        self.assertTrue((run.folder / "out" / "summary.json").exists())

    def test_wrong_use_names_what_was_typed(self):
        run = harness.Run(self)
        wrong = self.migprof(run, "rnu", "--", "true")
        self.assertEqual((wrong.returncode, wrong.stdout), (125, ""))
        self.assertEqual(wrong.stderr, "migprof: there is no command 'rnu'; there are run, slices, top, start, stop, flush and options\n")
        nothing = self.migprof(run, "run")
        self.assertEqual(nothing.returncode, 125)
        self.assertRegex(nothing.stderr, r"\Amigprof run: no command given\n[\s\S]*Usage: migprof run ")
        for help_text in (self.migprof(run, "run", "--help").stdout,
                          subprocess.run([harness.BIN / "migprof-merge", "--help"], capture_output=True, text=True).stdout):
            self.assertIn("--no-table", help_text)
            self.assertNotIn("{false}", help_text)

    def test_output_folder_that_cannot_be_says_why(self):
        run = harness.Run(self)
        run.run("copies", "--rounds", "2")
        run.report = "/proc/x"
        result = run.merge("--format", "svg,json,html", "--no-table", expect=1)
        self.assertIn("No such file or directory", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 2, "one line for each folder")
        (run.folder / "file").touch()
        run.report = run.folder / "file"
        self.assertIn("Not a directory", run.merge(expect=1).stderr)
        self.assertNotIn("wrote", result.stdout)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_recording_that_was_never_started_is_the_reason(self):
        run = harness.Run(self)
        for start, reason in (("off", "recording was never started"), ("on", "the program made no CUDA context")):
            result = self.migprof(run, "run", "--", harness.BIN / "copies" if start == "off" else "true", MIGPROF_START=start)
            self.assertEqual(result.returncode, 0)
            self.assertIn(f"migprof: no trace was written: {reason}", result.stderr)
            self.assertEqual("MIGPROF_START=off" in result.stderr, start == "off", result.stderr)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_second_run_shows_only_its_own_traces(self):
        run = harness.Run(self)
        for rounds in (2, 3):
            result = self.migprof(run, "run", "--format", "json", "-o", "out", "--", harness.BIN / "copies", "--rounds", rounds)
            self.assertEqual(result.returncode, 0, result.stderr)
            entry = json.loads((run.folder / "out" / "summary.json").read_text())["slices"][0]
            self.assertEqual(len(entry["processes"]), 1)
            self.assertEqual(entry["memcpys"]["count"], rounds * 5)
        self.assertEqual(len(run.trace_files()), 2)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_status_of_the_program_is_kept(self):
        run = harness.Run(self)
        self.assertEqual(self.migprof(run, "run", "--", "sh", "-c", "exit 42").returncode, 42)
        self.assertEqual(self.migprof(run, "run", "sh", "-c", "exit 43").returncode, 43)
        self.assertEqual(self.migprof(run, "run", "--", "sh", "-c", "kill -TERM $$").returncode, 128 + signal.SIGTERM)
        missing = self.migprof(run, "run", "--", "/nonexistent")
        self.assertEqual(missing.returncode, 127)
        self.assertIn("/nonexistent", missing.stderr)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_termination_reaches_the_program(self):
        run = harness.Run(self)
        script = "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
        process = subprocess.Popen([str(harness.BIN / "migprof"), "run", "--", "sh", "-c", script],
                                   env=run.environment(way=harness.PLAIN), cwd=run.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(out, "got it\n")
        self.assertEqual(process.returncode, 5)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_interrupts_sent_to_it_alone_reach_the_program(self):
        run = harness.Run(self)
        process = subprocess.Popen([str(harness.BIN / "migprof"), "run", "--", "sh", "-c", "trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done"],
                                   env=run.environment(way=harness.PLAIN), cwd=run.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 6)

    @unittest.skipIf(harness.SANITIZED, "migprof run preloads")
    def test_a_closed_pipe_does_not_change_the_status(self):
        run = harness.Run(self)
        command = f"'{harness.BIN}/migprof' run -- sh -c '\"{harness.BIN}/training_loop\" --steps 1 >/dev/null; exit 3' | true; exit ${{PIPESTATUS[0]}}"
        result = subprocess.run(["bash", "-c", command], env=run.environment(way=harness.PLAIN), cwd=run.folder,
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 3, result.stderr)

    def test_output_that_cannot_be_written_is_an_error(self):
        run = harness.Run(self)
        run.run("training_loop", "--steps", "1")
        for command in (["migprof-merge", "-o", run.report, run.traces], ["migprof-dump", *run.trace_files()]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([harness.BIN / command[0], *command[1:]], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(result.returncode, 1, command)
            self.assertIn("stdout", result.stderr)

    def test_wrong_use_is_explained(self):
        run = harness.Run(self)
        for arguments in ([], ["run"], ["run", "--no-such-option", "--", "true"], ["no-such-command"]):
            result = self.migprof(run, *arguments)
            self.assertEqual(result.returncode, 125, arguments)
            self.assertTrue(result.stderr, arguments)

    def test_readme_shows_the_option_table(self):
        run = harness.Run(self)
        table = self.migprof(run, "options").stdout.strip()
        self.assertIn(table, (harness.SOURCE / "README.md").read_text())


class MigprofDump(unittest.TestCase):
    def test_dump_names_what_is_in_a_trace(self):
        run = harness.Run(self)
        run.run("copies", "--rounds", "1")
        dump = harness.Dump(run.trace_files()[0])
        self.assertEqual(dump.facts("process")["simulated"], "1")
        self.assertEqual(dump.facts("process")["process_name"], "copies")
        self.assertEqual(dump.facts("slice")["profile"], "4g.40gb")
        for kind in ("string", "module", "frame", "frame_name", "stack_node", "thread", "call", "transfer", "allocation",
                     "synchronization", "clock_sample", "counter", "trailer"):
            self.assertTrue(dump.records[kind], kind)
        self.assertNotIn("\ndamage ", dump.text)
        chunks = subprocess.run([str(harness.BIN / "migprof-dump"), "--chunks", str(run.trace_files()[0])],
                                capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertTrue(all(line.startswith("chunk ") for line in chunks))
        self.assertEqual([int(re.search(r"sequence=(\d+)", line).group(1)) for line in chunks], list(range(len(chunks))))

    def test_unreadable_files_are_named(self):
        result = subprocess.run([str(harness.BIN / "migprof-dump"), "/nonexistent", "/dev/null"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nonexistent", result.stderr)
        self.assertIn("/dev/null", result.stderr)


class Documents(unittest.TestCase):
    def test_summary_fits_its_published_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        run = harness.Run(self, "two-gpus.json")
        run.run("all_devices", "--steps", "2")
        run.merge("--format", "json")
        schema = json.loads((run.report / "summary.schema.json").read_text())
        jsonschema.validate(run.summary(), schema)


if __name__ == "__main__":
    harness.main()
