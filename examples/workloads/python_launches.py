#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Launches kernels from every kind of place that Python code can run in, with nothing but ctypes and the driver API.

With WORKLOAD_CALLS set, each launch appends a line of JSON to that file: what traceback.extract_stack() says at that very moment.

usage: python_launches.py [ROUTE...]        all routes by default
"""

import asyncio
import atexit
import concurrent.futures
import contextlib
import ctypes
import functools
import json
import os
import signal
import sys
import threading
import traceback
import types

CUDA = ctypes.CDLL("libcuda.so.1")          # calls release the GIL
CUDA_HOLDING_GIL = ctypes.PyDLL("libcuda.so.1")
LIBC = ctypes.CDLL(None)
COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
THREAD_BODY = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)

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
    def __init__(self, kernels):
        self.log = open(os.environ["WORKLOAD_CALLS"], "a") if "WORKLOAD_CALLS" in os.environ else None
        self.lock = threading.Lock()
        self.launches = 0
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


@route
def function(gpu):
    gpu.launch("function")
    gpu.launch(
        "function",
    )
    for _ in range(3):
        gpu.launch("function"); gpu.launch("function")


class Model:
    def __init__(self, gpu):
        self.gpu = gpu

    def forward(self, kernel):
        self.gpu.launch(kernel)

    @classmethod
    def from_class(cls, gpu):
        cls(gpu).forward("method")

    @staticmethod
    def from_nowhere(gpu):
        gpu.launch("method")

    @property
    def loss(self):
        self.gpu.launch("method")
        return 1

    def __getattr__(self, name):
        self.gpu.launch("method")
        return name

    def __call__(self):
        self.forward("method")

    def __lt__(self, other):
        self.gpu.launch("method")
        return True

    def __enter__(self):
        self.gpu.launch("method")

    def __exit__(self, *error):
        self.gpu.launch("method")

    def __del__(self):
        self.gpu.launch("method")


@route
def method(gpu):
    model = Model(gpu)
    model.forward("method")
    Model.from_class(gpu)
    Model.from_nowhere(gpu)
    model.loss, model.unknown
    model()
    sorted([model, model])
    with model:
        pass
    del model

    class Local(Model):
        gpu.launch("method")  # in the body of a class

        def forward(self, kernel):
            return super().forward(kernel)

    Local(gpu).forward("method")


@route
def closure(gpu):
    def inner(number):
        def innermost():
            gpu.launch("closure")
        return innermost

    inner(1)()
    (lambda: gpu.launch("closure"))()
    [f() for f in (lambda: gpu.launch("closure"), inner(2))]
    functools.partial(gpu.launch, "closure")()


def traced(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)
    return wrapper


@route
@traced
@traced
def decorator(gpu):
    gpu.launch("decorator")


def numbers(gpu, count):
    for i in range(count):
        gpu.launch("generator")
        yield i


def delegating(gpu):
    yield from numbers(gpu, 2)
    gpu.launch("generator")


@route
def generator(gpu):
    for _ in numbers(gpu, 2):
        gpu.launch("generator")
    list(delegating(gpu))
    next(numbers(gpu, 1))
    sum(gpu.launch("generator") or 1 for _ in range(2))
    waiting = numbers(gpu, 3)
    next(waiting)
    (lambda: next(waiting))()  # goes on under another caller

    @contextlib.contextmanager
    def scope():
        gpu.launch("generator")
        yield
        gpu.launch("generator")

    with scope():
        gpu.launch("generator")


@route
def comprehension(gpu):
    [gpu.launch("comprehension") for _ in range(2)]
    {gpu.launch("comprehension") for _ in range(2)}
    {i: gpu.launch("comprehension") for i in range(2)}
    [[gpu.launch("comprehension") for _ in range(2)] for _ in range(2)]


@route
def callback_from_c(gpu):
    list(map(lambda i: gpu.launch("callback_from_c"), range(2)))
    sorted([2, 1], key=lambda i: gpu.launch("callback_from_c") or i)
    functools.reduce(lambda a, b: gpu.launch("callback_from_c") or b, [1, 2, 3])

    def compare(a, b):
        gpu.launch("callback_from_c")
        return 0

    array = (ctypes.c_int * 3)(3, 1, 2)
    LIBC.qsort(array, 3, 4, COMPARE(compare))

    def compare_deeper(a, b):
        LIBC.qsort((ctypes.c_int * 2)(2, 1), 2, 4, COMPARE(compare))
        return 0

    LIBC.qsort(array, 2, 4, COMPARE(compare_deeper))


@route
def dynamic_code(gpu):
    exec("def made(gpu):\n  x = 1\n  gpu.launch('dynamic_code')\nmade(gpu)", {"gpu": gpu})
    eval("gpu.launch('dynamic_code')", {"gpu": gpu})
    for name, file in (("größe", "façade.py"), ("λ", "папка/файл.py"), ("f", "emoji-\U0001f600.py"), ("𝔵", "x.py")):
        namespace = {"gpu": gpu}
        exec(compile("\n\ndef %s():\n  return gpu.launch('dynamic_code')\n" % name, file, "exec"), namespace)
        [value for value in namespace.values() if isinstance(value, types.FunctionType)][0]()


@route
def short_lived_code(gpu):
    """Many code objects, one after the other where the one before was."""
    for i in range(300):
        namespace = {"gpu": gpu}
        exec(compile("def made_%d():\n%s  gpu.launch('short_lived_code')\n" % (i, "\n" * (i % 7)), "<made>", "exec"), namespace)
        namespace["made_%d" % i]()
    for i in range(100):
        exec(compile("def made():\n%s gpu.launch('short_lived_code')\nmade()\n" % ("\n" * (i % 5)), "made/of-%d.py" % (i % 3), "exec"), {"gpu": gpu})
    for i in range(100):
        exec("def made_%d():\n def inner_function():\n%s  gpu.launch('short_lived_code')\n inner_function()\nmade_%d()\n"
             % (i % 9, "\n" * (i % 2), i % 9), {"gpu": gpu})


@route
def long_code(gpu):
    """Line tables of tens of kilobytes, and line numbers that go far forwards and back."""
    body = "".join("x = 1 +\\\n  2 * y\n%sif x: y = [x, x]; y = 3\n" % ("\n" * (400 if i % 500 == 0 else i % 3)) for i in range(3000))
    source = "y = 1\ngpu.launch('long_code')\n" + body + "gpu.launch('long_code')\n" + body
    source += "(gpu\n" + "\n" * 300 + ".launch)('long_code')\ngpu.launch(\n\n\n'long_code'\n)\n"
    exec(compile(source, "long.py", "exec"), {"gpu": gpu})


@route
def recursion(gpu):
    def descend(left):
        if left == 0:
            return gpu.launch("recursion")
        if left % 3 == 0:
            return [descend(left - 1)][0]
        if left % 7 == 0:
            return list(map(descend, [left - 1]))
        return descend(left - 1)

    for depth in (1, 10, 40):
        descend(depth)


@route
def exception(gpu):
    def fail():
        try:
            raise ValueError
        finally:
            gpu.launch("exception")

    try:
        fail()
    except ValueError:
        gpu.launch("exception")
    else:
        gpu.launch("exception")


@route
def thread(gpu):
    def work(depth):
        gpu.use_here()
        (lambda: gpu.launch("thread"))()
        if depth:
            inner = threading.Thread(target=work, args=(depth - 1,), name="inner")
            inner.start()
            inner.join()

    class Worker(threading.Thread):
        def run(self):
            work(0)

    workers = [threading.Thread(target=work, args=(1,), name="worker-%d" % i) for i in range(3)] + [Worker()]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(work, [0, 0, 0]))


@route
def thread_of_c(gpu):
    """A thread that Python did not start calls into it."""
    @THREAD_BODY
    def body(argument):
        gpu.use_here()
        gpu.launch("thread_of_c")

    handle = ctypes.c_ulong()
    LIBC.pthread_create(ctypes.byref(handle), None, body, None)
    LIBC.pthread_join(handle, None)


@route
def coroutine(gpu):
    async def step(depth):
        gpu.launch("coroutine")
        if depth:
            await asyncio.sleep(0)
            await asyncio.gather(step(depth - 1), step(depth - 1))
            gpu.launch("coroutine")

    async def values():
        for i in range(2):
            gpu.launch("coroutine")
            yield i

    async def main():
        await step(2)
        async for _ in values():
            gpu.launch("coroutine")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()


@route
def signal_handler(gpu):
    signal.signal(signal.SIGUSR1, lambda *_: gpu.launch("signal_handler"))
    os.kill(os.getpid(), signal.SIGUSR1)
    for _ in range(1000):
        pass


@route
def holding_the_gil(gpu):
    gpu.launch("holding_the_gil", CUDA_HOLDING_GIL)
    list(map(lambda i: gpu.launch("holding_the_gil", CUDA_HOLDING_GIL), range(2)))


@route
def busy_neighbour(gpu):
    """While we launch without the GIL, another thread holds it and runs other code."""
    stop = []

    def spin():
        while not stop:
            sum(range(50))

    neighbour = threading.Thread(target=spin)
    neighbour.start()
    for _ in range(50):
        gpu.launch("busy_neighbour")
    stop.append(True)
    neighbour.join()


@route
def at_exit(gpu):
    @atexit.register
    def finish():
        gpu.launch("at_exit")
        gpu.check(CUDA.cuCtxSynchronize())


def main():
    gpu = Gpu(list(ROUTES))
    for name in sys.argv[1:] or ROUTES:
        ROUTES[name](gpu)
    Gpu.check(CUDA.cuCtxSynchronize())


if __name__ == "__main__":
    main()
