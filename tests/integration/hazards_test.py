#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs with one hazard each (tests/programs/hazards) do under migprof what they do without it, and what their traces say fits
what the simulated GPU executed. What a row of the tables does not say: the program ends with 0, migprof says nothing, and every
launch is in the trace with its activity."""

import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import accounting
import harness

COMPLETE, KILLED, COUNTED, STORM, NONE, ANY = "complete", "killed", "counted", "storm", "none", "any"
PLUGIN = harness.BUILD / "lib" / "libhazard_plugin.so"
QUIET = "detect_leaks=0"  # LeakSanitizer has its own opinion on programs that end in the middle
# They have their own opinion on stacks, signals, descriptors and forks.
NOT_FOR_SANITIZERS = {"exit_in_handler_under_load", "interrupted", "crash_handler", "deep_recursion", "fibers", "alternate_stack",
                      "jump_out_of_handler", "closes_everything", "data_as_stderr", "closed_stderr", "no_descriptors_left", "small_files",
                      "cancelled", "filtered_calls", "filtered_files", "signal_storm", "fixed_addresses", "small_stacks", "made_by_hand", "closes_range", "raw_fork", "spawn", "threads_at_once", "exec_from_thread", "fork_storm"}
if "thread" in harness.SANITIZED:  # and this one on exits in handlers, and it is gone when a key's destructors run, also in plain programs
    NOT_FOR_SANITIZERS |= {"handled", "key_destructors"}
SLOWER_S = 4  # what a loaded machine may make of a run that takes no longer than without migprof


class Hazards(unittest.TestCase):
    ways = [harness.INJECT] if harness.SANITIZED else [harness.PRELOAD, harness.INJECT]

    def check(self, *command, expect=0, trace=COMPLETE, files=1, own_lines=0, topology="h100-mixed.json", ways=None, program="hazards", **extra):
        """Runs plain and recorded. `trace`: COMPLETE: all that was executed is there; COUNTED: what is not, is counted; STORM: the
        same but for launches after the very end; KILLED: the file says that it was not closed; NONE: there is none; ANY of
        these. `own_lines`: how many migprof says, or a range. Returns the last run, and what accounting.check said of it."""
        run, numbers = None, {}
        quiet = {"ASAN_OPTIONS": ":".join([QUIET, extra.pop("SANITIZER", "")])}
        for way in ways or self.ways:
            with self.subTest(way=way):
                plain, run = harness.Run(self, topology), harness.Run(self, topology)
                arguments = lambda of: [str(part).replace("FOLDER", str(of.folder)) for part in command]
                start = time.monotonic()
                expected = plain.run(program, *arguments(plain), way=harness.PLAIN, expect=expect, **quiet, **extra)
                middle = time.monotonic()
                seen = run.run(program, *arguments(run), way=way, expect=expect, **quiet, **extra)
                took = time.monotonic() - middle
                lines = [line for line in seen.stderr.splitlines() if line.startswith("migprof:")]
                self.assertIn(len(lines), own_lines if isinstance(own_lines, range) else [own_lines], seen.stderr)
                foreign = "".join(line + "\n" for line in seen.stderr.splitlines() if line not in lines)
                self.assertEqual((seen.stdout, foreign), (expected.stdout, expected.stderr))
                self.assertLess(took, middle - start + SLOWER_S)
                if trace != ANY:
                    self.assertEqual(len(run.trace_files()), files if trace != NONE else 0)
                for path in run.trace_files():
                    self.assertEqual(path.stat().st_mode & 0o777, 0o600)
                numbers = accounting.check(self, run, launching_at_end={STORM: 4, ANY: 1}.get(trace, 0), cut=trace == ANY)
                for executed, recorded, health in numbers.values():
                    if trace != ANY:
                        self.assertEqual(health["killed"], trace == KILLED, health)
                    if trace == COMPLETE:
                        self.assertEqual((recorded, health["unmatched"], health["dropped"]), (executed, 0, 0), health)
        return run, numbers

    def check_all(self, rows):
        for row, options in rows.items():
            if harness.SANITIZED and row.split()[0] in NOT_FOR_SANITIZERS:
                continue
            with self.subTest(hazard=row):
                self.check(*row.split(), **options)


class Processes(Hazards):
    def test_processes(self):
        self.check_all({
            "fork_storm": {},
            "fork_tree": {"files": 7},
            "raw_fork": {},
            "spawn": {},
            "daemonize": {},
            "exec_from_thread": {"expect": 12, "trace": KILLED},
        })

    def test_a_chain_of_execs(self):
        """Each link but the last is replaced, which nobody is told of; what it launched was written before."""
        run, numbers = self.check("exec_chain", 3, trace=KILLED, files=4)
        for executed, recorded, _ in numbers.values():
            self.assertEqual((executed, recorded), (120, 120))


class Endings(Hazards):
    def test_endings(self):
        self.check_all({
            "signalled TERM": {"expect": -15, "trace": KILLED},
            "signalled INT": {"expect": -2, "trace": KILLED},
            "handled TERM": {"expect": 21},
            "handled INT": {"expect": 21},
            "handled_at_once TERM": {"expect": 22, "trace": KILLED},
            "interrupted": {},
            "launch_at_exit": {"expect": 13, "trace": COUNTED},
            "quick_exit": {"expect": 14},
            "exit_in_storm": {"expect": 15, "trace": STORM},
            "crash_handler": {"expect": -11, "trace": KILLED},
            "exit_in_handler_under_load": {"expect": 21, "trace": ANY, "own_lines": range(2)},
        })

    def test_a_call_that_comes_too_late_to_be_read_is_counted(self):
        """The sixtieth timestamp, of about the fiftieth launch, takes until the recording is over."""
        run, numbers = self.check("exit_while_a_launch_is_stuck", expect=16, trace=COUNTED, SIMGPU_FAULTS="stuck-timestamp=60")
        for executed, recorded, health in numbers.values():
            self.assertEqual(executed, 100)
            self.assertGreater(health["dropped"], 0)

    def test_nothing_is_lost_that_was_written_before_a_signal(self):
        for command in (["signalled", "TERM"], ["handled_at_once", "INT"]):
            run, numbers = self.check(*command, expect=None, trace=KILLED)
            for executed, recorded, _ in numbers.values():
                self.assertEqual(recorded, executed)


class Kernel(Hazards):
    """Doors to the kernel that few programs use."""

    def test_kernel(self):
        self.check_all({
            "filtered_calls": {},
            "filtered_files": {},
            "signal_storm": {},
            "small_stacks": {},
            "undumpable": {},
            "fixed_addresses": {},
            "made_by_hand": {},
            "closes_range": {"trace": KILLED, "own_lines": range(2)},
        })

    @unittest.skipIf(harness.SANITIZED, "a sanitizer needs more address space than there is")
    def test_little_memory(self):
        """Eight threads for which there is no room: their kernels are there, without the calls, which are counted."""
        _, numbers = self.check("little_memory", trace=COUNTED, MIGPROF_RING_KB="65536", MIGPROF_MAX_MEMORY="8G")
        for executed, kernels, health in numbers.values():
            self.assertEqual((executed, kernels, health["launches"]), (80, 80, 40), health)
            self.assertEqual((health["dropped"], health["orphaned"]), (40, 40), health)

    @unittest.skipIf(harness.SANITIZED, "a tracer makes a sanitized program slower than its deadlines")
    def test_stopped_by_a_tracer_again_and_again(self):
        run, _ = self.check("traced")
        plain = run.run("hazards", "traced", way=harness.PLAIN)
        if "traced: 0" not in plain.stdout:
            self.skipTest("no process may be traced here")

    @unittest.skipIf(harness.SANITIZED, "a sanitizer needs more room")
    def test_little_room_for_stacks(self):
        """Threads get as much by default, the recorder's among them."""
        for kilobytes in (64, 256):
            shell = f"ulimit -S -s {kilobytes} && exec {harness.BIN}/hazards thousand_threads"
            self.check("-c", shell, program="/bin/sh")


