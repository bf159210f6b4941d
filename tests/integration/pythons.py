# SPDX-License-Identifier: Apache-2.0
"""The Python interpreters of this machine."""

import functools
import os
import pathlib
import re
import subprocess

FIRST_KNOWN, LAST_KNOWN = (3, 8), (3, 14)
ASK = ("import sys, sysconfig; print(sys.implementation.name, *sys.version_info[:2], sys.version_info[3],"
       "int(bool(sysconfig.get_config_var('Py_DEBUG'))), int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), sys.executable)")


class Interpreter:
    def __init__(self, path, version, known, free_threaded):
        self.path, self.version, self.known, self.free_threaded = path, version, known, free_threaded

    def __repr__(self):
        return f"Python {self.version[0]}.{self.version[1]}{'t' if self.free_threaded else ''} at {self.path}"


@functools.lru_cache(None)
def all_pythons():
    """Each interpreter once, by version: what is on PATH, pyenv's, and what MIGPROF_TEST_PYTHONS (a colon list of files) names."""
    folders = [pathlib.Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder]
    roots = [os.environ.get("PYENV_ROOT", ""), pathlib.Path.home() / ".pyenv"]
    folders += [version / "bin" for root in roots if root for version in sorted(pathlib.Path(root).glob("versions/*"))]
    files = [pathlib.Path(file) for file in os.environ.get("MIGPROF_TEST_PYTHONS", "").split(":") if file]
    for folder in folders:
        files += [file for file in sorted(folder.glob("python3*")) if re.fullmatch(r"python3(\.\d+)?t?", file.name)]
    found = {}
    for file in files:
        try:
            answer = subprocess.run([str(file), "-c", ASK], capture_output=True, text=True, timeout=20)
        except OSError:
            continue
        if answer.returncode != 0:
            continue  # a shim for a version that is not selected
        name, major, minor, level, debug, free_threaded, executable = answer.stdout.strip().split(" ", 6)
        if name != "cpython":
            continue
        version = (int(major), int(minor))
        known = (FIRST_KNOWN <= version <= LAST_KNOWN and level in ("candidate", "final")
                 and (debug == "0" or version >= (3, 13)))
        found.setdefault(os.path.realpath(executable), Interpreter(executable, version, known, free_threaded == "1"))
    return sorted(found.values(), key=lambda python: python.version)


def known_pythons():
    return [python for python in all_pythons() if python.known]
