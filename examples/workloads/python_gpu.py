# SPDX-License-Identifier: Apache-2.0
"""What the Python workloads have in common: a GPU by ctypes and the driver API, and a log of where each launch came from.

With WORKLOAD_CALLS set, each launch appends a line of JSON to that file: what traceback.extract_stack() says at that very moment.
"""

import ctypes
import json
import os
import sys
import threading
import traceback

CUDA = ctypes.CDLL("libcuda.so.1")          # calls release the GIL
CUDA_HOLDING_GIL = ctypes.PyDLL("libcuda.so.1")
LIBC = ctypes.CDLL(None)

PTX_HEAD = ".version 7.0\n.target sm_80\n.address_size 64\n"
ROUTES = {}


def route(function):
    ROUTES[function.__name__] = function
    return function


def qualified_names(frame):
    """Outermost first; None where the version keeps no qualified names."""
    names = []
    while frame is not None:
        names.append(getattr(frame.f_code, "co_qualname", None))
        frame = frame.f_back
    return names[::-1]


class Gpu:
    def __init__(self, kernels, first_launch=1):
        self.log = open(os.environ["WORKLOAD_CALLS"], "a") if "WORKLOAD_CALLS" in os.environ else None
        self.lock = threading.Lock()
        self.launches = first_launch - 1
        self.context = ctypes.c_void_p()
        module = ctypes.c_void_p()
        self.check(CUDA.cuInit(0))
        self.check(CUDA.cuDevicePrimaryCtxRetain(ctypes.byref(self.context), 0))
        self.use_here()
        ptx = PTX_HEAD + "".join(".visible .entry %s()\n{\n  ret;\n}\n" % name for name in kernels)
        self.check(CUDA.cuModuleLoadData(ctypes.byref(module), ptx.encode()))
        self.functions = {}
        for name in kernels:
            self.functions[name] = ctypes.c_void_p()
            self.check(CUDA.cuModuleGetFunction(ctypes.byref(self.functions[name]), module, name.encode()))

    @staticmethod
    def check(result):
        if result != 0:
            raise RuntimeError("CUDA error %d" % result)

    def use_here(self):
        self.check(CUDA.cuCtxSetCurrent(self.context))

    def launch(self, kernel, cuda=CUDA):
        with self.lock:
            self.launches += 1
            number = self.launches
        function = self.functions[kernel]
        dims = [ctypes.c_uint(n) for n in (number, 1, 1, 1, 1, 1, 0)]
        # One line, because the stack that is logged must be the stack of the launch. The width of the grid tells which launch it is.
        stack, names = traceback.extract_stack(), qualified_names(sys._getframe()); result = cuda.cuLaunchKernel(function, *dims, None, None, None)
        self.check(result)
        if self.log is not None:
            frames = [[frame.filename, frame.lineno, frame.name, name] for frame, name in zip(stack, names)]
            entry = {"pid": os.getpid(), "launch": number, "kernel": kernel, "stack": frames}
            with self.lock:
                self.log.write(json.dumps(entry) + "\n")
                self.log.flush()


def run_routes():
    """Runs the routes that the command line names, all by default."""
    gpu = Gpu(list(ROUTES))
    for name in sys.argv[1:] or ROUTES:
        ROUTES[name](gpu)
    gpu.check(CUDA.cuCtxSynchronize())