class Threads(Hazards):
    def test_threads(self):
        self.check_all({
            "thousand_threads": {},
            "threads_at_once": {"trace": COUNTED},
            "cancelled": {},
            "thread_local_destructors": {"trace": COUNTED},
            "key_destructors": {},
            "thread_exits": {},
        })


class Stacks(Hazards):
    def test_stacks(self):
        self.check_all({
            "deep_recursion": {},
            "alternate_stack": {},
            "fibers": {},
            "jump_out_of_handler": {},
        })


class Devices(Hazards):
    def test_devices(self):
        self.check_all({
            "many_contexts": {"topology": "two-gpus.json", "files": len(harness.slices_of(harness.SIMGPU / "topologies" / "two-gpus.json"))},
            "device_reset": {},
            "failing_launches": {},
        })

    def test_libraries_that_come_and_go(self):
        self.check("plugins", PLUGIN)


class Surroundings(Hazards):
    def test_surroundings(self):
        self.check_all({
            "closed_stderr": {},
            "data_as_stderr FOLDER/data": {},
            "data_as_stderr FOLDER/data2": {"MIGPROF_TYPO": "1", "ways": [harness.DEFAULT_WAY]},
            "closes_everything FOLDER/own": {"trace": KILLED, "own_lines": range(2)},
            "no_descriptors_left": {"trace": ANY, "own_lines": range(2)},
            "small_files": {"trace": KILLED, "own_lines": range(2)},
            "umask 0": {},
            "umask 777": {},
            "umask 077": {},
            "locale": {},
            "cleared_before": {"trace": NONE},
            "cleared_after": {},
        })

    @unittest.skipIf(os.geteuid() != 0, "only root may")
    def test_another_root_and_another_user(self):
        self.check("chroot", "FOLDER")
        self.check("changed_user")

    @unittest.skipIf(harness.SANITIZED, "a sanitized library cannot be preloaded into an ordinary program")
    def test_programs_that_nothing_is_loaded_into(self):
        self.check(program="no_libraries", expect=4, trace=NONE, ways=[harness.PRELOAD])
        run = harness.Run(self)
        run.folder.chmod(0o755)
        program = run.folder / "self_report"
        shutil.copy(harness.BIN / "self_report", program)
        program.chmod(0o4755)
        plain = run.run(program, 5, way=harness.PLAIN, expect=5)
        recorded = run.run(program, 5, way=harness.BOTH, expect=5)
        self.assertEqual((recorded.stdout, recorded.stderr), (plain.stdout, plain.stderr))

    @unittest.skipIf(harness.SANITIZED, "a sanitized library cannot be loaded into an ordinary program")
    @unittest.skipIf(os.geteuid() != 0, "only root can give a program to another user")
    def test_a_setuid_program_that_works_with_a_gpu(self):
        """The driver loads what its environment names; the library stands down, whoever the program belongs to."""
        control = harness.Run(self)
        control.run("setuid_gpu", way=harness.BOTH)
        self.assertEqual(len(control.trace_files()), 1, "it is recorded when it is not setuid")
        for owner in (0, 65534):
            with self.subTest(owner=owner):
                run = harness.Run(self)
                run.folder.chmod(0o777)
                program = run.folder / "setuid_gpu"
                shutil.copy(harness.BIN / "setuid_gpu", program)
                os.chown(program, owner, owner)
                program.chmod(0o6755)
                user = {"user": 65534 if owner == 0 else 0, "group": 65534 if owner == 0 else 0}
                plain, recorded = (subprocess.run([program], env=run.environment(way), capture_output=True, text=True, cwd=run.folder,
                                                  timeout=60, **user) for way in (harness.PLAIN, harness.BOTH))
                if "secure 1" not in plain.stdout:
                    self.skipTest(f"programs cannot be setuid here: {plain.stdout}{plain.stderr}")
                # The loader says that it ignores LD_PRELOAD, where its path has slashes, to nobody.
                self.assertEqual((recorded.returncode, recorded.stdout, recorded.stderr), (0, plain.stdout, plain.stderr))
                self.assertEqual(run.trace_files(), [])


