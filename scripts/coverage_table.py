#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints line coverage room by room, from what gcov knows of a build. usage: scripts/coverage_table.py BUILD"""

import collections
import json
import os
import pathlib
import subprocess
import sys
from concurrent import futures

ROOMS = ["libmigprof/base", "libmigprof/format", "libmigprof/mig", "libmigprof/record", "libmigprof/analyze",
         "libmigprof/render", "injection", "tools", "include/migprof"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES_PER_CALL = 16


def room_of(path):
    return next((room for room in ROOMS if path.startswith(room + "/")), None)


def lines_of(notes):
    """(file, line) -> times executed, for the files of the rooms, from several .gcno files."""
    output = subprocess.run(["gcov", "--json-format", "--stdout", *notes], capture_output=True, check=True).stdout
    lines = {}
    for document in output.splitlines():
        for file in json.loads(document)["files"]:
            path = os.path.normpath(os.path.join(ROOT, file["file"]))
            path = os.path.relpath(path, ROOT)
            if room_of(path) is None:
                continue
            for line in file["lines"]:
                key = path, line["line_number"]
                lines[key] = lines.get(key, 0) + line["count"]
    return lines


def main():
    # Also those without counts: what no test was linked with is not covered, and counts as that.
    notes = sorted(str(path) for path in pathlib.Path(sys.argv[1]).resolve().rglob("*.gcno"))
    executed = collections.Counter()
    parts = [notes[i:i + FILES_PER_CALL] for i in range(0, len(notes), FILES_PER_CALL)]
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for lines in pool.map(lines_of, parts):
            executed.update(lines)
    rooms = {room: [0, 0] for room in ROOMS}
    for (path, _), count in executed.items():
        room = rooms[room_of(path)]
        room[0] += 1
        room[1] += count > 0
    rooms["total"] = [sum(room[i] for room in rooms.values()) for i in (0, 1)]
    print(f"{'room':<20} {'lines':>7} {'executed':>9} {'share':>7}")
    for room, (lines, covered) in rooms.items():
        print(f"{room:<20} {lines:>7} {covered:>9} {f'{100 * covered / lines:.1f}%' if lines else '-':>7}")


if __name__ == "__main__":
    main()
