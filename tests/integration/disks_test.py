#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, read-only, slow, limited or gone; memory, descriptors and threads that are not to be had; clocks that step. The
program runs as without migprof, at most one line says what is wrong, and what is missing is counted."""

import collections
import errno
import os
import re
import resource
import shutil
import subprocess
import unittest

import accounting
import harness

LIBC_FAULTS = harness.BUILD / "lib" / "libc_faults.so"
PROGRAM = ("training_loop", "--steps", "3")
MAYBE = range(2)  # whether something waits so long that migprof says so depends on the machine


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("migprof:")]


def can_mount():
    return os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True).returncode == 0


class Disks(unittest.TestCase):
    def setUp(self):
        self.run_ = harness.Run(self)
        self.release = self.run_.folder / "release"

    def run_faulty(self, faults, *program, lines, **extra):
        """Runs with `faults` of the C library; says what the ledger and the trace say: (executed, recorded, health)."""
        run = self.run_
        environment = {"LD_PRELOAD": f"{LIBC_FAULTS}:{harness.LIBRARY}", "LIBC_FAULTS": faults, "LIBC_FAULTS_REPORT": run.folder / "faults.txt",
                       **extra}
        result = run.run(*(program or PROGRAM), way=harness.PLAIN, timeout=100, **environment)
        said = own_lines(result.stderr)
        self.assertIn(len(said), lines if isinstance(lines, range) else [lines], result.stderr)
        self.said = said[0] if said else ""
        self.end = said[-1] if said else ""
        if lines == MAYBE and said:
            self.assertIn("nothing can be written for now", self.said)
        self.failed = {name: int(failed) for name, _, failed in map(str.split, (run.folder / "faults.txt").read_text().splitlines())}
        return next(iter(accounting.check(self, run).values()), None)


@unittest.skipIf(harness.SANITIZED, "a sanitizer has its own allocator")
class WithFaults(Disks):
    def test_a_disk_that_stalls_stalls_no_launch(self):
        """Each write waits for a file that the program makes when it has launched all: if one launch waited for the disk, it never would.
        The rings are small, so that they overflow meanwhile."""
        launches, report = 30_000, self.run_.folder / "longest_ns"
        executed, recorded, health = self.run_faulty(f"write:3+=until{self.release}", "storm", launches, self.release, lines=0,
                                                     MIGPROF_RING_KB="64", STORM_REPORT=report)
        self.assertEqual(executed, launches)
        self.assertGreater(self.failed["write"], 2)
        self.assertGreater(health["dropped"], 0)
        self.assertFalse(health["killed"] or health["stopped"])
        print(f"longest launch while the disk stalled: {int(report.read_text()) / 1e6:.3f} ms, {health['dropped']} dropped of {launches}")

    def test_a_disk_that_fails_as_long_as_the_program_launches(self):
        """What waits is written when the disk works again."""
        launches = 50_000
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            with self.subTest(error=errno.errorcode[code]):
                self.setUp()
                executed, recorded, health = self.run_faulty(f"write:5+={code}until{self.release}", "storm", launches, self.release, 300,
                                                             lines=MAYBE, MIGPROF_RING_KB="65536", MIGPROF_FLUSH_MS="50")
                self.assertGreater(self.failed["write"], 0)
                self.assertEqual((executed, recorded, health["unmatched"], health["dropped"]), (launches, launches, 0, 0))

    def test_a_file_that_cannot_be_finished_when_it_is_made(self):
        """The call it was made for counts once."""
        executed, recorded, health = self.run_faulty(f"write:4={errno.EROFS}", lines=1)
        self.assertEqual((recorded, health["dropped"]), (0, executed))

    def test_no_descriptor_for_a_while(self):
        """The file is made when there is one."""
        executed, recorded, health = self.run_faulty(f"open:3-9={errno.EMFILE}", lines=MAYBE)
        self.assertGreater(self.failed["open"], 5)
        self.assertEqual((recorded, health["dropped"]), (executed, 0))

    def test_a_disk_that_is_full_for_good(self):
        """The first of them perhaps while it runs; in the end how much is missing, which the file itself has no room for."""
        for also in ("", "lseek", "ftruncate", "fcntl"):
            with self.subTest(also=also):
                self.setUp()
                self.run_faulty(f"write:10+={errno.ENOSPC}" + (f",{also}:1+={errno.EIO}" if also else ""), lines=range(1, 3))
                self.assertIn("a trace file cannot be written: No space left on device", self.said)
                self.assertRegex(self.end, r"ends early: .* launches and .* activities are missing, which it does not say itself")

    def test_old_files_that_cannot_be_deleted(self):
        """They are not counted as deleted: what is in them is there."""
        run = self.run_
        result = run.run("training_loop", "--steps", 3000, way=harness.PLAIN, LD_PRELOAD=f"{LIBC_FAULTS}:{harness.LIBRARY}",
                         LIBC_FAULTS=f"unlink:1+={errno.EACCES}", MIGPROF_WINDOW="1s", MIGPROF_FLUSH_MS="50")
        self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
        self.assertIn("recording stops: an old trace file cannot be removed: Permission denied", result.stderr)
        traces = [accounting.TraceCounts(path) for path in run.trace_files()]
        self.assertGreater(len(traces), 3)
        run.merge("--format", "json", "--strict", expect=2)
        health = run.summary()["slices"][0]["health"]
        late = max(trace.counters.get("device.late_calls", 0) for trace in traces)
        self.assertGreater(late, 0)
        self.assertEqual((health["rotated_files"], health["launches"]), (0, sum(trace.calls for trace in traces)))
        self.assertEqual(health["launches"] + late, len(run.ledger()))

    def test_memory_that_is_gone_for_good(self):
        """From some moment on there is none at all, for whatever is done."""
        for faults in ("malloc:400+", "malloc:1500+", "malloc:2000+,realloc:1+,calloc:1+", "mmap:2+", "mmap:15+"):
            with self.subTest(faults=faults):
                self.setUp()
                faults = ",".join(f"{entry}={errno.ENOMEM}" for entry in faults.split(","))
                run = self.run_
                result = run.run(*PROGRAM, way=harness.PLAIN, LD_PRELOAD=f"{LIBC_FAULTS}:{harness.LIBRARY}", LIBC_FAULTS=faults)
                self.assertLessEqual(len(own_lines(result.stderr)), 1, result.stderr)
                for path in run.trace_files():
                    if path.stat().st_size != 0:
                        harness.Dump(path)
                accounting.check(self, run, traces=[accounting.TraceCounts(path) for path in run.trace_files() if path.stat().st_size])

    def test_buffers_that_cannot_be_mapped_cost_activities_and_no_launch(self):
        """CUPTI gets none, drops its records, and says how many."""
        executed, recorded, health = self.run_faulty(f"mmap_large:1+={errno.ENOMEM}", "storm", 20_000, self.release, lines=0,
                                                     MIGPROF_BUFFER_KB="8192")
        self.assertGreater(self.failed["mmap_large"], 0)
        counters = accounting.TraceCounts(self.run_.trace_files()[0]).counters
        self.assertGreater(counters["process.refused_buffers"], 0)
        self.assertGreater(counters["process.dropped_activities"], 0)

    def test_a_clock_that_steps(self):
        """The time of day jumps by a day, forth or back, for the recorder: nothing that was measured changes."""
        plain = harness.Run(self)
        plain.run(*PROGRAM)
        plain.merge("--format", "json")
        expected = plain.summary()["slices"][0]
        for step in (86_400, -86_400):
            with self.subTest(step=step):
                self.setUp()
                executed, recorded, health = self.run_faulty(f"clock_gettime:20+=step{step}", lines=0)
                self.assertGreater(self.failed["clock_gettime"], 10)
                self.assertEqual((recorded, health["unmatched"], health["dropped"]), (executed, 0, 0))
                entry = self.run_.summary()["slices"][0]
                for name in ("window_ns", "busy_ns", "kernels"):
                    self.assertEqual(entry[name], expected[name])


@unittest.skipIf(harness.SANITIZED, "migprof is preloaded")
class Limits(Disks):
    def start(self, *program, stderr, limit=None, way=harness.DEFAULT_WAY, **extra):
        run = self.run_
        command = [str(harness.BIN / program[0]), *map(str, program[1:])]
        before = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit is not None else None
        return subprocess.Popen(command, env=run.environment(way, SIMGPU_LEDGER=None, WORKLOAD_CALLS=None, **extra), cwd=run.folder, stdout=subprocess.PIPE,
                                stderr=stderr, text=True, preexec_fn=before)

    def check_that_plain_programs_survive(self, **how):
        process = self.start(*PROGRAM, way=harness.PLAIN, **how)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_a_limit_on_the_size_of_files_does_not_kill_the_program(self):
        """Writing beyond it raises SIGXFSZ, which ends a program."""
        self.check_that_plain_programs_survive(stderr=subprocess.PIPE, limit=4096)
        process = self.start(*PROGRAM, stderr=subprocess.PIPE, limit=4096)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn(len(own_lines(err)), (1, 2), err)
        for line in own_lines(err):
            self.assertIn("File too large", line)
        for path in self.run_.trace_files():
            harness.Dump(path)

    def test_what_a_limit_on_the_size_of_files_costs_is_counted(self):
        run, limit = self.run_, 16384
        result = subprocess.run([str(harness.BIN / "training_loop"), "--steps", "300"], capture_output=True, text=True, cwd=run.folder, timeout=60,
                                env=run.environment(SIMGPU_LEDGER=run.folder / "elsewhere" / "ledger", WORKLOAD_CALLS=None),
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLessEqual(run.trace_files()[0].stat().st_size, limit)
        plain = harness.Run(self)  # the ledger has no room either
        plain.run("training_loop", "--steps", "300")
        done = len(plain.ledger())
        self.check_numbers(own_lines(result.stderr)[-1], done)

    def check_numbers(self, line, done):
        """Of `done` launches with a piece of work each, all are there or counted; and the program's last word says so, too."""
        self.assertRegex(line, r"the trace ends early: .*; \d+ launches and \d+ activities are missing$")
        launches, activities = map(int, re.search(r"(\d+) launches and (\d+) activities", line).groups())
        self.run_.merge("--format", "json", "--strict", expect=2)
        health = self.run_.summary()["slices"][0]["health"]
        self.assertGreater(launches, 0)
        self.assertEqual(health["launches"] + launches, done, health)
        self.assertEqual(health["matched"] + health["orphaned"] + activities, done, health)
        self.assertEqual(health["dropped"], launches + activities)
        self.assertEqual((health["killed"], health["stopped"], health["missing_chunks"], health["damaged_bytes"]), (False, True, 0, 0))

    def test_a_flush_that_is_not_written_fails(self):
        """The trace may grow no further for a while; the files for `migprof flush` are smaller."""
        run = self.run_
        process = subprocess.Popen([str(harness.BIN / "controlled")], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   cwd=run.folder, env=run.environment(SIMGPU_LEDGER=None, WORKLOAD_CALLS=None, MIGPROF_FLUSH_MS=60000,
                                                                       MIGPROF_CONTROL=run.folder / "control"))
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")

        def launch_and_flush():
            process.stdin.write("launch 100\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), "ok\n")
            return subprocess.run([str(harness.BIN / "migprof"), "flush", str(process.pid)], capture_output=True, timeout=30).returncode

        self.assertEqual(launch_and_flush(), 0)
        size = run.trace_files()[0].stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        self.assertEqual(launch_and_flush(), 1)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertEqual(launch_and_flush(), 0)
        process.kill()
        process.communicate()
        self.assertEqual(sum(trace.calls for trace in accounting.read(run)), 300)

    def test_the_output_folder_is_removed(self):
        """While the program runs on: it is said, and a flush does not succeed."""
        for extra in ({}, {"MIGPROF_WINDOW": "10s"}):
            with self.subTest(**extra):
                self.setUp()
                run = self.run_
                control = run.folder / "control"
                process = subprocess.Popen([str(harness.BIN / "controlled")], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           cwd=run.folder, env=run.environment(MIGPROF_CONTROL=control, **extra))
                self.addCleanup(process.kill)
                self.assertEqual(process.stdout.readline(), "ready\n")

                def do(line):
                    process.stdin.write(line + "\n")
                    process.stdin.flush()
                    self.assertTrue(process.stdout.readline())

                def flush():
                    return subprocess.run([str(harness.BIN / "migprof"), "flush", str(process.pid)], capture_output=True, text=True, timeout=30)

                do("launch 100")
                self.assertEqual(flush().returncode, 0)
                moved = run.folder / "moved"
                run.traces.rename(moved)
                if not extra:  # what has a window goes on in new files, for which there is no folder
                    self.assertEqual(flush().returncode, 0, "nothing is lost of a file that was moved")
                shutil.rmtree(moved)
                refused = flush()
                self.assertEqual(refused.returncode, 1, refused.stdout)
                do("launch 100")
                _, err = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0)
                self.assertEqual(len(own_lines(err)), 1, err)
                self.assertRegex(own_lines(err)[0], "recording stops: the (trace file was deleted|output folder is no longer)")

    def test_standard_error_at_the_limit(self):
        log = self.run_.folder / "log"
        log.write_text("x" * 4096)
        with log.open("a") as file:
            self.check_that_plain_programs_survive(stderr=file, limit=4096)
            process = self.start(*PROGRAM, stderr=file, limit=4096, MIGPROF_OUTPUT="/proc/nowhere")
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(log.stat().st_size, 4096)

    def test_standard_error_that_nobody_reads(self):
        """Writing to it raises SIGPIPE, which ends a program that itself writes nothing there."""
        reader, writer = os.pipe()
        process = self.start(*PROGRAM, stderr=writer, MIGPROF_OUTPUT="/proc/nowhere")
        os.close(writer)
        os.close(reader)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)


