#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C library to link against that offers only what an old glibc has, so that the result runs there and on everything later.

The C library itself is not needed for linking, only names and versions. So each of glibc's libraries is replaced by an empty one with
the same name. It defines a function in the version it had in NEWEST, if the real library still has that very function: if the version is
an alias of today's, or today's. What is newer, or has changed since, is not there, and linking fails: docs/decisions/0007.

usage: scripts/make_glibc_stubs.py NEWEST READELF FOLDER COMPILER [FLAG...]     e.g. 2.28 readelf build/stubs gcc
"""

import pathlib
import re
import subprocess
import sys

LIBRARIES = ("libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")
# 2.34 moved these into libc.so.6. What has kept its version since was in libc.so.6 before, too.
MOVED = {"libpthread.so.0": re.compile(r"pthread_|__pthread_|sem_"), "libdl.so.2": re.compile(r"dl")}
TYPES = {"FUNC": "function", "IFUNC": "function", "OBJECT": "object", "TLS": "tls_object"}
# Index, value, size, type, binding, visibility, section, name@version; @@ marks the version that today's programs get.
SYMBOL = re.compile(r"\s*\d+: ([0-9a-f]+)\s+(?:0x)?([0-9a-f]+) (\w+)\s+(?:GLOBAL|WEAK)\s+DEFAULT\s.*?(\w+) (\w+)(@@?)GLIBC_([\d.]+)$")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def parse_version(text):
    return tuple(int(number) for number in text.split("."))


def choose_symbols(table, newest):
    """name -> (version, type, size, whether a newer version exists) from a dynamic symbol table as readelf prints it."""
    offered = {}
    for line in table.splitlines():
        match = SYMBOL.match(line)
        if match and match[4] not in ("UND", "ABS") and match[3] in TYPES:
            offered.setdefault(match[5], []).append((parse_version(match[7]), match[6] == "@@", match[1], match[3], int(match[2], 0)))
    chosen = {}
    for name, versions in offered.items():
        todays = [address for _, is_default, address, _, _ in versions if is_default]
        fitting = [entry for entry in versions if entry[0] <= newest and entry[2] in todays]
        if fitting:
            version, is_default, _, kind, size = max(fitting)
            chosen[name] = (version, TYPES[kind], size, not is_default)
    return chosen


def write_library(folder, soname, symbols, compiler):
    """An empty library: a label for each symbol, and a version script. The order of versions says nothing to a linker."""
    assembly, versions = [".section .note.GNU-stack,\"\",%progbits"], {}
    for section, kinds in ((".text", {"function"}), (".data", {"object"}), (".section .tbss,\"awT\",%nobits", {"tls_object"})):
        assembly.append(section)
        for name, (version, kind, size, _) in sorted(symbols.items()):
            if kind in kinds:
                room = 1 if kind == "function" else max(size, 1)
                assembly.append(f".globl {name}\n.type {name}, %{kind}\n.size {name}, {size}\n{name}:\n.zero {room}")
                versions.setdefault(version, []).append(name)
    script = [f"GLIBC_{'.'.join(map(str, version))} {{ global: {'; '.join(names)}; }};"
              for version, names in sorted(versions.items())]
    source, map_file = folder / f"{soname}.s", folder / f"{soname}.map"
    source.write_text("\n".join(assembly) + "\n")
    map_file.write_text("\n".join(script) + "\n")
    run(*compiler, "-shared", "-nostdlib", f"-Wl,-soname,{soname}", f"-Wl,--version-script={map_file}", str(source),
        "-o", str(folder / soname))


def main():
    newest, readelf, folder, compiler = parse_version(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4:]
    folder.mkdir(parents=True, exist_ok=True)

    libraries = {}
    for soname in LIBRARIES:
        path = run(*compiler, f"-print-file-name={soname}").strip()
        if "/" in path:
            libraries[soname] = choose_symbols(run(readelf, "--dyn-syms", "-W", path), newest)
    for soname, pattern in MOVED.items():
        moved = {name for name, symbol in libraries["libc.so.6"].items() if symbol[3] and pattern.match(name)}
        libraries.setdefault(soname, {}).update({name: libraries["libc.so.6"].pop(name) for name in moved})
    for soname, symbols in libraries.items():
        write_library(folder, soname, symbols, compiler)

    # What -lc and the others find: libc's static part is the real one's.
    nonshared = run(*compiler, "-print-file-name=libc_nonshared.a").strip()
    others = " ".join(str(folder / soname) for soname in libraries if soname != "libc.so.6")
    (folder / "libc.so").write_text(f"GROUP ( {folder / 'libc.so.6'} {nonshared} AS_NEEDED ( {others} ) )\n")
    for name in ("libm", "libpthread", "libdl"):
        (folder / f"{name}.so").write_text(f"INPUT ( AS_NEEDED ( {others} ) )\n")


if __name__ == "__main__":
    main()
