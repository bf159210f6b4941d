#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the built libmigprof.so shows to the process it is loaded into, and what it asks of it.

usage: scripts/check_so.py LIBMIGPROF.SO [OLDEST_GLIBC]     the glibc it must run with, by default 2.28; empty: any
"""

import re
import subprocess
import sys

EXPORTS = {"InitializeInjection", "InitializeInjectionNvtx2", "migprof_flush", "migprof_pop", "migprof_push",
           "migprof_start", "migprof_stop", "migprof_version"}
# Of libmigprof-yield.so: functions of CUPTI that it stands before.
YIELD_EXPORTS = {"cuptiActivityDisable", "cuptiActivityDisableContext", "cuptiActivityEnable", "cuptiActivityEnableContext",
                 "cuptiActivityFlushAll", "cuptiActivityRegisterCallbacks", "cuptiEnableAllDomains", "cuptiEnableCallback",
                 "cuptiEnableDomain", "cuptiFinalize", "cuptiGetCallbackState", "cuptiSubscribe", "cuptiSubscribe_v2",
                 "cuptiUnsubscribe", "migprof_yield_door"}
NEEDED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libpthread.so.0", "libdl.so.2"}
# The initial thread-local block of a process has little room for libraries that are loaded later.
MOST_TLS_BYTES = 256
# Calls that would end or change the host.
FORBIDDEN_IMPORTS = {"exit", "_exit", "quick_exit", "signal", "sigaction", "setlocale", "setrlimit", "raise", "system", "fork"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def number(version):
    """(2, 3, 4) of GLIBC_2.3.4; nothing for other names."""
    match = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", version)
    return tuple(map(int, match[1].split("."))) if match else ()


def main():
    library = sys.argv[1]
    oldest_glibc = sys.argv[2] if len(sys.argv) > 2 else "2.28"
    wrong = []

    listed = run("nm", "-D", "--defined-only", library).splitlines()
    exported = {line.split()[-1].split("@")[0] for line in listed}
    exported = {name for name in exported if not name.startswith("MIGPROF_")}  # the version node itself
    expected = YIELD_EXPORTS if library.endswith("libmigprof-yield.so") else EXPORTS
    if exported != expected:
        wrong.append(f"exports {sorted(exported)}, expected {sorted(expected)}")
    if expected is YIELD_EXPORTS and any("@" in line for line in listed):
        wrong.append("exports symbols with versions, which do not take the place of libcupti's")

    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-dW", library)))
    if needed - NEEDED:
        wrong.append(f"needs {sorted(needed - NEEDED)}: only libc's family is allowed")

    segments = run("readelf", "-lW", library)
    match = re.search(r"^\s*TLS\s+\S+\s+\S+\s+\S+\s+\S+\s+(0x[0-9a-f]+)", segments, re.M)
    tls_bytes = int(match.group(1), 16) if match else 0
    if tls_bytes > MOST_TLS_BYTES:
        wrong.append(f"{tls_bytes} bytes of thread-local storage, at most {MOST_TLS_BYTES} allowed")
    if re.search(r"GNU_STACK.*RWE", segments):
        wrong.append("asks for an executable stack")

    flags = run("readelf", "-dW", library)
    for flag in ("NODELETE", "NOW"):
        if flag not in flags:
            wrong.append(f"is not linked with -z {flag.lower()}")
    if "TEXTREL" in flags:
        wrong.append("has text relocations")

    imported = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--undefined-only", library).splitlines()}
    if imported & FORBIDDEN_IMPORTS:
        wrong.append(f"imports {sorted(imported & FORBIDDEN_IMPORTS)}")
    if any(name.startswith(("cu", "nvml")) for name in imported):
        wrong.append("is linked to CUDA")

    # Those without a number, as GLIBC_PRIVATE and GLIBC_ABI_DT_RELR, no old system has.
    asked_for = re.findall(r"Name: (\S+)\s+Flags:", run("readelf", "-VW", library).partition("Version needs section")[2])
    numbered = {number(version) for version in asked_for if number(version)}
    if oldest_glibc:
        limit = number(f"GLIBC_{oldest_glibc}")
        newer = sorted(version for version in asked_for if not number(version) or number(version) > limit)
        endings = tuple(f"@{version}" for version in newer)
        undefined = run("nm", "-D", "--undefined-only", library).splitlines()
        symbols = sorted(line.split()[-1] for line in undefined if line.endswith(endings))
        if newer:
            wrong.append(f"asks for {', '.join(newer)}, which glibc {oldest_glibc} does not have: {', '.join(symbols)}")

    for line in wrong:
        print(f"{library} {line}")
    newest = ".".join(map(str, max(numbered)))
    print(f"{len(exported)} exports, needs {', '.join(sorted(needed))}, glibc {newest} or later, {tls_bytes} bytes of TLS")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
