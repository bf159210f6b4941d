#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kind of loss that a trace can state is shown by every tool, with its number. The traces are made (lossy_trace) and then
damaged; a kind that is in summary.json and not in the table here fails the test."""

import html
import re
import subprocess
import unittest

import harness

# By the names of health in summary.json: the number in the traces below, as people are told of it, and where migprof-dump has it.
# Calls that were captured or failed are no losses, and numbers of what was understood are in openmetrics under names of their own.
KINDS = {
    "launches": (321, "launches", r"^call "),
    "matched": (294, "matched", r"^kernel "),
    "unmatched": (6, "unmatched", r"^call "),
    "captured": (9, "captured into graphs", r"^call_outcome .*outcome=2"),
    "failed": (12, "failed", r"^call_outcome .*outcome=1"),
    "dropped": (30, "dropped", r"^chunk .*lost=10"),
    "unplaced": (48, "dropped on an unknown slice", r"^counter process.unplaced_losses=16"),
    "other_calls_dropped": (45, "other calls dropped", r"^counter device.dropped_other_calls=15"),
    "untimed": (36, "untimed", r"^kernel .*flags=1$"),
    "orphaned": (33, "without their launch", r"^kernel correlation=1000000 "),
    "stackless": (15, "without a stack", r"^call .*flags=2 "),
    "graph_unattributed": (39, "of graphs without the code that captured them", r"^kernel .*graph_node=900"),
    "truncated": (18, "with a truncated stack", r"^call .*flags=1 "),
    "sampled_out": (21, "with an estimated stack", r"^call .*flags=8 "),
    "python_lost": (24, "without their Python frames", r"^call .*flags=4 "),
    "ranges_lost": (42, "ranges lost", r"^counter process.ranges_lost=14"),
    "unspliced": (27, "with Python frames in a block", r"^python_stack_node"),
    "damaged_bytes": (100, "bytes damaged", r"^damage offset=\d+ bytes=100 "),
    "missing_chunks": (1, "chunks missing", r"^missing offset=\d+ chunks=1"),
    "stopped": (True, "recording stopped early", r"^counter process.stopped_by_error=28"),
    "killed": (True, "1 process killed", None),
}
UNDERSTOOD = {"launches": "migprof_slice_launches_total", "matched": None, "captured": None, "failed": None}


class Losses(unittest.TestCase):
    def setUp(self):
        self.run_ = harness.Run(self)
        traces = self.run_.traces
        traces.mkdir()
        for name, arguments in (("closed", ["1"]), ("cut", ["2"]), ("killed", ["3", "killed"])):
            subprocess.run([harness.BIN / "lossy_trace", traces / f"{name}.migtrace", *arguments], check=True)
        self.damage(traces / "killed.migtrace")
        self.remove_a_chunk(traces / "cut.migtrace")
        self.merged = self.run_.merge("--format", "html,json,openmetrics", "--strict", expect=2)
        self.slice = self.run_.summary()["slices"][0]

    def damage(self, path):
        with path.open("ab") as file:
            file.write(b"x" * 100)

    def remove_a_chunk(self, path):
        """Of names only, so that the numbers of what is left are those of a whole trace."""
        chunks = harness.chunks_of(path)
        at = next(i for i, chunk in enumerate(chunks) if chunk["kind"] == "frame_name")
        begin = int(chunks[at]["offset"])
        end = int(chunks[at + 1]["offset"])
        content = path.read_bytes()
        path.write_bytes(content[:begin] + content[end:])

    def test_all_numbers_are_in_the_summary(self):
        health = self.slice["health"]
        self.assertIsNone(health.pop("taken_over_ns"))  # says when, of one way to be stopped
        # What MIGPROF_MAX_BYTES and MIGPROF_WINDOW had deleted is no loss: bounded_test.py.
        for part in ("rotated_files", "rotated_bytes", "rotated_launches", "rotated_activities", "cut_off_launches", "cut_off_activities"):
            self.assertEqual(health.pop(part), 0, part)
        self.assertEqual(set(health), set(KINDS), "a kind of loss has no line in this test")
        self.assertEqual(health, {kind: number for kind, (number, _, _) in KINDS.items()})
        self.assertEqual(health["launches"], health["matched"] + health["unmatched"] + health["captured"] + health["failed"])

    def test_the_table_says_all(self):
        self.says_all(self.merged.stdout)

    def test_the_report_says_all(self):
        text = html.unescape(re.sub(r"<script.*?</script>|<[^>]*>", "", (self.run_.report / "report.html").read_text(), flags=re.S))
        self.says_all(text)

    def says_all(self, text):
        for kind, (number, words, _) in KINDS.items():
            with self.subTest(kind=kind):
                self.assertRegex(text, re.escape(words) if number is True else rf"\b{number:,} {re.escape(words)}")

    def test_the_metrics_say_all(self):
        text = (self.run_.report / "openmetrics.txt").read_text()
        for kind, (number, _, _) in KINDS.items():
            with self.subTest(kind=kind):
                if kind in UNDERSTOOD:
                    if UNDERSTOOD[kind]:
                        self.assertRegex(text, rf"(?m)^{UNDERSTOOD[kind]}{{.*}} {number} ")
                    continue
                # Of processes, how many: all stopped, one was killed.
                expected = {"stopped": 3, "killed": 1}.get(kind, number)
                self.assertRegex(text, rf'(?m)^migprof_slice_losses_total{{[^}}]*kind="{kind}"}} {expected} ')

    def test_the_dump_says_all(self):
        texts = []
        for path in self.run_.trace_files():
            for options in ([], ["--chunks"]):
                result = subprocess.run([harness.BIN / "migprof-dump", *options, path], capture_output=True, text=True)
                texts.append(result.stdout + result.stderr)
        ends = [harness.chunks_of(path)[-1]["kind"] for path in self.run_.trace_files()]  # closed, cut, killed
        self.assertEqual(ends, ["trailer", "trailer", "counter"])
        for kind, (_, _, pattern) in KINDS.items():
            if pattern is None:
                continue
            with self.subTest(kind=kind):
                self.assertRegex("\n".join(texts), re.compile(pattern, re.M))


if __name__ == "__main__":
    harness.main()
