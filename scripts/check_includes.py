#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom. usage: scripts/check_includes.py [ROOT]"""

import pathlib
import re
import sys

# What the files of a room may include of the other rooms.
ALLOWED = {
    "libmigprof/base": [],
    "libmigprof/format": ["libmigprof/base"],
    "libmigprof/mig": ["libmigprof/base"],
    "libmigprof/record": ["libmigprof/base", "libmigprof/format", "libmigprof/mig"],
    "libmigprof/analyze": ["libmigprof/base", "libmigprof/format", "libmigprof/mig"],
    "libmigprof/render": ["libmigprof/base", "libmigprof/format", "libmigprof/mig", "libmigprof/analyze"],
    "injection": ["libmigprof/base", "libmigprof/record"],
    "tools": ["libmigprof/base", "libmigprof/mig", "libmigprof/analyze", "libmigprof/render"],
    "include/migprof": [],
    "examples/workloads": ["include/migprof"],
    "examples/simgpu": [],
}

# Outside libraries, and the only places that may include them.
OUTSIDE = {
    r"(cuda|cupti\w*|cuda_runtime\w*|generated_cuda\w*)\.h": [
        "libmigprof/record/cupti_api", "libmigprof/record/cupti_layout", "libmigprof/record/record_sizes",
        "libmigprof/record/gpu_tracer", "libmigprof/record/yield_door", "injection/yield/", "examples/"],
    r"libunwind\.h": ["libmigprof/record/native_stack"],
    r"zstd\.h": ["libmigprof/format/chunk_reader", "libmigprof/format/chunk_writer", "examples/simgpu"],
    r"xxhash\.h": ["libmigprof/base/hash"],
    r"elfutils/.*|dwarf\.h": ["libmigprof/analyze/dwarf_"],
    r"absl/.*": ["libmigprof/analyze", "libmigprof/render", "tools"],
    r"nlohmann/.*": ["libmigprof/render", "examples/simgpu"],
    r"CLI/.*": ["tools"],
    r"microhttpd\.h": ["tools/metrics_server"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def room_of(path):
    matches = [room for room in ALLOWED if path.startswith(room + "/")]
    return max(matches, key=len) if matches else None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    wrong = []
    for room in ALLOWED:
        for file in sorted((root / room).rglob("*")):
            if file.suffix not in (".h", ".cc", ".c", ".cu"):
                continue
            path = str(file.relative_to(root))
            if room_of(path) != room:
                continue
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                header = match.group(1)
                other = room_of(header)
                if other is not None and other != room and other not in ALLOWED[room]:
                    wrong.append(f"{path}:{number}: {room} must not include {header}")
                for pattern, places in OUTSIDE.items():
                    if re.fullmatch(pattern, header) and not any(path.startswith(place) for place in places):
                        wrong.append(f"{path}:{number}: {header} belongs in {', '.join(places)} only")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
