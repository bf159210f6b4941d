#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Threads have the names that `threading` gave them, as they were at the first launch, on every CPython that is found; also while
other threads rename them."""

import json
import unittest

import harness
import pythons
from python_run import WORKLOADS, PythonRun, unescape

NAMES = str(WORKLOADS / "python_thread_names.py")
LONGEST = 64  # of a name, in characters: libmigprof/record/python_thread_name.h


def shown(name):
    return name[:LONGEST]


@unittest.skipIf(harness.SANITIZED, "a library built with a sanitizer cannot be loaded into an interpreter that was not")
class PythonThreadNames(unittest.TestCase):
    def names(self, run):
        """What the workload says, and what the trace says: {thread id: …}."""
        given = {int(thread): names for thread, names in json.loads(run.result.stdout).items()}
        recorded = {thread["system_id"]: unescape(thread.get("name", "")) for thread in run.dump.records["thread"]}
        self.assertLessEqual(given.keys(), recorded.keys())
        return given, recorded

    def known(self):
        """3.14 gives names to the system itself, and free-threaded builds keep them in another form."""
        return [python for python in pythons.known_pythons() if python.version < (3, 14) and not python.free_threaded]

    def test_names_of_every_kind(self):
        for python in self.known():
            with self.subTest(python=python):
                run = PythonRun(self, python, NAMES, "given", "default", "classes", "other_names", "pools", "without_a_name")
                given, recorded = self.names(run)
                system = recorded[min(recorded)]  # the main thread's: the program's
                for thread, (name,) in given.items():
                    self.assertEqual(recorded[thread], shown(name) if name is not None else system, python)
                self.assertEqual(len(recorded), len(given) + 2, "the main thread, and one that `threading` does not know")
                self.assertEqual(list(recorded.values()).count(system), 3)

    def test_names_that_change_meanwhile(self):
        compared = []
        for python in self.known():
            with self.subTest(python=python):
                run = PythonRun(self, python, NAMES, "renamed_meanwhile")
                given, recorded = self.names(run)
                system = recorded[min(recorded)]
                caught = 0
                for thread, names in given.items():
                    self.assertIn(recorded[thread], {system, *map(shown, names)}, python)
                    caught += recorded[thread] != system
                self.assertGreater(caught, 0, "no name could be read")
                compared.append(f"{caught} of {len(given)} threads have a name on {python}")
        print("renamed while they launch:", *compared, sep="\n  ")

    def test_no_names_without_python_frames(self):
        for python in self.known()[-1:]:
            run = PythonRun(self, python, NAMES, "given", MIGPROF_PYTHON="off")
            _, recorded = self.names(run)
            self.assertEqual(len(set(recorded.values())), 1)


if __name__ == "__main__":
    harness.main()
