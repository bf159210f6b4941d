# SPDX-License-Identifier: Apache-2.0
"""What the traces of a run say, held against what the simulated GPU executed: nothing invented, and nothing lost without a number."""

import collections
import json
import re

import harness

WORK_CLASSES = {1, 3, 4}  # calls of one piece of work each: launches, copies, memsets


def work_of(row):
    """A line of the ledger, in the words of a trace."""
    what = row["name"] if row["kind"] == "kernel" else row["bytes"]
    return (row["slice"], row["pid"], row["kind"], what, row["correlation_id"], row["start_ns"], row["end_ns"] - row["start_ns"])


def ledger_of(run, cut=False):
    """The lines of the ledger. `cut`: its one process may have ended in the middle of the last one, of work that nobody was told of."""
    if not cut:
        return run.ledger()
    rows, broken = [], 0
    for line in run.ledger_path.read_text().splitlines() if run.ledger_path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            broken += 1
    assert broken <= 1, f"{broken} damaged lines in the ledger"
    return rows


def without_times(work):
    """Work that was not done when the process ended has no times in the trace."""
    return collections.Counter(piece[:-2] for piece in work.elements())


class TraceCounts:
    """One trace file."""

    def __init__(self, path, dump=None):
        dump = dump or harness.Dump(path)
        slice_facts, process = dump.facts("slice"), dump.facts("process")
        self.slice = slice_facts.get("mig_uuid") or slice_facts.get("gpu_uuid")
        self.pid = int(process["pid"])
        self.start_ns = int(process["start_ns"])
        self.closed = bool(dump.records["trailer"])
        self.work = collections.Counter()
        for kernel in dump.records["kernel"]:
            self.work[(self.slice, self.pid, "kernel", kernel["name"], kernel["correlation"], kernel["start"], kernel["duration"])] += 1
        for transfer in dump.records["transfer"]:
            kind = "memset" if transfer["what"] == 64 else "memcpy"
            self.work[(self.slice, self.pid, kind, transfer["bytes"], transfer["correlation"], transfer["start"], transfer["duration"])] += 1
        self.calls = sum(call["class"] in WORK_CLASSES for call in dump.records["call"])
        counters = dict(re.findall(r"^(?:trailer|counters) ([a-z_.]+)=(\d+)$", dump.text, re.M))  # the last of each name
        self.counters = {name: int(value) for name, value in counters.items()}


def read(run):
    return [TraceCounts(path) for path in run.trace_files()]


def check(test, run, launching_at_end=0, cut=False, traces=None, unseen=False):
    """Asserts, for every slice, that
      - what was recorded was executed, once, and at that time if any is said (always);
      - launches = matched + unmatched + captured + failed (always);
      - where all files were closed: pieces of work executed = matched + unmatched + dropped, and as many activities are missing
        as are counted. If so many threads were `launching_at_end`, each may have been
        inside a launch that was not executed any more, and launches that came after the library's own end are not counted;
      - where one was not: it says so.
    `unseen`: CUPTI does not tell of some calls, so that activities without their launch count for them.
    `cut`: the process ended in the middle of whatever it did, also of writing.
    Returns (executed, recorded activities, health) of each slice by UUID."""
    executed = collections.Counter(work_of(row) for row in ledger_of(run, cut) if row["graph_node_id"] == 0)
    traces = read(run) if traces is None else traces
    recorded = collections.Counter()
    for trace in traces:
        recorded += trace.work
    untimed = collections.Counter({work: count for work, count in recorded.items() if work[-2] == 0})
    invented = (recorded - untimed) - executed
    test.assertFalse(invented, f"recorded but not executed: {list(invented)[:3]}")
    invented = without_times(recorded) - without_times(executed)
    test.assertFalse(invented, f"recorded but not executed: {list(invented)[:3]}")
    if not traces:
        return {}
    run.merge("--format", "json")
    results = {}
    for entry in run.summary()["slices"]:
        uuid, health = entry["mig_uuid"] or entry["gpu_uuid"], entry["health"]
        mine = [trace for trace in traces if trace.slice == uuid]
        pids = {trace.pid for trace in mine}
        done = sum(count for work, count in executed.items() if work[0] == uuid and work[1] in pids)
        found = sum(sum(trace.work.values()) for trace in mine)
        numbers = f"{uuid}: executed {done}, recorded {found}, {health}"
        test.assertEqual(health["launches"], health["matched"] + health["unmatched"] + health["captured"] + health["failed"], numbers)
        test.assertEqual(health["launches"], sum(trace.calls for trace in mine), numbers)
        if not cut:  # the process was killed in the middle of writing
            test.assertEqual(health["damaged_bytes"], 0, numbers)
        test.assertEqual(found, health["matched"] + health["orphaned"], numbers)
        test.assertEqual(health["untimed"], sum(count for work, count in untimed.items() if work[0] == uuid), numbers)
        test.assertEqual(health["killed"], not all(trace.closed for trace in mine), numbers)
        if not health["killed"]:
            # With several slices they are counted apart, as of the process.
            lost_activities = sum(trace.counters["process.dropped_activities"] + trace.counters["process.unrouted_activities"]
                                  for trace in mine) if len({trace.slice for trace in traces if trace.pid in pids}) == 1 else 0
            lost_activities += sum(trace.counters["device.late_activities"] for trace in mine)
            told = health["launches"] - health["captured"] - health["failed"] + health["dropped"] - lost_activities
            if unseen:
                told += max(health["orphaned"] - health["dropped"], 0)
            if launching_at_end:
                test.assertLessEqual(told, done + launching_at_end, numbers)
            else:
                test.assertEqual(told, done, numbers)
        results[uuid] = (done, found, health)
    return results
