# SPDX-License-Identifier: Apache-2.0
"""Writes tables that the simulated libraries need from the headers of the toolkit: the names of error codes and of callback ids, and
which function cuGetProcAddress has to return for which version of CUDA."""

import argparse
import collections
import pathlib
import re
import sys

import c_header

BANNER = "// Written by examples/simgpu/generate/tables.py; not kept in the repository.\n"


def error_texts(header, pattern):
    """Rows `{CODE, "CODE", "words"}`; the words are those of the name."""
    rows = []
    for name in re.findall(pattern, header):
        words = re.sub(r"^(CUDA|CUPTI)_(ERROR_)?|^cuda(Error)?", "", name)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", words).replace("_", " ").lower()
        rows.append(f'{{{name}, "{name}", "{"no error" if words == "success" else words}"}},')
    return BANNER + "\n".join(dict.fromkeys(rows)) + "\n"


def callback_names(header, prefix, strip_version):
    """Rows `{id, "function"}`: what CUPTI calls the function with that callback id. Those of the runtime end in a version."""
    rows = []
    for name, value in sorted(c_header.enumerators(header, prefix).items(), key=lambda item: item[1]):
        if name not in ("INVALID", "SIZE", "FORCE_INT"):
            rows.append(f'{{{value}, "{re.sub(r"_v[0-9]+$", "", name) if strip_version else name}"}},')
    return BANNER + "\n".join(rows) + "\n"


def proc_addresses(declared, typedefs):
    """One row per exported function. cudaTypedefs.h knows since when each version of a function exists; the n-th version of `cuFoo` is
    exported as `cuFoo_vn`."""
    since = collections.defaultdict(set)
    for name, version, thread in re.findall(r"\bPFN_(cu\w+?)_v(\d+)(_pt[ds][sz])?\)\(", typedefs):
        since[name, bool(thread)].add(int(version))
    exported = collections.defaultdict(dict)
    for name in declared:
        base, number, thread = re.fullmatch(r"(cu\w+?)(?:_v(\d))?(_ptds|_ptsz)?", name).groups()
        exported[base, bool(thread)][int(number or 1)] = name
    rows = []
    for (base, thread), names in sorted(exported.items()):
        versions = sorted(since[base, thread])
        if len(versions) != len(names):
            sys.exit(f"tables.py: cudaTypedefs.h and cuda.h disagree on the versions of {base}")
        for version, (_, name) in zip(versions, sorted(names.items())):
            function = f"reinterpret_cast<void (*)()>(&::{name})"
            rows.append(f'{{"{base}", {version}, {str(thread).lower()}, {function}}},')
    return BANNER + "const Symbol kSymbols[] = {\n" + "\n".join(rows) + "\n};\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--include", action="append", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    options = parser.parse_args()
    read = lambda header, defines=(): c_header.preprocess(options.compiler, options.include, header, defines)
    internal = ["__CUDA_API_VERSION_INTERNAL"]

    options.out.mkdir(parents=True, exist_ok=True)
    write = lambda name, text: (options.out / name).write_text(text)
    driver = read("cuda.h")
    write("error_texts.inc", error_texts(driver, r"\b(CUDA_SUCCESS|CUDA_ERROR_\w+)\s*="))
    write("runtime_error_texts.inc", error_texts(read("driver_types.h"), r"\b(cudaSuccess|cudaError\w+)\s*="))
    write("cupti_error_texts.inc", error_texts(read("cupti_result.h"), r"\b(CUPTI_SUCCESS|CUPTI_ERROR_(?!FORCE_INT)\w+)\s*="))
    write("driver_callback_names.inc", callback_names(read("cupti_driver_cbid.h"), "CUPTI_DRIVER_TRACE_CBID_", False))
    write("runtime_callback_names.inc", callback_names(read("cupti_runtime_cbid.h"), "CUPTI_RUNTIME_TRACE_CBID_", True))
    declared = c_header.functions(read("cuda.h", internal), "CUresult", "cu[A-Z]")
    write("proc_addresses.inc", proc_addresses(declared, read("cudaTypedefs.h", internal)))


if __name__ == "__main__":
    main()
