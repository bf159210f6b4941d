#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Launches kernels from sub-interpreters: on the main thread, on others, nested in calls of the main interpreter, and between them."""

import os
import threading

from python_gpu import Gpu

try:
    import _interpreters as interpreters  # 3.13 and later
except ImportError:
    import _xxsubinterpreters as interpreters

SCRIPT = """
import sys
sys.path.insert(0, %r)
from python_gpu import Gpu

def nested(gpu, left):
    gpu.launch("sub")
    if left:
        nested(gpu, left - 1)

gpu = Gpu(["sub"], %d)
nested(gpu, 2)
list(map(lambda i: nested(gpu, i), range(2)))
"""


def legacy_interpreter():
    """One that shares the GIL and may load every extension module, ctypes among them."""
    for arguments, options in ((("legacy",), {}), ((), {"isolated": False}), ((), {})):
        try:
            return interpreters.create(*arguments, **options)
        except TypeError:
            pass


def run(interpreter, first_launch):
    failure = interpreters.run_string(interpreter, SCRIPT % (os.path.dirname(os.path.abspath(__file__)), first_launch))
    if failure is not None:  # before 3.13 it raises
        raise RuntimeError(failure.formatted)


def main():
    gpu = Gpu(["main"])
    gpu.launch("main")
    first, second = legacy_interpreter(), legacy_interpreter()
    run(first, 1000)
    gpu.launch("main")
    (lambda: run(second, 2000))()
    (lambda: run(first, 3000))()
    gpu.launch("main")

    def on_a_thread():
        gpu.use_here()
        run(second, 4000)
        gpu.launch("main")

    worker = threading.Thread(target=on_a_thread)
    worker.start()
    worker.join()
    gpu.launch("main")
    for interpreter in (first, second):
        interpreters.destroy(interpreter)
    gpu.launch("main")


if __name__ == "__main__":
    main()
