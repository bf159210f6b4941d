#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each call that the recorder makes of CUPTI, NVML, the driver and the C library fails once, at each position: the program notices
nothing, at most one line says why, and what the trace says holds against the ledger. How often each function is called is counted
first. Where there are many positions the everyday form takes some of them; FAULT_POSITIONS=20 takes up to so many of each function, and
FAULT_POSITIONS=all takes all, with every error."""

import concurrent.futures
import errno
import json
import os
import threading
import unittest

import accounting
import harness

LIBC_FAULTS = harness.BUILD / "lib" / "libc_faults.so"
PROGRAM = ("training_loop", "--steps", "1")
ALL = os.environ.get("FAULT_POSITIONS") == "all"
SPREAD = 3 if ALL else int(os.environ.get("FAULT_POSITIONS", 3))  # positions of a function that has more
WORKERS = 2
# By function of the C library: the errors it may fail with, the most likely first.
LIBC_ERRORS = {
    "open": ["EMFILE", "EACCES"], "write": ["ENOSPC", "EIO", "EDQUOT", "EINTR", "EROFS", "short"], "close": ["EIO", "EINTR"],
    "read": ["EIO", "EINTR", "short"], "pread": ["EIO", "short"], "access": ["EACCES", "EIO"], "mkdir": ["ENOSPC", "EROFS"],
    "chmod": ["EPERM"], "fchmod": ["EPERM", "EIO"], "fcntl": ["EMFILE"], "rename": ["ENOSPC"], "ftruncate": ["EIO"], "lseek": ["EINVAL"], "unlink": ["EBUSY"], "readlink": ["EACCES"],
    "realpath": ["EACCES"], "getcwd": ["ENOENT"], "gethostname": ["EFAULT"], "setenv": ["ENOMEM"], "gmtime_r": ["EOVERFLOW"],
    "clock_gettime": ["EINVAL"], "sysconf": ["EINVAL"], "syscall": ["EIO", "ENOMEM", "EINTR"],
    "malloc": ["ENOMEM"], "calloc": ["ENOMEM"], "realloc": ["ENOMEM"], "mmap": ["ENOMEM"], "munmap": ["ENOMEM"], "mincore": ["ENOMEM"],
    "msync": ["ENOMEM"], "process_vm_readv": ["EPERM"], "sigaltstack": ["EPERM"],
    "pthread_create": ["EAGAIN"], "pthread_key_create": ["EAGAIN"], "__pthread_key_create": ["EAGAIN"], "pthread_setspecific": ["ENOMEM"],
    "pthread_getattr_np": ["ENOMEM"], "pthread_attr_init": ["ENOMEM"], "pthread_attr_setstacksize": ["EINVAL"],
    "pthread_setname_np": ["ERANGE"], "pthread_condattr_setclock": ["EINVAL"], "pthread_cond_init": ["ENOMEM"], "pthread_mutex_init": ["ENOMEM"], "__register_atfork": ["ENOMEM"],
    "__cxa_atexit": ["ENOMEM"], "__cxa_at_quick_exit": ["ENOMEM"], "dlopen": ["ENOMEM"], "dlsym": ["ENOENT"], "dlinfo": ["EINVAL"],
    "dladdr": ["EINVAL"],
}
GPU_ERRORS = {"cupti": [999, 1], "nvml": [999, 15, 3], "cu": [999, 4]}


def positions(count):
    """All of few, else the first, the last and some between."""
    if ALL or count <= SPREAD:
        return range(1, count + 1)
    step = (count - 1) / (SPREAD - 1)
    return sorted({1 + round(i * step) for i in range(SPREAD)})


def errors_at(errors, position):
    return errors if ALL else [errors[position % len(errors)]]


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("migprof:")]


class Positions(unittest.TestCase):
    def setUp(self):
        plain = harness.Run(self)
        self.plain = plain.run(*PROGRAM, way=harness.PLAIN)
        self.lock = threading.Lock()

    def record(self, **extra):
        run = harness.Run(self)
        run.result = run.run(*PROGRAM, MIGPROF_CONTROL=run.folder / "control", MIGPROF_FLUSH_MS=50, expect=None, timeout=60, **extra)
        return run

    def check(self, run, unseen=False):
        """Returns a sentence about what is wrong, or None."""
        result, lines = run.result, own_lines(run.result.stderr)
        self.assertEqual((result.returncode, result.stdout), (self.plain.returncode, self.plain.stdout), result.stderr)
        foreign = [line for line in result.stderr.splitlines() if line not in lines]
        self.assertEqual(foreign, self.plain.stderr.splitlines())
        self.assertLessEqual(len(lines), 1, result.stderr)
        files = [path for path in run.trace_files() if path.stat().st_size != 0]
        if not files or len(files) < len(run.trace_files()):
            self.assertEqual(len(lines), 1, "there is no trace, and nobody says why")
        traces = [accounting.TraceCounts(path) for path in files]
        if not traces:
            return "no trace"
        if any(trace.slice == "" for trace in traces):
            self.assertIn("without its UUID", lines[0])
            self.assertEqual(sum(sum(trace.work.values()) for trace in traces), len(run.ledger()))
            return "without a UUID"
        slices = accounting.check(self, run, traces=traces, unseen=unseen)
        executed, recorded, health = next(iter(slices.values()))
        if not traces[0].closed or health["stopped"]:
            self.assertEqual(len(lines), 1, f"the trace ends early, and nobody says why: {health}")
        for entry in run.summary()["slices"]:
            self.assertLess(entry["window_ns"], 3600e9, "a time that is none")
        return "whole" if recorded == executed and not lines else "counted" if traces[0].closed else "cut"

    def check_all(self, cases, record):
        """Runs all; reports each that is wrong. Returns how many ended how."""
        kinds, wrong = {}, []

        def one(case):
            run = None
            try:
                run = record(case)
                kind = self.check(run, unseen=str(case).startswith("cuptiEnableCallback"))
            except Exception as problem:  # also a program that hangs
                kind = "wrong"
                wrong.append(f"{case}: {problem}\n{run.result.stderr if run is not None else ''}")
            with self.lock:
                kinds.setdefault(kind, []).append(case)

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(one, cases))
        print(", ".join(f"{len(found)} {kind}" for kind, found in sorted(kinds.items())), flush=True)
        if os.environ.get("FAULT_KINDS"):
            print(json.dumps(kinds, indent=1))
        self.assertFalse(wrong, "\n".join(wrong[:20]))
        return kinds


@unittest.skipIf(harness.SANITIZED, "a sanitizer has its own allocator")
class OfTheCLibrary(Positions):
    def faulty(self, faults=""):
        run = harness.Run(self)
        report = run.folder / "report.txt"
        run.result = run.run(*PROGRAM, way=harness.PLAIN, LD_PRELOAD=f"{LIBC_FAULTS}:{harness.LIBRARY}", LIBC_FAULTS=faults, timeout=60,
                             LIBC_FAULTS_REPORT=report, MIGPROF_CONTROL=run.folder / "control", MIGPROF_FLUSH_MS=50, expect=None)
        run.counts = {name: (int(calls), int(failed)) for name, calls, failed in map(str.split, report.read_text().splitlines())}
        return run

    def test_every_call_fails_once(self):
        counted = self.faulty()
        self.assertEqual(self.check(counted), "whole")
        unknown = set(counted.counts) - set(LIBC_ERRORS)
        self.assertFalse(unknown, "functions without a line in the table")
        cases = []
        for function, (calls, _) in sorted(counted.counts.items()):
            for position in positions(calls):
                for error in errors_at(LIBC_ERRORS[function], position):
                    cases.append(f"{function}:{position}={error if error == 'short' else getattr(errno, error)}")
        kinds = self.check_all(cases, self.faulty)
        self.assertGreater(len(kinds["whole"]), len(cases) / 4)


class OfTheGpu(Positions):
    def test_every_call_fails_once(self):
        run = harness.Run(self)
        counts_path = run.folder / "counts.jsonl"
        run.result = run.run(*PROGRAM, SIMGPU_CALL_COUNTS=counts_path, MIGPROF_CONTROL=run.folder / "control")
        self.assertEqual(self.check(run), "whole")
        cases = []
        for row in harness.read_json_lines(counts_path):
            function, thread = row["function"], row["thread"]
            kind = next(prefix for prefix in GPU_ERRORS if function.startswith(prefix))
            if kind == "cu" and thread != "migprof" and function != "cuDriverGetVersion":
                continue  # the program's own
            for position in positions(row["calls"]):
                for error in errors_at(GPU_ERRORS[kind], position):
                    cases.append(f"{function}@{thread}:{position}={error}")
        self.assertGreater(len(cases), 50)
        self.check_all(cases, lambda fault: self.record(SIMGPU_FAULTS=fault))


if __name__ == "__main__":
    harness.main()
