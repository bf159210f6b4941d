#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""On a thread that calls CUDA, after its first event, migprof allocates nothing, takes no lock and makes no system call: counted.

libhot_path_counter.so is preloaded beside libmigprof.so. It puts a window around each callback that migprof gives to CUPTI, and what
happens on the thread while a window is open is migprof's doing: calls of libc's functions that allocate or lock are counted by
interposing them, system calls by the kernel's syscall user dispatch. So nothing has to be told apart from what the program, the
driver and CUPTI do; and what they do outside of the windows is not looked at. Activity buffers come in windows too, because CUPTI may
ask for them on the application's thread.

That the counters count shows at each thread's first event, which does map memory: a run in which they saw nothing there fails."""

import collections
import ctypes
import subprocess
import unittest

import harness
import pythons

COUNTER = harness.BUILD / "lib" / "libhot_path_counter.so"
WORKLOADS = harness.SOURCE / "examples" / "workloads"
PYTHON_WORKLOADS = ("python_launches.py", "python_threads.py")
SYSTEM_CALLS = {0: "read", 1: "write", 3: "close", 9: "mmap", 11: "munmap", 12: "brk", 14: "rt_sigprocmask", 27: "mincore", 28: "madvise", 39: "getpid", 131: "sigaltstack", 157: "prctl", 186: "gettid",
                202: "futex", 204: "sched_getaffinity", 228: "clock_gettime", 257: "openat", 302: "prlimit64", 310: "process_vm_readv"}

# libunwind's own, where it has to be asked: its tables are mapped, and its locks and the loader's are taken. Nothing is allocated.
LIBUNWIND = {"pthread_mutex_lock", "pthread_mutex_unlock", "pthread_once", "dl_iterate_phdr", "mmap",
             *(f"system call {name}" for name in ("mmap", "futex", "mincore", "rt_sigprocmask", "getpid", "process_vm_readv", "sigaltstack"))}

# Before glibc 2.35 the library that holds a code address is found by walking the loader's list, under its lock.
LOADER = {("call", "dl_iterate_phdr")} if not hasattr(ctypes.CDLL(None), "_dl_find_object") else set()

# What libmigprof.so calls of libc that the counter does not interpose, because it neither allocates nor locks, does so by way of a
# function that is interposed, or is a system call.
UNCOUNTED = set("""
    __cxa_at_quick_exit chmod fchmod fcntl ZSTD_trace_compress_begin ZSTD_trace_compress_end _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable __cxa_finalize __environ
    dlerror __errno_location __gmon_start__ __libc_single_threaded __pthread_key_create __stack_chk_fail __tls_get_addr _dl_find_object abort
    environ getauxval getpagesize memchr memcmp memcpy memmove memset pthread_attr_destroy pthread_attr_init
    pthread_attr_setdetachstate pthread_attr_setstacksize pthread_cond_init pthread_condattr_destroy pthread_condattr_init
    pthread_condattr_setclock pthread_key_create pthread_mutex_init pthread_setspecific sigfillset snprintf sprintf stderr stpcpy
    strchr strcmp strcpy strlen strncmp strncpy strnlen strrchr strstr strtoul
    __isoc99_sscanf strcspn strtoull access clock_gettime close fchown fstat ftruncate lseek lstat rename unlink getcwd geteuid gethostname getpid mincore mkdir msync open prctl pread pthread_getattr_np pthread_self
    pthread_attr_getstack pthread_setname_np pthread_setcancelstate pthread_sigmask process_vm_readv read readlink realpath sigaltstack stat
    sigaddset sigemptyset sigismember sigpending sigtimedwait syscall sysconf write""".split())