def library(name):
    """A system's library by its name, if it is installed."""
    found = sorted(path for folder in ("/usr/lib", "/usr/local/lib") for path in pathlib.Path(folder).glob(f"**/{name}"))
    return found[0] if found else None


@unittest.skipIf(harness.SANITIZED, "a sanitizer has its own allocator, and its library is not for other programs")
class ForeignCode(Hazards):
    def test_a_program_with_other_versions_of_what_the_library_is_built_from(self):
        self.check(program="hazard_conflicts")
        self.check(program="hazard_conflicts_static")

    def test_other_preloaded_tools(self):
        for name in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4"):
            other = library(name)
            with self.subTest(tool=name):
                if other is None:
                    self.skipTest(f"{name} is not installed")
                for order in (f"{harness.LIBRARY}:{other}", f"{other}:{harness.LIBRARY}"):
                    for hazard in ("thousand_threads", "fork_storm"):
                        self.check_with(order, other, hazard)

    def check_with(self, order, other, *command, **extra):
        run = harness.Run(self)
        plain = run.run("hazards", *command, way=harness.PLAIN, LD_PRELOAD=other, **extra)
        run.ledger_path.unlink()
        recorded = run.run("hazards", *command, way=harness.PLAIN, LD_PRELOAD=order, **extra)
        self.assertEqual((recorded.stdout, recorded.stderr), (plain.stdout, plain.stderr))
        for executed, found, _ in accounting.check(self, run).values():
            self.assertEqual(found, executed)

    TOOL = harness.BUILD / "lib" / "libhazard_preloaded_tool.so"

    def test_a_tool_that_takes_signals_and_has_the_same_names_inside(self):
        for order in (f"{harness.LIBRARY}:{self.TOOL}", f"{self.TOOL}:{harness.LIBRARY}"):
            for hazard in ("thousand_threads", "fork_storm"):
                self.check_with(order, self.TOOL, hazard, PRELOADED_TOOL="1")
            for how, status in (("segfault", -11), ("abort", -6), ("throw", -6), ("return", 0)):
                run = harness.Run(self)
                plain = run.run("ending", how, way=harness.PLAIN, expect=status, LD_PRELOAD=self.TOOL, PRELOADED_TOOL="1")
                recorded = run.run("ending", how, way=harness.PLAIN, expect=status, LD_PRELOAD=order, PRELOADED_TOOL="1")
                self.assertEqual((recorded.stdout, recorded.stderr), (plain.stdout, plain.stderr))
                self.assertEqual(recorded.stderr.count("preloaded tool: caught"), int(status != 0))

    def test_the_loader_told_to_bind_audit_and_explain(self):
        for variables in ({"LD_BIND_NOW": "1"}, {"LD_AUDIT": self.TOOL}, {"LD_BIND_NOT": "1"},
                          {"LD_DEBUG": "all", "LD_DEBUG_OUTPUT": "/dev/null"}):
            with self.subTest(variables=variables):
                self.check("many_contexts", files=3, **variables)
                self.check("plugins", PLUGIN, **variables)

    def test_heaptrack(self):
        if shutil.which("heaptrack") is None:
            self.skipTest("heaptrack is not installed")
        run = harness.Run(self)
        command = [shutil.which("heaptrack"), "-o", run.folder / "heap", harness.BIN / "hazards", "thousand_threads"]
        subprocess.run(command, env=run.environment(harness.INJECT), check=True, capture_output=True, cwd=run.folder, timeout=60)
        self.assertTrue(list(run.folder.glob("heap*")))
        for executed, found, _ in accounting.check(self, run).values():
            self.assertEqual(found, executed)

    def test_programs_built_with_address_sanitizer(self):
        program = harness.BIN / "hazards_asan"
        if not program.exists():
            self.skipTest("not built")
        for hazard in ("thousand_threads", "many_contexts"):
            # It insists on being first among what is loaded, and so migprof comes in by the driver, or is allowed to be first.
            self.check(hazard, program="hazards_asan", ways=[harness.INJECT], files=3 if hazard == "many_contexts" else 1)
            self.check(hazard, program="hazards_asan", ways=[harness.PRELOAD], files=3 if hazard == "many_contexts" else 1,
                       SANITIZER="verify_asan_link_order=0")


if __name__ == "__main__":
    harness.main()
