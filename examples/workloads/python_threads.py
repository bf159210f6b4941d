#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Launches kernels from whatever runs Python code: threads, event loops, signals, greenlets, debuggers' hooks, the end of the process.

usage: python_threads.py [ROUTE...]        all routes by default
"""

import asyncio
import atexit
import concurrent.futures
import ctypes
import os
import signal
import sys
import threading

from python_gpu import CUDA, CUDA_HOLDING_GIL, LIBC, route, run_routes

THREAD_BODY = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


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
        try:
            for i in range(2):
                gpu.launch("coroutine")
                yield i
        finally:
            gpu.launch("coroutine")

    async def cancelled():
        try:
            await asyncio.sleep(1000)
        finally:
            gpu.launch("coroutine")

    class Scope:
        async def __aenter__(self):
            gpu.launch("coroutine")

        async def __aexit__(self, *error):
            await asyncio.sleep(0)
            gpu.launch("coroutine")

    async def main():
        await step(2)
        async for _ in values():
            gpu.launch("coroutine")
        async with Scope():
            gpu.launch("coroutine")
        [gpu.launch("coroutine") async for _ in values()]
        task = asyncio.ensure_future(cancelled())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        abandoned = values()
        await abandoned.__anext__()
        await abandoned.aclose()

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


@route
def traced_by_a_debugger(gpu):
    """sys.settrace and sys.setprofile are on, and their hooks launch too."""
    launching = []

    def step(left):
        x = left
        gpu.launch("traced_by_a_debugger")
        if left:
            step(left - 1)
        return x

    def hook(frame, event, argument):
        if frame.f_code.co_name == "step" and event in ("call", "return") and not launching:
            launching.append(event)
            gpu.launch("traced_by_a_debugger")
            launching.pop()
        return hook

    for switch in (sys.settrace, sys.setprofile):
        switch(hook)
        try:
            step(2)
        finally:
            switch(None)
        step(1)


@route
def monitored(gpu):
    """PEP 669: instructions are replaced by instrumented ones, and callbacks launch."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return
    launching = []

    def step(left):
        x = [
            gpu.launch("monitored"),
            left,
        ]
        for _ in range(2):
            gpu.launch("monitored")
        return step(left - 1) if left else x

    def hook(code, *details):
        if code is step.__code__ and not launching:
            launching.append(code)
            gpu.launch("monitored")
            launching.pop()

    events = monitoring.events
    wanted = (events.PY_START, events.PY_RETURN, events.LINE, events.CALL, events.INSTRUCTION)
    monitoring.use_tool_id(monitoring.DEBUGGER_ID, "test")
    for event in wanted:
        monitoring.register_callback(monitoring.DEBUGGER_ID, event, hook)
    for on in (events.LINE, events.INSTRUCTION, sum(wanted), 0):
        monitoring.set_events(monitoring.DEBUGGER_ID, on)
        step(2)
    monitoring.free_tool_id(monitoring.DEBUGGER_ID)


@route
def greenlets(gpu):
    """Stacks that are switched under the interpreter. Nothing where the greenlet package is not installed."""
    try:
        import greenlet
    except ImportError:
        print("no greenlet")
        return

    def body(name, depth):
        def nested(left):
            if left:
                return nested(left - 1)
            gpu.launch("greenlets")
            other = greenlet.getcurrent().parent.switch(name)
            gpu.launch("greenlets")
            return other
        for _ in range(3):
            nested(depth)
        return name

    def between(lanes):
        for _ in range(2):
            for lane in lanes:
                lane.switch("go")
                gpu.launch("greenlets")

    lanes = [greenlet.greenlet(body) for _ in range(3)]
    for depth, lane in enumerate(lanes):
        lane.switch("lane", 3 * depth)
        gpu.launch("greenlets")
    (lambda: between(lanes))()  # they go on under another caller
    failing = greenlet.greenlet(lambda: gpu.launch("greenlets"), greenlet.getcurrent())
    failing.switch()

    def raises():
        try:
            greenlet.getcurrent().parent.switch()
        finally:
            gpu.launch("greenlets")

    thrown = greenlet.greenlet(raises)
    thrown.switch()
    try:
        thrown.throw(ValueError)
    except ValueError:
        gpu.launch("greenlets")

    def on_a_thread():
        gpu.use_here()
        inner = greenlet.greenlet(body)
        inner.switch("inner", 5)
        gpu.launch("greenlets")
        inner.switch("go")

    worker = threading.Thread(target=on_a_thread)
    worker.start()
    worker.join()


if __name__ == "__main__":
    run_routes()
