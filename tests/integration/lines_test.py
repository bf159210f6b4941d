#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Source lines and inlined functions: they are what the programs say themselves, they come from every place where debug information
may lie and from no file of another build, and function names do not depend on them."""

import functools
import http.server
import os
import pathlib
import re
import shutil
import subprocess
import threading
import unittest

import harness

PROGRAM = ("inference_server", "--workers", "2", "--requests", "2", "--layers", "2")
LINE = re.compile(r"^(?P<function>.*) \((?P<file>[^():]+):(?P<line>\d+)\)(_\[i\])?$")


def build_id_of(path):
    notes = subprocess.run(["readelf", "-n", str(path)], check=True, capture_output=True, text=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)


def has_lines():
    version = subprocess.run([str(harness.BIN / "migprof-merge"), "--version"], capture_output=True, text=True).stdout
    return "without libdw" not in version


@unittest.skipUnless(has_lines() and shutil.which("objcopy") and not harness.SANITIZED, "needs libdw, objcopy and plain binaries")
class Lines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = unittest.TestCase()
        cls.recorded = harness.Run(cls.holder)
        # A copy, which can be taken away.
        cls.program = cls.recorded.folder / "inference_server"
        shutil.copy(harness.BIN / "inference_server", cls.program)
        cls.hidden = cls.recorded.folder / "hidden"
        cls.recorded.run(cls.program, *PROGRAM[1:])
        cls.build_id = build_id_of(cls.program)

    @classmethod
    def tearDownClass(cls):
        cls.holder.doCleanups()

    def setUp(self):
        self.program.rename(self.hidden)
        self.addCleanup(self.hidden.rename, self.program)

    def stacks(self, *options, **environment):
        """The folded stacks without the process and what stands below it."""
        run = self.recorded
        shutil.rmtree(run.report, ignore_errors=True)
        command = [str(harness.BIN / "migprof-merge"), "-o", str(run.report), "--format", "folded,svg", *map(str, options), str(run.traces)]
        env = {name: value for name, value in os.environ.items() if name != "DEBUGINFOD_URLS"}
        self.result = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**env, **environment})
        self.assertEqual(self.result.returncode, 0, self.result.stderr)
        return sorted((tuple(frames[4:]), ns) for frames, ns in run.folded())

    def with_program(self, *options):
        shutil.copy(self.hidden, self.program)
        try:
            return self.stacks(*options)
        finally:
            self.program.unlink()

    def test_lines_are_those_the_program_logs(self):
        logged = {(call["function"], pathlib.Path(call["file"]).name, call["line"]) for call in self.recorded.logged_calls()}
        self.assertGreater(len(logged), 8)
        shown = set()
        for frames, _ in self.with_program("--lines"):
            for frame in frames:
                match = LINE.match(frame)
                if match:
                    name = match["function"].split("(")[-2 if match["function"].endswith(")") else -1]
                    shown.add((name.split("::")[-1], match["file"], int(match["line"])))
        self.assertEqual(logged - shown, set())
        # And no other line of a function that logs all its calls.
        self.assertEqual({entry for entry in shown if entry[0] == "SelfAttention"}, {e for e in logged if e[0] == "SelfAttention"})

    def test_names_are_the_same_without_the_binaries(self):
        bare = self.stacks()
        self.assertEqual(bare, self.with_program("--no-debug-info"))
        self.assertEqual(bare, self.with_program("--no-inline"))
        inlined = self.with_program()
        self.assertNotEqual(bare, inlined)
        without = [(tuple(frame for frame in frames if not frame.endswith("_[i]")), ns) for frames, ns in inlined]
        self.assertEqual(bare, sorted(without))
        self.assertIn("Worker::Serve_[i]", str(inlined))
        plumbing = [frame for frames, _ in inlined for frame in frames if frame.endswith("_[i]") and frame.startswith("std::")]
        self.assertFalse(any("_Invoker" in frame or "__invoke" in frame for frame in plumbing), plumbing)

    def test_pictures_tell_where_functions_are(self):
        self.with_program()
        text = (self.recorded.report / "flamegraphs" / "all.svg").read_text()
        self.assertRegex(text, r'"sources":\{.*inference_server\.cc:\d+')
        self.assertIn('"inlined":[', text)

    def test_debug_information_is_found_wherever_it_lies(self):
        whole = self.with_program("--lines")
        folder = self.recorded.folder / "debug"
        separate = folder / ".build-id" / self.build_id[:2] / f"{self.build_id[2:]}.debug"
        separate.parent.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder)
        subprocess.run(["objcopy", "--only-keep-debug", str(self.hidden), str(separate)], check=True)
        self.assertEqual(self.stacks("--lines", "--debug-dir", "/nonexistent", "--debug-dir", folder), whole)

        plain = folder / "deep" / "anything"
        plain.parent.mkdir()
        separate.rename(plain)
        self.assertEqual(self.stacks("--lines", "--debug-dir", folder), whole)

        # What the stripped program itself names, beside it.
        linked = self.recorded.folder / ".debug" / "its.debug"
        linked.parent.mkdir()
        self.addCleanup(shutil.rmtree, linked.parent)
        plain.rename(linked)
        subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={linked}", str(self.hidden), str(self.program)], check=True)
        self.addCleanup(self.program.unlink)
        self.assertEqual(self.stacks("--lines"), whole)

    def test_a_file_of_another_build_is_not_used(self):
        bare = self.stacks("--lines")
        shutil.copy(harness.BIN / "training_loop", self.program)
        self.addCleanup(self.program.unlink)
        self.assertEqual(self.stacks("--lines"), bare)

    def test_damaged_files_cost_their_lines_only(self):
        bare = self.stacks()
        content = self.hidden.read_bytes()
        self.addCleanup(self.program.unlink)
        for size in (70, 4096, len(content) // 3, len(content) // 2, len(content) - 100):
            self.program.write_bytes(content[:size])
            stacks = self.stacks()
            self.assertEqual(sum(ns for _, ns in stacks), sum(ns for _, ns in bare))

    def test_debuginfod_is_asked_when_configured_and_only_then(self):
        if not pathlib.Path("/usr/lib/x86_64-linux-gnu/libdebuginfod.so.1").exists():
            self.skipTest("no libdebuginfod")
        whole = self.with_program("--lines")
        asked = []
        served = self.hidden.read_bytes()

        class Server(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                asked.append(handler.path)
                found = handler.path == f"/buildid/{self.build_id}/debuginfo"
                handler.send_response(200 if found else 404)
                handler.send_header("Content-Length", str(len(served) if found else 0))
                handler.end_headers()
                handler.wfile.write(served if found else b"")

            def log_message(handler, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        environment = {"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}/", "no_proxy": "127.0.0.1",
                       "DEBUGINFOD_CACHE_PATH": str(self.recorded.folder / "cache")}
        self.assertNotEqual(self.stacks("--lines"), whole)
        self.assertEqual(asked, [])
        self.assertEqual(self.stacks("--lines", **environment), whole)
        self.assertIn(f"/buildid/{self.build_id}/debuginfo", asked)
        del asked[:]
        self.stacks("--no-debug-info", **environment)
        self.assertEqual(asked, [])


@unittest.skipIf(harness.SANITIZED, "the stacks of instrumented code differ")
class JustInTimeCode(unittest.TestCase):
    def frames_of(self, *arguments):
        run = harness.Run(self)
        process = run.start("jit_caller", *arguments)
        self.addCleanup(pathlib.Path(f"/tmp/perf-{process.pid}.map").unlink, missing_ok=True)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, out + err)
        run.merge("--format", "folded")
        return run.folded()

    def test_names_come_from_the_perf_map(self):
        self.assertTrue(any("jit_function of the test" in frames for frames, _ in self.frames_of()))

    def test_code_without_a_name_reads_as_an_address(self):
        frames = functools.reduce(lambda all, row: all | set(row[0]), self.frames_of("unnamed"), set())
        self.assertTrue(any(re.fullmatch(r"\[unknown\]\+0x[0-9a-f]+", frame) for frame in frames), frames)


if __name__ == "__main__":
    harness.main()