def symbols(library, which):
    out = subprocess.run(["nm", "-D", which, str(library)], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


class CountedRun(harness.Run):
    """A run under the counter; what it counted, before and after the first event of each thread was over."""

    def __init__(self, test, *command, **environment):
        super().__init__(test)
        report = self.folder / "counted.jsonl"
        self.result = self.run(*command, LD_PRELOAD=f"{COUNTER}:{harness.LIBRARY}", HOT_PATH_REPORT=report, **environment)
        self.threads = harness.read_json_lines(report)
        self.windows = collections.Counter()
        self.first, self.later = collections.Counter(), collections.Counter()
        self.callers = {}
        self.walks_of_the_loaders_list = 0
        for thread in self.threads:
            self.windows.update(thread["windows"])
            for event in thread["happened"]:
                what = (event["kind"], self.name(event))
                if what in LOADER and not event["first"]:
                    self.walks_of_the_loaders_list += event["count"]
                    continue
                (self.first if event["first"] else self.later)[what] += event["count"]
                if not event["first"]:
                    self.callers.setdefault(what, event["caller"])

    @staticmethod
    def name(event):
        if event["what"] != "system call":
            return event["what"]
        return "system call " + SYSTEM_CALLS.get(event["number"], str(event["number"]))

    def sees_system_calls(self):
        return all(thread["sees_system_calls"] for thread in self.threads)


@unittest.skipUnless(COUNTER.exists(), "the counter is not built: it works on x86-64, and not with a sanitizer, which interposes the same functions")
class HotPath(unittest.TestCase):
    def count(self, *command, **environment):
        run = CountedRun(self, *command, **environment)
        self.assertGreater(run.windows["call"], 0, "no callback was seen")
        if not run.sees_system_calls():
            print("SYSTEM CALLS NOT COUNTED: this kernel has no syscall user dispatch")
        return run

    def check_first_events_are_seen(self, run):
        """The counters' own control: a thread's slot is mapped, its id asked for, and the bounds of its stack are."""
        callers = [thread for thread in run.threads if thread["windows"]["call"]]
        for thread in callers:
            seen = {run.name(event) for event in thread["happened"] if event["kind"] == "call" and event["first"]}
            # Slots are used again, so that not each thread maps one.
            if thread["sees_system_calls"]:
                self.assertIn("system call gettid", seen, thread)
        self.assertGreaterEqual(run.first["call", "mmap"], 1, run.first)
        if any(thread["windows"]["call"] and thread["is_main"] for thread in run.threads):
            self.assertGreaterEqual(run.first["call", "malloc"], 1, "the bounds of the main thread's stack are read from a file")
        if run.sees_system_calls():
            self.assertGreaterEqual(run.first["call", "system call mmap"], run.first["call", "mmap"])
        return len(callers)

    def check_nothing_later(self, run, what):
        threads = self.check_first_events_are_seen(run)
        print(f"{what}: {threads} threads, {run.windows['call']} calls of migprof about CUDA calls, {run.windows['range']} about ranges; "
              f"at first events {sum(run.first.values())} allocations, locks and system calls, later {sum(run.later.values())}"
              + (f", and the loader's list walked {run.walks_of_the_loaders_list} times" if LOADER else ""))
        self.assertEqual(dict(run.later), {}, f"called from libmigprof.so at {run.callers}")

    def test_everything_that_is_called_is_known(self):
        """A function of libc's that is new to migprof must be counted, or be known to neither allocate nor lock."""
        unknown = symbols(harness.LIBRARY, "--undefined-only") - symbols(COUNTER, "--defined-only") - UNCOUNTED
        self.assertEqual(unknown, set(), "interpose them in tests/programs/hot_path/interposed.cc, or add them to UNCOUNTED")

    def test_native_threads(self):
        for program in ("hot_path", "graph_shapes", "graph_replay", "ranges", "copies"):
            with self.subTest(program=program):
                self.check_nothing_later(self.count(program), program)

    def test_options(self):
        for option in ({"MIGPROF_GRAPHS": "graph"}, {"MIGPROF_GRAPHS": "off"}, {"MIGPROF_STACKS": "off"}, {"MIGPROF_MAX_DEPTH": "32"}):
            with self.subTest(**option):
                self.check_nothing_later(self.count("hot_path", **option), str(option))

    def test_ranges_are_seen(self):
        run = self.count("hot_path")
        self.assertGreater(run.windows["range"], 100)
        self.assertGreaterEqual(run.first["range", "mmap"], 1, "the first range of a thread maps memory")

    def test_nodes_of_graphs_as_first_event(self):
        self.check_nothing_later(self.count("hot_path", "graphs_first"), "graphs_first")

    def test_buffers_of_many_threads(self):
        """CUPTI gives back the buffers of all threads at each flush, and asks for others on the threads."""
        run = self.count("hot_path", "many_threads", MIGPROF_FLUSH_MS="50")
        self.assertGreater(run.windows["buffer_requested"], 80)
        self.check_nothing_later(run, "many threads")

    def test_full_rings(self):
        run = self.count("hot_path", "buffers", MIGPROF_RING_KB="64")
        self.check_nothing_later(run, "full rings")
        run.merge("--format", "json")
        self.assertGreater(run.summary()["slices"][0]["health"]["dropped"], 0, "the rings were never full")

    def test_older_cupti(self):
        """Whose buffers all threads share."""
        for folder, file in (("cupti-11.8", "libcupti.so.11.8"), ("cupti-12.4", "libcupti.so.12")):
            with self.subTest(cupti=folder):
                library = harness.SIMGPU / folder / file
                run = self.count("hot_path", MIGPROF_CUPTI=library)
                self.assertIn(folder, harness.Dump(run.trace_files()[0]).text)
                self.check_nothing_later(run, folder)

    def test_python_threads(self):
        for python in pythons.known_pythons():
            for workload in PYTHON_WORKLOADS:
                with self.subTest(python=python, workload=workload):
                    run = self.count(python.path, WORKLOADS / workload)
                    self.check_nothing_later(run, f"{workload} on {python}")

    # What docs/injection-safety.md excepts. Each of these must be seen: it is also the proof that the counters see such things after a
    # thread's first event.
    def test_code_without_unwind_information(self):
        run = self.count("hot_path", "jit")
        if run.sees_system_calls():
            self.assertEqual(dict(run.later), {("call", f"system call {name}"): 1 for name in ("getpid", "process_vm_readv")},
                             "for one new address, not for each of the ten launches through it")
        for python in pythons.known_pythons():
            if python.version < (3, 12):
                continue
            run = self.count(python.path, "-X", "perf", WORKLOADS / "python_launches.py", "recursion", "callback_from_c")
            self.assertLessEqual(set(run.later), {("call", "system call getpid"), ("call", "system call process_vm_readv")}, run.callers)

    def test_what_libunwind_does(self):
        """On a stack that is not the thread's own, and through a library that another has taken the place of."""
        for program in ("signal_stack", "replaced"):
            with self.subTest(program=program):
                run = self.count("hot_path", program)
                print(f"{program}: {dict(run.later)}")
                if program == "signal_stack":
                    self.assertGreater(run.later["call", "pthread_mutex_lock"], 0)
                self.assertLessEqual({what for kind, what in run.later}, LIBUNWIND, run.callers)
                self.assertEqual({kind for kind, what in run.later} - {"call"}, set())


if __name__ == "__main__":
    harness.main()
