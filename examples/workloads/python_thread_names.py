#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Launches kernels from threads that `threading` named in every way there is, also while another thread gives them other names.

Prints {thread id: [names it had until its first launch was over]} as JSON, of threads that `threading` started.

usage: python_thread_names.py [ROUTE...]        all routes by default
"""

import _thread
import concurrent.futures
import json
import os
import sys
import threading
import time

from python_gpu import route, run_routes

NAMES = {}
NAME_LOCK = threading.Lock()


def launch(gpu, kernel, names=None):
    """`names`: all that the thread may have had; else the one it has now."""
    gpu.use_here()
    names = names or [threading.current_thread().name]
    gpu.launch(kernel)
    with NAME_LOCK:
        NAMES[threading.get_native_id()] = list(names)


def run(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@route
def given(gpu):
    names = ["worker", "x", "größer", "файл", "λ \U0001f600", "a;b\nc", "n" * 64, "ü" * 64, "\U0001f600" * 64,
             "pt_autograd_thread_with_a_long_name"]
    run(*(threading.Thread(target=lambda: launch(gpu, "given"), name=name) for name in names))


@route
def default(gpu):
    run(*(threading.Thread(target=lambda: launch(gpu, "default")) for _ in range(3)))


@route
def classes(gpu):
    """Instances whose attributes are kept in other ways than those of Thread's."""
    class Plain(threading.Thread):
        def run(self):
            launch(gpu, "classes")

    class Slots(Plain):
        __slots__ = ("one", "two")

        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.one = self.two = 1

    class ManyBefore(Plain):
        def __init__(self, count, **arguments):
            for i in range(count):
                setattr(self, "attribute_%d" % i, i)
            super().__init__(**arguments)

    class Seen(Plain):
        """Its __dict__ is asked for, so that there is one."""
        def run(self):
            vars(self)["another"] = 1
            super().run()

    class Replaced(Plain):
        def run(self):
            self.__dict__ = dict(self.__dict__)
            super().run()

    class Deleted(Plain):
        """A name that was deleted and set again is no longer where the class's other instances have it."""
        def run(self):
            name = self._name
            self.one, self.two = 1, 2
            del self._name, self.one
            self._name = name
            super().run()

    class Other(Plain):
        pass

    class Changing(Plain):
        def run(self):
            self.__class__ = Other
            super().run()

    run(Plain(name="plain"), Slots(name="slots"), ManyBefore(12, name="a dozen before"), ManyBefore(60, name="sixty before"),
        Seen(name="seen"), Replaced(name="replaced"), Deleted(name="deleted"), Changing(name="changing"),
        threading.Timer(0.01, lambda: launch(gpu, "classes")))


@route
def other_names(gpu):
    """Renamed before and after the first launch, by themselves and from outside; from deep below; names that are no plain str."""
    class Text(str):
        pass

    def renamed():
        threading.current_thread().name = "before"
        launch(gpu, "other_names")
        threading.current_thread().name = "after"
        gpu.launch("other_names")

    def deep(left):
        return deep(left - 1) if left else launch(gpu, "other_names")

    def from_outside():
        thread = threading.Thread(target=lambda: launch(gpu, "other_names"), name="inside")
        thread.name = "from outside"
        return thread

    def subclass():
        threading.current_thread()._name = Text("subclass of str")
        launch(gpu, "other_names", [None])

    run(threading.Thread(target=renamed), threading.Thread(target=deep, args=(700,), name="below"), from_outside(),
        threading.Thread(target=subclass))


@route
def pools(gpu):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: launch(gpu, "pools"), range(3)))


@route
def without_a_name(gpu):
    """Threads that `threading` does not know."""
    done = _thread.allocate_lock()
    done.acquire()

    def body():
        gpu.use_here()
        gpu.launch("without_a_name")
        done.release()

    _thread.start_new_thread(body, ())
    done.acquire()


@route
def renamed_meanwhile(gpu):
    """While threads launch for the first time, another renames them without a pause, and uses the memory of names again."""
    names = ["name %d of a thread that is renamed" % i for i in range(8)] + ["ö%d" % i + "x" * i for i in range(40)]

    def rename(threads, stop, pause):
        junk = []
        while not stop:
            for name in names:
                for thread in threads:
                    thread.name = "".join(list(name))  # a new str each time
                junk.append("z" + name[1:])
                if len(junk) > 5:
                    del junk[:]
                if pause is not None:
                    time.sleep(pause)

    for _ in range(int(os.environ.get("NAME_ROUNDS", "3"))):
        for pause in (None, 0.0, 0.0002):
            stop = []
            threads = [threading.Thread(target=launch, args=(gpu, "renamed_meanwhile", names), name=names[0]) for _ in range(8)]
            renamer = threading.Thread(target=rename, args=(threads, stop, pause))
            renamer.start()
            run(*threads)
            stop.append(True)
            renamer.join()


if __name__ == "__main__":
    run_routes()
    json.dump(NAMES, sys.stdout)
