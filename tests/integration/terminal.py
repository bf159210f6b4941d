# SPDX-License-Identifier: Apache-2.0
"""migprof top in a terminal, with somebody who types and looks."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

import harness


class Screen:
    """migprof top in a terminal."""

    def __init__(self, test, run, width=120, height=30, **extra):
        self.test = test
        self.primary, secondary = pty.openpty()
        self.secondary = secondary
        self.resize(width, height)
        self.before = termios.tcgetattr(secondary)
        self.received = b""
        self.process = subprocess.Popen([str(harness.BIN / "migprof"), "top", "--interval", "0.2"],
                                        env=test.environment(run, **extra), stdin=secondary, stdout=secondary,
                                        stderr=secondary, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.primary)
        os.close(self.secondary)

    def resize(self, width, height):
        fcntl.ioctl(self.primary, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self):
        while select.select([self.primary], [], [], 0.05)[0]:
            try:
                self.received += os.read(self.primary, 65536)
            except OSError:
                return

    def text(self):
        self.read()
        return self.received.decode(errors="replace")

    def last_frame(self):
        """The last one that was drawn whole."""
        frames = self.text().split("\033[H")
        return frames[-1].removesuffix("\033[J") if frames[-1].endswith("\033[J") else frames[-2] if len(frames) > 1 else ""

    def forget(self):
        self.read()
        self.received = b""

    def type(self, keys):
        os.write(self.primary, keys.encode())

    def wait_for(self, text):
        self.test.wait(repr(text), lambda: text in self.text())

    def wait_for_frame(self, condition):
        self.test.wait("a frame", lambda: condition(self.last_frame()))

    def expect_end(self, status):
        self.test.wait("the end", lambda: self.read() or self.process.poll() is not None)
        if status is not None:
            self.test.assertEqual(self.process.returncode, status)
        self.test.assertIn("\033[?25h\033[?1049l", self.text())
        self.test.assertEqual(termios.tcgetattr(self.secondary), self.before)


def plain(line):
    return re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", line)
