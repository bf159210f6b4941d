#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_tests.py PICTURES [TEST…]: the browser tests, on the pictures that draw_pictures made there. Screenshots go to
PICTURES/screenshots. Exits 77, which ctest shows as skipped, where there is no browser."""

import os
import pathlib
import shutil
import sys
import unittest

SKIPPED = 77


def main():
    missing = []
    try:
        import selenium  # noqa: F401
    except ImportError:
        missing.append("python3-selenium")
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        missing.append("chromium")
    if not shutil.which("chromedriver"):
        missing.append("chromium-driver")
    if missing:
        print("skipped: install " + ", ".join(missing))
        return SKIPPED
    os.environ["MIGPROF_PICTURES"] = str(pathlib.Path(sys.argv[1]).resolve())
    sys.dont_write_bytecode = True
    here = pathlib.Path(__file__).parent
    sys.path.insert(0, str(here))
    loader = unittest.defaultTestLoader
    names = sys.argv[2:]
    tests = loader.loadTestsFromNames(names) if names else loader.discover(str(here), "*_test.py")
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
