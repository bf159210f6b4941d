# SPDX-License-Identifier: Apache-2.0
"""Running programs under migprof on the simulated GPU, and reading back everything they leave."""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("MIGPROF_BUILD", SOURCE / "build" / "release"))
BIN = BUILD / "bin"
LIBRARY = BUILD / "lib" / "libmigprof.so"
SIMGPU = BUILD / "lib" / "simgpu"
TOPOLOGIES = sorted((SIMGPU / "topologies").glob("*.json"))
# A library built with a sanitizer cannot be preloaded into programs that were not.
SANITIZED = os.environ.get("MIGPROF_SANITIZE", "")

PRELOAD, INJECT, BOTH, PLAIN = "LD_PRELOAD", "CUDA_INJECTION64_PATH", "both", "plain"
DEFAULT_WAY = INJECT if SANITIZED else PRELOAD
# What is lost on purpose (libmigprof/record/activity_translate.cc says why).
# And what libc keeps for a thread that asked dlsym for something that is not there, until that thread is gone.
KNOWN_LEAKS = "leak:simgpu::cupti::WriteDevice\nleak:_dlerror_run\n"


def slices_of(topology):
    """The device UUIDs of a topology file, in order: MIG UUIDs of compute instances, or the GPU's."""
    uuids = []
    for gpu in json.loads(pathlib.Path(topology).read_text())["gpus"]:
        instances = [ci for gi in gpu.get("gpu_instances", []) for ci in gi["compute_instances"]]
        uuids += [ci["uuid"] for ci in instances] if instances else [gpu["uuid"]]
    return uuids


class Run:
    """A folder of its own, and the programs that ran in it."""

    def __init__(self, test, topology="h100-mixed.json"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="migprof-test-"))
        test.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.traces = self.folder / "traces"
        self.ledger_path = self.folder / "ledger.jsonl"
        self.calls_path = self.folder / "calls.jsonl"
        self.report = self.folder / "report"
        self.topology = SIMGPU / "topologies" / topology
        (self.folder / "known-leaks.txt").write_text(KNOWN_LEAKS)

    def environment(self, way=DEFAULT_WAY, **extra):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("MIGPROF_", "SIMGPU_", "CUDA_", "WORKLOAD_")) and name != "LD_PRELOAD"}
        env.update(LD_LIBRARY_PATH=str(SIMGPU), SIMGPU_TOPOLOGY=str(self.topology), SIMGPU_LEDGER=str(self.ledger_path),
                   WORKLOAD_CALLS=str(self.calls_path), MIGPROF_OUTPUT=str(self.traces))
        if SANITIZED:  # what empties the rings is slower than what fills them, and tests are about other losses
            env.update(MIGPROF_RING_KB="16384", MIGPROF_MAX_MEMORY="1G")
        if "address" in SANITIZED:
            env["LSAN_OPTIONS"] = f"suppressions={self.folder}/known-leaks.txt:print_suppressions=0"
        if way in (PRELOAD, BOTH):
            env["LD_PRELOAD"] = str(LIBRARY)
        if way in (INJECT, BOTH):
            env["CUDA_INJECTION64_PATH"] = str(LIBRARY)
        for name, value in extra.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = str(value)
        return env

    def start(self, *command, way=DEFAULT_WAY, **extra):
        command = [str(BIN / command[0]) if not str(command[0]).startswith("/") else command[0], *map(str, command[1:])]
        return subprocess.Popen(command, env=self.environment(way, **extra), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.folder)

    def run(self, *command, way=DEFAULT_WAY, expect=0, timeout=120, **extra):
        process = self.start(*command, way=way, **extra)
        out, err = process.communicate(timeout=timeout)
        if expect is not None and process.returncode != expect:
            raise AssertionError(f"{command} ended with {process.returncode}\nstdout: {out}\nstderr: {err}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def trace_files(self):
        return sorted(self.traces.glob("*.migtrace")) if self.traces.exists() else []

    def merge(self, *options, inputs=None, expect=0):
        command = [str(BIN / "migprof-merge"), "-o", str(self.report), *options, *map(str, inputs or [self.traces])]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if expect is not None and result.returncode != expect:
            raise AssertionError(f"{command} ended with {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def summary(self):
        return json.loads((self.report / "summary.json").read_text())

    def folded(self, name="folded.txt"):
        """[(frames, ns)] of folded.txt, or another file of folded stacks."""
        rows = []
        for line in (self.report / name).read_text().splitlines():
            stack, value = line.rsplit(" ", 1)
            rows.append((stack.split(";"), int(value)))
        return rows

    def ledger(self):
        return read_json_lines(self.ledger_path)

    def logged_calls(self):
        return read_json_lines(self.calls_path)


def read_json_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


class Dump:
    """A trace file as migprof-dump prints it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.text = subprocess.run([str(BIN / "migprof-dump"), "--all", str(path)], check=True, capture_output=True, text=True).stdout
        self.records = collections.defaultdict(list)
        for line in self.text.splitlines():
            kind, rest = line.split(" ", 1)
            fields = {}
            for name, value in FIELD.findall(rest):
                if value.startswith('"'):
                    fields[name] = value[1:-1]
                else:
                    fields[name] = int(value, 16) if value.startswith("0x") else int(value) if value.isdigit() else value
            self.records[kind].append(fields)

    def facts(self, kind):
        merged = {}
        for record in self.records[kind]:
            merged.update(record)
        return merged

    def stacks(self):
        """node id -> [(module path, offset of the return address in the module)], innermost first."""
        modules = {module["id"]: module for module in self.records["module"]}
        frames = {frame["id"]: frame for frame in self.records["frame"]}
        nodes = {node["id"]: node for node in self.records["stack_node"]}
        stacks = {}
        for node in nodes:
            stack, current = [], node
            while current:
                frame = frames[nodes[current]["frame"]]
                module = modules.get(frame["module"])
                stack.append((module["path"], frame["address"] - module["bias"]) if module else ("", frame["address"]))
                current = nodes[current]["parent"]
            stacks[node] = stack
        return stacks


def chunks_of(path):
    """The chunk headers of a trace file: [{"kind", "first", "last", …}]."""
    text = subprocess.run([str(BIN / "migprof-dump"), "--chunks", str(path)], check=True, capture_output=True, text=True).stdout
    return [dict(FIELD.findall(line)) for line in text.splitlines() if line.startswith("chunk ")]


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
