#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Python processes that make others: by fork before and after the first use of CUDA, and by multiprocessing.

usage: python_processes.py fork | spawn | forkserver
"""

import multiprocessing
import os
import sys
import time

from python_gpu import CUDA, Gpu


def use_cuda(launches, rest_seconds=0):
    gpu = Gpu(["work"])
    for _ in range(launches):
        gpu.launch("work")
    list(map(lambda i: gpu.launch("work"), range(2)))
    gpu.check(CUDA.cuCtxSynchronize())
    time.sleep(rest_seconds)
    return gpu


def fork(work):
    """Returns the exit status of a child that does `work`."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        work()
        sys.exit(3)  # runs what is to run at the end
    return os.WEXITSTATUS(os.waitpid(child, 0)[1])


def forks():
    """Children that fork before CUDA is used use it for themselves; later ones must not, and do not."""
    print("early:", fork(lambda: use_cuda(3)))
    gpu = use_cuda(5)
    print("late:", fork(lambda: print("in the late child")))
    gpu.launch("work")
    late = os.fork()
    if late == 0:
        os._exit(4)
    print("late, without an end:", os.WEXITSTATUS(os.waitpid(late, 0)[1]))
    gpu.launch("work")


def main():
    if sys.argv[1] == "fork":
        return forks()
    context = multiprocessing.get_context(sys.argv[1])
    use_cuda(2)
    # Children of a fork server leave by os._exit.
    rest_seconds = 0.5 if sys.argv[1] == "forkserver" else 0
    children = [context.Process(target=use_cuda, args=(count, rest_seconds)) for count in (3, 4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print("ended with:", [child.exitcode for child in children])


if __name__ == "__main__":
    main()
