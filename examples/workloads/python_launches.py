#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Launches kernels from every kind of Python code, on one thread.

usage: python_launches.py [ROUTE...]        all routes by default
"""

import contextlib
import ctypes
import functools
import types

from python_gpu import LIBC, route, run_routes

COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


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


class Name(str):
    """Instances have their characters elsewhere."""


@route
def names_of_a_subclass(gpu):
    """Code whose file and function are named by instances of a subclass of str."""
    for file, name in (("/tmp/of a subclass.py", "named"), ("/tmp/größe.py", "größe"), ("/tmp/файл 😀.py", "файл" * 20)):
        namespace = {"gpu": gpu}
        exec(compile("def f(): gpu.launch('names_of_a_subclass')", Name(file), "exec"), namespace)
        f = namespace["f"]
        renamed = {"co_name": Name(name)}
        if hasattr(f.__code__, "co_qualname"):
            renamed["co_qualname"] = Name("of." + name)
        f.__code__ = f.__code__.replace(**renamed)
        for _ in range(3):
            f()
    gpu.launch("names_of_a_subclass")


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
def exception_in_flight(gpu):
    """Launches while an exception is on its way, and from what is called because of it."""
    class Scope:
        def __enter__(self):
            return self

        def __exit__(self, kind, value, trace):
            gpu.launch("exception_in_flight")
            return kind is KeyError

    class Dies:
        def __del__(self):
            gpu.launch("exception_in_flight")

    def throws(left):
        dies = Dies()
        with Scope():
            if left:
                return throws(left - 1)
            raise (ValueError if dies else None)

    for left in (0, 1, 5):
        try:
            throws(left)
        except ValueError:
            try:
                raise KeyError from None
            except KeyError:
                gpu.launch("exception_in_flight")
            finally:
                with Scope():
                    raise KeyError
            gpu.launch("exception_in_flight")

    def resumed():
        for _ in range(3):
            try:
                yield gpu.launch("exception_in_flight")
            except ValueError:
                gpu.launch("exception_in_flight")
            finally:
                gpu.launch("exception_in_flight")

    waiting = resumed()
    next(waiting)
    waiting.throw(ValueError())
    waiting.close()
    abandoned = resumed()
    next(abandoned)
    del abandoned  # closed by the collector
    try:  # except* does not compile before 3.11
        code = compile("\ntry:\n  raise ExceptionGroup('x', [ValueError(), KeyError()])\n"
                       "except* ValueError:\n  gpu.launch('exception_in_flight')\nexcept* KeyError:\n"
                       "  gpu.launch('exception_in_flight')\n", "groups.py", "exec")
    except SyntaxError:
        return
    exec(code, {"gpu": gpu})


if __name__ == "__main__":
    run_routes()
