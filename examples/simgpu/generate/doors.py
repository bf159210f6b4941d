# SPDX-License-Identifier: Apache-2.0
"""Writes the exported functions ("doors") of the simulated libraries from the headers of the toolkit.

For every function that a header declares there is one door. It does what all of them have in common (faults, initialisation, correlation
id, CUPTI callbacks, activity record: see driver/door.h) and calls the body of that name, which is found by its definition at the start
of a line in the given sources: `cuMemAlloc_v2` has the body `MemAlloc_v2`. A function without a body becomes a stub that says so.
Doors of the per-thread default stream (`…_ptsz`, `…_ptds`) share the body of the plain function.
"""

import argparse
import pathlib
import re
import sys

import c_header

BANNER = "// Written by examples/simgpu/generate/doors.py; not kept in the repository.\n"

# Functions that may be called before cuInit.
BEFORE_INIT = {
    "cuInit", "cuDriverGetVersion", "cuGetProcAddress", "cuGetProcAddress_v2", "cuGetExportTable", "cuGetErrorName",
    "cuGetErrorString",
}  # fmt: skip

# First CUPTI API version that has the function, where that is not 11.8.
CUPTI_SINCE = {
    "cuptiActivityEnableDeviceGraph": 20, "cuptiGetGraphExecId": 22, "cuptiActivityEnableDriverApi": 23,
    "cuptiActivityEnableRuntimeApi": 23, "cuptiActivityEnableHWTrace": 26, "cuptiSubscribe_v2": 130000,
    "cuptiActivityEnableAllocationSource": 130000, "cuptiActivityEnableAllSyncRecords": 130000,
    "cuptiActivityEnableCudaEventDeviceTimestamps": 130000,
}  # fmt: skip


# The versions of CUPTI that are built, and what their libraries are called.
CUPTI_VERSIONS = {18: "libcupti.so.11.8", 22: "libcupti.so.12", 130001: "libcupti.so.13"}

# Functions of CUPTI that work where there is no driver.
CUPTI_WITHOUT_DRIVER = {
    "cuptiGetVersion", "cuptiGetTimestamp", "cuptiGetResultString", "cuptiGetErrorMessage", "cuptiActivityGetNextRecord",
    "cuptiActivityRegisterCallbacks", "cuptiGetCallbackName", "cuptiSupportedDomains",
}  # fmt: skip


class Library:
    """What differs between the three libraries that have generated doors."""

    def __init__(self, result, prefix, namespace, headers, defines):
        self.result = result
        self.prefix = prefix
        self.namespace = namespace
        self.headers = headers
        self.defines = defines

    def base_name(self, name):
        return re.sub(r"_pt(ds|sz)$", "", name)

    def body_name(self, name):
        return self.base_name(name)[len(self.prefix) :]


LIBRARIES = {
    "driver": Library("CUresult", "cu", "simgpu::driver::api", ["cuda.h", "cudaProfiler.h"], ["__CUDA_API_VERSION_INTERNAL"]),
    "runtime": Library(
        "cudaError_t", "cuda", "simgpu::runtime::api", ["cuda_runtime_api.h", "cuda_profiler_api.h"],
        ["__CUDA_RUNTIME_API_VERSION_INTERNAL", "__CUDA_API_VERSION_INTERNAL"],
    ),
    "cupti": Library("CUptiResult", "cupti", "simgpu::cupti::api", ["cupti.h"], []),
}  # fmt: skip


def declaration(function, name, named=True):
    parameters = ", ".join(f"{p.type} {p.name}" if named else p.type for p in function.parameters)
    return f"{function.result} {name}({parameters})"


def arguments(function):
    return ", ".join(p.name for p in function.parameters)


def bodies_in(sources, library):
    """What is defined in the namespace of the bodies, apart from helpers in unnamed namespaces."""
    definition = re.compile(r"^" + library.result + r"\s+(\w+)\(", re.MULTILINE)
    bodies = set()
    for source in sources:
        text = re.sub(r"^namespace {$.*?^}  // namespace$", "", pathlib.Path(source).read_text(), flags=re.MULTILINE | re.DOTALL)
        start = re.search(r"^namespace (\w+::)*api {$", text, flags=re.MULTILINE)
        if start:
            bodies.update(definition.findall(text, start.end()))
    return bodies


def callback_name(library, name, callbacks):
    """The enumerator of a function in the header of callback ids, or None. Runtime ids end in the version they appeared in."""
    if library.prefix == "cu":
        return name if name in callbacks else None
    versions = [id for id in callbacks if re.fullmatch(re.escape(name) + r"_v\d+", id)]
    return max(versions, key=lambda id: callbacks[id]) if versions else None


