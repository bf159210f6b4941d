# SPDX-License-Identifier: Apache-2.0
"""Running the Python workloads, and reading back what they logged and what was recorded."""

import re

import harness

WORKLOADS = harness.SOURCE / "examples" / "workloads"
LAUNCHES = str(WORKLOADS / "python_launches.py")
THREADS = str(WORKLOADS / "python_threads.py")


class PythonRun(harness.Run):
    """One run of a workload; what it logged, and what was recorded. Without a workload the caller runs and reads."""

    def __init__(self, test, python, workload=None, *routes, **environment):
        super().__init__(test)
        self.python = python
        if workload is None:
            return
        self.result = self.run(python.path, workload, *routes, **with_python(environment))
        (path,) = self.trace_files()
        self.read(path)

    def read(self, path):
        """Everything below is about this trace file from now on."""
        self.dump = harness.Dump(path)
        shapes = {shape["id"]: shape for shape in self.dump.records["kernel_shape"]}
        calls = {call["correlation"]: call for call in self.dump.records["call"]}
        # The width of the grid is the number of the launch.
        self.recorded = {}
        for kernel in self.dump.records["kernel"]:
            launch = shapes[kernel["shape"]]["grid_x"]
            assert launch not in self.recorded
            if kernel["correlation"] in calls:
                self.recorded[launch] = calls[kernel["correlation"]]

    def python_stack(self, node):
        """[(function, file, line, is_entry)], outermost first."""
        nodes = {n["id"]: n for n in self.dump.records["python_stack_node"]}
        frames = {f["id"]: f for f in self.dump.records["python_frame"]}
        codes = {c["id"]: c for c in self.dump.records["python_code"]}
        stack = []
        while node:
            frame = frames[nodes[node]["frame"]]
            code = codes[frame["code"]]
            stack.append((unescape(code["name"]), unescape(code["file"]), frame["line"], frame["flags"] & 1))
            node = nodes[node]["parent"]
        return stack[::-1]


def with_python(environment):
    return {"MIGPROF_MAX_DEPTH": "512", "PYTHONDONTWRITEBYTECODE": "1", **environment}


def without_fork_warning(text):
    """What 3.12 and later say about a fork after cuInit: a process with a recorder has threads, as one with a real driver has."""
    return re.sub(r".*DeprecationWarning: This process \(pid=\d+\) is multi-threaded.*\n.*\n", "", text)


def unescape(text):
    """The bytes behind C's escapes, as text."""
    raw = re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else
                 {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(m[1], m[1]), text.encode())
    return raw.decode()


def expected(call):
    """[(function, file, line)] of a logged call: qualified names where the version has them."""
    return [(qualified or name, file, line) for file, line, name, qualified in call["stack"]]