@unittest.skipUnless(can_mount(), "only root may mount")
@unittest.skipIf(harness.SANITIZED, "migprof is preloaded")
class Mounted(Disks):
    def run_on(self, options, *program):
        """Runs with a disk of its own for the traces, which are copied from it afterwards."""
        run, disk = self.run_, self.run_.folder / "disk"
        disk.mkdir()
        script = f'mount -t tmpfs -o {options} none "$1" && shift && "$@"; rc=$?; cp -r "{disk}/traces" "{run.folder}/"; exit $rc'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", disk, harness.BIN / program[0], *program[1:]]
        environment = run.environment(harness.INJECT, MIGPROF_OUTPUT=disk / "traces")
        result = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=60, cwd=run.folder)
        self.assertEqual(result.returncode, 0, result.stderr)
        return own_lines(result.stderr)

    def test_a_disk_that_is_full(self):
        """To the end: what is missing is counted, on the disk."""
        for size, steps in (("8k", "3"), ("12k", "300"), ("64k", "3000")):
            with self.subTest(size=size):
                self.setUp()
                lines = self.run_on(f"size={size}", "training_loop", "--steps", steps)
                self.assertIn(len(lines), (1, 2), lines)
                for line in lines:
                    self.assertIn("No space left on device", line)
                for executed, recorded, health in accounting.check(self, self.run_).values():
                    self.assertFalse(health["killed"])
                    self.assertTrue(health["stopped"])
                    self.assertGreater(health["dropped"], 0)
                    launches, activities = map(int, re.search(r"(\d+) launches and (\d+) activities", lines[-1]).groups())
                    self.assertEqual((health["launches"] + launches, recorded + activities, launches + activities), (executed, executed, health["dropped"]))

    def test_a_disk_that_has_no_room_for_a_file(self):
        """Of two slices of three there is none: the third tells of their losses."""
        lines = self.run_on("size=4m,nr_inodes=3", "all_devices", "--steps", "1000")
        launches, activities = map(int, re.search(r"(\d+) launches and (\d+) activities are missing, which", lines[-1]).groups())
        self.run_.merge("--format", "json", "--strict", expect=2)
        entries = self.run_.summary()["slices"]
        done = collections.Counter(row["slice"] for row in self.run_.ledger())
        self.assertEqual((len(entries), len(done)), (1, 3))
        there = done[entries[0]["mig_uuid"]]
        self.assertEqual((launches, activities), (done.total() - there, done.total() - there))
        self.assertEqual((entries[0]["health"]["matched"], entries[0]["health"]["unplaced"]), (there, launches + activities))

    def test_a_disk_that_is_read_only(self):
        lines = self.run_on("ro", *PROGRAM)
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], "not recording: the output folder.*Read-only file system")


if __name__ == "__main__":
    harness.main()
