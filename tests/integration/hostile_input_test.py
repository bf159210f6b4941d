#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Folders that somebody else made, and files that change while they are read: the tools read nothing outside, wait for nothing, need
little memory, and print no character that a terminal obeys."""

import os
import re
import resource
import shutil
import subprocess
import threading
import time
import unittest

import harness

LITTLE_MEMORY = 1_000_000 * 1024
# What a terminal obeys: C0 controls but for the line feed, DEL, C1 controls as UTF-8.
CONTROLS = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
EVIL = "\x1b]0;owned\x07\x1b[2J\r\u009b31m\u202egnp\nmigprof-merge: all is well"


class HostileInput(unittest.TestCase):
    def setUp(self):
        self.run_ = harness.Run(self)
        self.secrets = self.marked("mine", "own")
        self.given = self.marked("theirs", "given")
        self.traces = sorted(path.name for path in self.given.iterdir())

    def marked(self, marker, folder):
        folder = self.run_.folder / folder
        folder.mkdir()
        self.run_.run("marked_traces", marker, folder, way=harness.PLAIN)
        return folder

    def tool(self, name, *arguments, limit=LITTLE_MEMORY):
        def little():
            if not harness.SANITIZED:
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return subprocess.run([str(harness.BIN / name), *map(str, arguments)], capture_output=True, timeout=120, preexec_fn=little)

    def merge(self, *inputs, status=0):
        shutil.rmtree(self.run_.report, ignore_errors=True)
        # Two threads, so that the address space that each reserves does not count on machines with many processors.
        result = self.tool("migprof-merge", "-q", "--threads", 2, "--format", "json,folded,svg", "-o", self.run_.report, *(inputs or [self.given]))
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertIsNone(CONTROLS.search(result.stderr), result.stderr)
        return result.stderr.decode()

    def kernels(self):
        return sum(entry["kernels"]["count"] for entry in self.run_.summary()["slices"])

    def everything(self):
        return "".join(path.read_text() for path in self.run_.report.rglob("*") if path.is_file())

    def test_links_that_lead_out_of_the_folder_are_left_out(self):
        self.merge()
        alone = self.kernels()
        (secret, *_) = sorted(self.secrets.iterdir())
        (self.given / "absolute.migtrace").symlink_to(secret)
        (self.given / "relative.migtrace").symlink_to(os.path.relpath(secret, self.given))
        (self.given / "through").symlink_to(self.secrets)
        (self.given / "again.migtrace").symlink_to("through/" + secret.name)
        (self.given / "beside.migtrace").symlink_to(self.traces[0])
        (self.given / "circle.migtrace").symlink_to("circle.migtrace")
        (self.given / "nowhere.migtrace").symlink_to("/nonexistent")
        said = self.merge()
        self.assertEqual(said.count("leads out of the folder"), 3, said)
        self.assertEqual(self.kernels(), alone)
        self.assertNotIn("mine", self.everything())
        # Who names a link means it, and so does who names a link to a folder.
        self.merge(self.given / "absolute.migtrace")
        self.assertIn("mine", self.everything())
        folder = self.run_.folder / "link-to-folder"
        folder.symlink_to(self.given)
        self.merge(folder)
        self.assertEqual(self.kernels(), alone)

    def test_what_is_no_file_is_not_waited_for(self):
        self.merge()
        alone = self.kernels()
        os.mkfifo(self.given / "pipe.migtrace")
        (self.given / "zeros.migtrace").symlink_to("/dev/zero")
        (self.given / "folder.migtrace").mkdir()
        if os.geteuid() == 0:
            os.mknod(self.given / "device.migtrace", 0o600 | 0o020000, os.makedev(1, 5))  # endless zeros
        self.assertIn("pipe.migtrace: not a regular file", self.merge())
        self.assertEqual(self.kernels(), alone)
        for name in ("pipe.migtrace", "folder.migtrace", "zeros.migtrace"):
            self.assertEqual(self.tool("migprof-dump", self.given / name).returncode, 1)
        self.merge("/dev/zero", status=1)

    def test_names_of_files_do_not_reach_the_terminal_as_they_are(self):
        (self.given / f"{EVIL}.migtrace").write_bytes(b"no trace")
        folder = self.given / EVIL
        folder.mkdir()
        (folder / "x.migtrace").write_bytes(b"")
        said = self.merge()
        self.assertIn("owned", said)
        self.assertFalse(any(line.startswith("migprof-merge: all is well") for line in said.splitlines()), said)
        self.assertNotIn("\u202e", said)
        dumped = self.tool("migprof-dump", self.given / f"{EVIL}.migtrace", folder / "missing.migtrace")
        self.assertEqual(dumped.returncode, 1)
        self.assertIsNone(CONTROLS.search(dumped.stderr + dumped.stdout), dumped)

    def test_names_in_traces_do_not_reach_the_terminal_as_they_are(self):
        hostile = self.marked(EVIL, "hostile")
        shutil.rmtree(self.run_.report, ignore_errors=True)
        shown = self.tool("migprof-merge", "--format", "folded", "-o", self.run_.report, hostile)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for output in (shown.stdout, shown.stderr, (self.run_.report / "folded.txt").read_bytes()):
            self.assertIsNone(CONTROLS.search(output), output)
        for path in hostile.iterdir():
            dumped = self.tool("migprof-dump", path)
            self.assertIsNone(CONTROLS.search(dumped.stdout + dumped.stderr), path)
            self.assertIn(b"owned", dumped.stdout)

    def test_folders_without_end(self):
        self.merge()
        alone = self.kernels()
        for i in range(int(os.environ.get("HOSTILE_ENTRIES", "5000"))):
            (self.given / f"{i:08}{'x' * 200}").touch()
        for i in range(1000):
            (self.given / f"{i:08}{'x' * 200}.migtrace").touch()
        self.merge()
        self.assertEqual(self.kernels(), alone)

    def test_folders_without_bottom(self):
        self.merge()
        alone = self.kernels()
        here = os.open(self.given, os.O_DIRECTORY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            deeper = os.open("d", os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = deeper
        os.close(here)
        try:
            self.assertIn("too deep", self.merge())
            self.assertEqual(self.kernels(), alone)
        finally:
            subprocess.run(["rm", "-rf", self.given], check=True)  # deeper than Python can remove

    def test_files_that_grow_and_shrink_while_they_are_read(self):
        content = (self.given / self.traces[0]).read_bytes()
        self.merge()
        most = self.kernels()
        victim = self.given / self.traces[0]
        stop = threading.Event()

        def change():
            while not stop.is_set():
                with open(victim, "r+b") as file:
                    file.truncate(len(content) // 3)
                    time.sleep(0.002)
                    file.seek(0)
                    file.write(content)
                    file.write(content[-1000:] * 50)
                    file.truncate(len(content))

        changing = threading.Thread(target=change)
        changing.start()
        try:
            for _ in range(8):
                self.merge()
                self.assertLessEqual(self.kernels(), most)
                self.assertIn(self.tool("migprof-dump", victim).returncode, (0, 1))
        finally:
            stop.set()
            changing.join()

    def test_a_file_of_nothing_costs_no_memory(self):
        """Sparse, as an archive can hold it in a few bytes."""
        self.merge()
        alone = self.kernels()
        with open(self.given / "hole.migtrace", "wb") as file:
            file.write((self.given / self.traces[0]).read_bytes()[:400])
            file.truncate(1 << 30)
        self.merge()
        self.assertEqual(self.kernels(), alone)
        self.assertEqual(self.tool("migprof-dump", self.given / "hole.migtrace").returncode, 0)


if __name__ == "__main__":
    harness.main()
