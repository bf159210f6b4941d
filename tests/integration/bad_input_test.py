#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""migprof-merge on files that are no good: a clear message with file and offset, no crash, and the rest is merged."""

import random
import re
import resource
import subprocess
import unittest

import harness

DEFINES, ROWS = "defines more than", "more rows than"
LITTLE_MEMORY = 3_000_000 * 1024


def in_little_memory(program, *arguments):
    return subprocess.run([str(harness.BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LITTLE_MEMORY, LITTLE_MEMORY)))


class BadInput(unittest.TestCase):
    def setUp(self):
        self.run_ = harness.Run(self)
        self.run_.run("training_loop", "--steps", "3")
        self.good = self.run_.trace_files()[0]
        self.run_.run("training_loop", "--steps", "4")
        other = [path for path in self.run_.trace_files() if path != self.good][0]
        self.bytes = other.read_bytes()  # to be damaged: of another process, so that it is no copy of the good one
        # Inside the first chunk of calls: not every chunk's payload is read.
        self.damage_at = int(next(chunk["offset"] for chunk in harness.chunks_of(other) if chunk["kind"] == "call")) + 100
        other.unlink()
        self.run_.merge("--format", "json", inputs=[self.good])
        self.good_kernels = self.run_.summary()["slices"][0]["kernels"]["count"]

    def merge_with(self, content, name="bad.migtrace"):
        bad = self.run_.folder / name
        bad.write_bytes(content)
        result = self.run_.merge("--format", "json,folded,svg", inputs=[self.good, bad], expect=None)
        self.assertIn(result.returncode, (0,), result.stderr)
        total = sum(entry["kernels"]["count"] for entry in self.run_.summary()["slices"])
        self.assertGreaterEqual(total, self.good_kernels)
        return result, bad

    def test_each_kind_of_badness_is_named(self):
        cases = {"empty": (b"", "empty"), "foreign": (b"#!/bin/sh\necho hello\n" * 500, "not a migprof trace"),
                 "newer": (self.bytes[:10] + b"\x63\x00" + self.bytes[12:], "version 99"),
                 "truncated": (self.bytes[:self.damage_at], r"offset \d+"),  # not between two chunks: that is a killed process
                 "flipped": (self.bytes[:self.damage_at] + bytes([self.bytes[self.damage_at] ^ 0x55]) +
                             self.bytes[self.damage_at + 1:], r"offset \d+"),
                 "garbage inside": (self.bytes[:self.damage_at] + random.Random(1).randbytes(5000) +
                                    self.bytes[self.damage_at:], r"offset \d+")}
        for name, (content, message) in cases.items():
            with self.subTest(name):
                result, bad = self.merge_with(content)
                lines = [line for line in result.stderr.splitlines() if str(bad) in line]
                self.assertTrue(lines, result.stderr)
                self.assertRegex(lines[0], message)

    def test_nothing_readable_is_an_error(self):
        bad = self.run_.folder / "empty.migtrace"
        bad.write_bytes(b"")
        self.assertIn("no trace could be read", self.run_.merge(inputs=[bad], expect=1).stderr)
        empty = self.run_.folder / "empty"
        empty.mkdir()
        self.assertIn("no *.migtrace", self.run_.merge(inputs=[empty], expect=1).stderr)
        self.assertIn("No such file", self.run_.merge(inputs=["/nonexistent"], expect=1).stderr)

    def test_copies_of_a_trace_do_not_count_twice(self):
        copy = self.run_.folder / "copy.migtrace"
        content = self.good.read_bytes()
        for damaged in (content, content[:len(content) * 2 // 3], content[:2000] + bytes(9000) + content[2000:]):
            copy.write_bytes(damaged)
            result = self.run_.merge("--format", "json", inputs=[self.good, copy])
            self.assertIn("left out: a copy of", result.stderr)
            self.assertEqual(self.run_.summary()["slices"][0]["kernels"]["count"], self.good_kernels)

    def test_traces_written_one_after_the_other_are_not_mixed(self):
        bad = self.run_.folder / "both.migtrace"
        bad.write_bytes(self.bytes + self.bytes)
        result = self.run_.merge("--format", "json", inputs=[bad])
        self.assertIn("another trace begins here", result.stderr)
        self.assertGreater(self.run_.summary()["slices"][0]["kernels"]["count"], 0)
        self.assertEqual(self.run_.summary()["slices"][0]["health"]["damaged_bytes"], len(self.bytes))

    def test_a_chunk_that_is_gone_is_missed(self):
        chunks = [match.start() for match in re.finditer(re.escape(bytes.fromhex("894d4947500d0a1a")), self.bytes)]
        bad = self.run_.folder / "gap.migtrace"
        bad.write_bytes(self.bytes[:chunks[8]] + self.bytes[chunks[9]:])
        result = self.run_.merge("--format", "json", "--strict", inputs=[bad], expect=2)
        self.assertIn("missing", result.stderr)
        self.assertEqual(self.run_.summary()["slices"][0]["health"]["missing_chunks"], 1)

    def test_strict_reports_damage_in_its_status(self):
        self.run_.merge("--strict", "--format", "json", inputs=[self.good], expect=0)
        bad = self.run_.folder / "bad.migtrace"
        bad.write_bytes(self.bytes[:-100])
        self.run_.merge("--strict", "--format", "json", inputs=[self.good, bad], expect=2)

    def test_random_damage_never_crashes(self):
        chance = random.Random(7)
        for _ in range(40):
            content = bytearray(self.bytes)
            for _ in range(chance.randrange(1, 6)):
                kind = chance.randrange(3)
                at = chance.randrange(len(content))
                if kind == 0:
                    content[at] = chance.randrange(256)
                elif kind == 1:
                    del content[at:at + chance.randrange(1, 2000)]
                else:
                    content[at:at] = chance.randbytes(chance.randrange(1, 500))
            self.merge_with(bytes(content))

    @unittest.skipIf(harness.SANITIZED, "sanitizers need more address space than this test leaves")
    def test_small_files_that_claim_to_be_huge_are_cut_off(self):
        for kind, chunks, message in (("strings", 20, DEFINES), ("modules", 20, DEFINES), ("frames", 20, DEFINES),
                                      ("shapes", 2, DEFINES), ("ranges", 2, DEFINES), ("python", 2, DEFINES),
                                      ("deep", 2, DEFINES), ("calls", 20, DEFINES), ("kernels", 20, DEFINES),
                                      ("launches", 6, ROWS), ("threads", 6, ROWS), ("intervals", 6, ROWS),
                                      ("nodes", 20, "changes to nodes")):
            with self.subTest(kind):
                bad = self.run_.folder / "bad.migtrace"
                self.run_.run("crafted_trace", kind, chunks, bad, way=harness.PLAIN)
                self.assertLess(bad.stat().st_size, 1_000_000)
                result = self.merge_in_little_memory("--format", "json,svg", self.good, bad)
                self.assertEqual(result.returncode, 0, result.stderr)
                lines = [line for line in result.stderr.splitlines() if str(bad) in line and message in line]
                self.assertEqual(len(lines), 1, result.stderr)
                slices = self.run_.summary()["slices"]
                self.assertIn(self.good_kernels, [entry["kernels"]["count"] for entry in slices])
                self.assertGreater(sum(entry["health"]["damaged_bytes"] for entry in slices), 0)
                if kind != "strings":
                    continue
                self.assertEqual(self.merge_in_little_memory("--strict", "--format", "json", bad).returncode, 2)
                dump = in_little_memory("migprof-dump", bad)
                self.assertEqual(dump.returncode, 0, dump.stderr)
                self.assertIn(message, dump.stdout[-1000:])

    def test_small_file_that_claims_to_be_huge_is_not_printed_at_length(self):
        bad = self.run_.folder / "bad.migtrace"
        self.run_.run("crafted_trace", "launches", 4, bad, way=harness.PLAIN)
        self.assertLess(bad.stat().st_size, 5000)
        dump = subprocess.run([str(harness.BIN / "migprof-dump"), str(bad)], check=True, capture_output=True, text=True).stdout
        self.assertLess(len(dump), 20_000_000)
        self.assertRegex(dump.splitlines()[-1], r"^stopped offset=\d+ rows_left=\d+ bytes_behind=\d+ reason=")

    def merge_in_little_memory(self, *arguments):
        return in_little_memory("migprof-merge", "-q", "-o", self.run_.report, *arguments)

    def test_output_that_cannot_be_written_is_an_error(self):
        command = [str(harness.BIN / "migprof-merge"), "-o", "/proc/nowhere", str(self.good)]
        result = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot be written", result.stderr)


if __name__ == "__main__":
    harness.main()