def write_cupti_door(out, library, function, has_body):
    name = function.name
    needs_driver = "false" if name in CUPTI_WITHOUT_DRIVER else "true"
    call = f"{library.namespace}::{library.body_name(name)}({arguments(function)})" if has_body else "NotSimulated(kEntry)"
    out.append(f"SIMGPU_EXPORT {declaration(function, name, named=has_body)} {{")
    out.append(f'  static constexpr Entry kEntry{{"{name}", {CUPTI_SINCE.get(name, 0)}, {needs_driver}}};')
    out.append(f"  return Pass(kEntry, [{'&' if has_body else ''}] {{ return {call}; }});\n}}")


def write_door(out, library, function, has_body, callbacks, param_structs):
    name = function.name
    callback = callback_name(library, name, callbacks)
    params = f"{name if library.prefix == 'cu' else callback}_params"
    has_params = params in param_structs
    prefix = "CUPTI_DRIVER_TRACE_CBID_" if library.prefix == "cu" else "CUPTI_RUNTIME_TRACE_CBID_"
    flags = [re.search(r"_pt(ds|sz)$", name) is not None, name in BEFORE_INIT]
    is_kernel = lambda p: p.type in ("CUfunction", "const void *") and "aunch" in name
    kernel = next((p.name for p in function.parameters if is_kernel(p)), "nullptr")
    call = f"{library.namespace}::{library.body_name(name)}({arguments(function)})" if has_body else "NotSimulated(kEntry)"

    out.append(f"SIMGPU_EXPORT {declaration(function, name, named=has_body or has_params)} {{")
    out.append(f'  static constexpr Entry kEntry{{"{name}", {prefix + callback if callback else 0}, {str(flags)[1:-1].lower()}}};')
    if has_params:
        out.append(f"  const {params} params{{{arguments(function)}}};")
    pointer = "&params" if has_params else "nullptr"
    out.append(f"  return Pass(kEntry, {pointer}, {kernel}, [{'&' if has_body else ''}] {{ return {call}; }});\n}}")


def write_doors(library, declared, bodies, callbacks, param_structs, door_header):
    out = [BANNER, f'#include "{door_header}"\n#include "bodies.h"\n', f"using namespace {library.namespace.rsplit('::', 1)[0]};", ""]
    out.append('extern "C" {')
    for function in declared.values():
        has_body = library.body_name(function.name) in bodies
        if library.prefix == "cupti":
            write_cupti_door(out, library, function, has_body)
        else:
            write_door(out, library, function, has_body, callbacks, param_structs)
    out.append('}  // extern "C"')
    return "\n".join(out) + "\n"


def write_bodies(library, declared, bodies):
    out = [BANNER, "#pragma once", *[f"#include <{header}>" for header in library.headers], f"namespace {library.namespace} {{"]
    for function in declared.values():
        if function.name == library.base_name(function.name) and library.body_name(function.name) in bodies:
            out.append(declaration(function, library.body_name(function.name)) + ";")
    out.append(f"}}  // namespace {library.namespace}")
    return "\n".join(out) + "\n"


def write_cupti_exports(declared, api, node):
    """A linker script with the functions that version `api` has."""
    names = [name for name in declared if CUPTI_SINCE.get(name, 0) <= api]
    return node + " {\n  global:\n" + "".join(f"    {name};\n" for name in names) + "  local:\n    *;\n};\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--include", action="append", required=True)
    parser.add_argument("--door-header", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--sources", nargs="*", default=[])
    options = parser.parse_args()
    library = LIBRARIES[options.library]

    read = lambda header, defines=(): c_header.preprocess(options.compiler, options.include, header, defines)
    declared = {}
    for header in library.headers:
        declared.update(c_header.functions(read(header, library.defines), library.result, library.prefix + "[A-Z]"))
    bodies = bodies_in(options.sources, library)
    unknown = bodies - {library.body_name(name) for name in declared}
    if unknown:
        sys.exit(f"doors.py: no function of the toolkit has the body {', '.join(sorted(unknown))}")

    callbacks, param_structs = {}, set()
    if options.library == "driver":
        callbacks = c_header.enumerators(read("cupti_driver_cbid.h"), "CUPTI_DRIVER_TRACE_CBID_")
        param_structs = c_header.structs(read("generated_cuda_meta.h", library.defines))
    elif options.library == "runtime":
        callbacks = c_header.enumerators(read("cupti_runtime_cbid.h"), "CUPTI_RUNTIME_TRACE_CBID_")
        param_structs = c_header.structs(read("generated_cuda_runtime_api_meta.h", library.defines))

    options.out.mkdir(parents=True, exist_ok=True)
    write = lambda name, text: (options.out / name).write_text(text)
    write("doors.cc", write_doors(library, declared, bodies, callbacks, param_structs, options.door_header))
    write("bodies.h", write_bodies(library, declared, bodies))
    if options.library == "cupti":
        for api, soname in CUPTI_VERSIONS.items():
            write(f"{soname}.map", write_cupti_exports(declared, api, soname))


if __name__ == "__main__":
    main()
