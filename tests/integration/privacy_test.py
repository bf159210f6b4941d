#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a trace may not hold, who may read it, and that nothing is written where somebody else wants it."""

import os
import shutil
import stat
import subprocess
import unittest

import harness
from anonymize_test import texts_inside

SECRET = "Zqxwk-secret"
STEPS = "2".zfill(60)  # an argument that no number in a trace looks like


def everything_in(path):
    """A trace as it is and decompressed: the text of all its chunks."""
    return path.read_bytes().decode("latin-1") + harness.Dump(path).text


class Arguments(unittest.TestCase):
    def test_neither_arguments_nor_environment_are_recorded(self):
        run = harness.Run(self)
        run.run("training_loop", "--steps", STEPS, SECRET_TOKEN=SECRET, **{SECRET: "1"})
        (path,) = run.trace_files()
        text = everything_in(path)
        self.assertIn("process_name", text)
        for secret in (SECRET, STEPS, "--steps", "SECRET_TOKEN"):
            self.assertFalse(secret in text, secret)
        run.merge("--format", "json,html")
        (process,) = run.summary()["slices"][0]["processes"]
        self.assertIsNone(process["command_line"])

    def test_arguments_are_recorded_where_that_is_asked_for(self):
        run = harness.Run(self)
        run.run("training_loop", "--steps", STEPS, SECRET_TOKEN=SECRET, MIGPROF_RECORD_ARGS="1")
        (path,) = run.trace_files()
        line = f"{harness.BIN}/training_loop --steps {STEPS}"
        self.assertEqual(harness.Dump(path).facts("process")["command_line"], line)
        self.assertFalse(SECRET in everything_in(path))  # the environment is not asked for
        run.merge("--format", "json,html")
        (process,) = run.summary()["slices"][0]["processes"]
        self.assertEqual(process["command_line"], line)
        self.assertTrue(any(f"--steps {STEPS}" in text for text in texts_inside(run.report / "report.html")))


class Traces(unittest.TestCase):
    def test_traces_are_private_whatever_the_umask(self):
        for umask in (0o000, 0o777):
            with self.subTest(umask=oct(umask)):
                run = harness.Run(self)
                run.traces = run.folder / "deep" / "er" / "traces"
                before = os.umask(umask)
                try:
                    process = run.start("training_loop", "--steps", "2", SIMGPU_LEDGER=None, WORKLOAD_CALLS=None)
                finally:
                    os.umask(before)
                out, err = process.communicate(timeout=60)
                if umask == 0o777 and os.geteuid() != 0:
                    continue  # folders above could not be entered by their own maker
                self.assertEqual(process.returncode, 0, out + err)
                self.assertEqual(stat.S_IMODE(run.traces.stat().st_mode), 0o700)
                self.assertFalse(stat.S_IMODE(run.traces.parent.stat().st_mode) & 0o077)
                (path,) = run.trace_files()
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make links of somebody else")
    def test_somebody_elses_link_is_not_followed(self):
        for owner, below, recorded in ((65534, "", False), (65534, "deep/er", False), (0, "", True)):
            with self.subTest(owner=owner, below=below):
                run = harness.Run(self)
                victim = run.folder / "victim"
                victim.mkdir()
                shared = run.folder / "shared"
                shared.mkdir()
                shared.chmod(0o1777)
                run.traces = shared / "traces"
                run.traces.symlink_to(victim)
                os.lchown(run.traces, owner, owner)
                run.traces /= below
                result = run.run("training_loop", "--steps", "2")
                self.assertEqual(len(list(victim.iterdir())), int(recorded))
                self.assertEqual("link of another user" in result.stderr, not recorded, result.stderr)

    @unittest.skipIf(harness.SANITIZED, "a library built with a sanitizer cannot be preloaded into Python")
    def test_a_hostile_host_name_does_not_lead_out_of_the_folder(self):
        rename = "import os, socket, sys; socket.sethostname('../../x/y'); os.execv(sys.argv[1], sys.argv[1:])"
        command = ["unshare", "--uts", "/usr/bin/python3", "-c", rename]
        if not shutil.which("unshare") or subprocess.run([*command, "/bin/true"], capture_output=True).returncode != 0:
            self.skipTest("the host's name cannot be changed here")
        run = harness.Run(self)
        run.run(shutil.which("unshare"), *command[1:], harness.BIN / "training_loop", "--steps", "2")
        (path,) = run.folder.rglob("*.migtrace")
        self.assertEqual(path.parent, run.traces)
        self.assertTrue(path.name.startswith(".._.._x_y."), path)


class Reports(unittest.TestCase):
    def setUp(self):
        self.run_ = harness.Run(self)
        self.run_.traces.mkdir()

    def trace(self, marker="name"):
        self.run_.run("marked_traces", marker, self.run_.traces, way=harness.PLAIN)

    def outside(self):
        """Every file in the test's folder but the report's and the traces'."""
        return {str(path): path.read_bytes() for path in self.run_.folder.rglob("*")
                if path.is_file() and not path.is_symlink() and self.run_.report not in path.parents}

    def test_hostile_names_do_not_lead_out_of_the_folder(self):
        for name in ("..", "../x", "../../../x", "/tmp/x", "..\\x", "a/b", ".", "", "\n", "-rf", "x" * 5000):
            with self.subTest(name=name[:20]):
                run = self.run_
                run.run("marked_traces", name, run.traces, name, way=harness.PLAIN)
                before = self.outside()
                for options in ((), ("--anonymize",)):
                    run.report = run.folder / f"report-{len(options)}"
                    subprocess.run(["rm", "-r", "-f", run.report], check=True)
                    self.assertFalse(any(str(run.report) in path for path in before))
                    run.merge("--format", "svg,html,folded,json,openmetrics", "--view", "gpu,idle,memory", *options)
                    self.assertEqual(self.outside(), before)
                    self.assertEqual({path.name for path in run.report.iterdir() if path.is_dir()}, {"flamegraphs"})
                    files = [path for path in (run.report / "flamegraphs").iterdir()]
                    self.assertTrue(files and all(path.is_file() and path.suffix == ".svg" for path in files))
                    subprocess.run(["rm", "-r", run.report], check=True)

    def test_links_in_the_folder_are_replaced_and_not_followed(self):
        self.trace()
        run = self.run_
        run.report.mkdir()
        for name in ("summary.json", "report.html.unfinished", "report.html"):
            victim = run.folder / f"victim-{name}"
            victim.write_text("mine")
            (run.report / name).symlink_to(victim)
        run.merge("--format", "json,html")
        for name in ("summary.json", "report.html"):
            self.assertFalse((run.report / name).is_symlink())
            self.assertGreater((run.report / name).stat().st_size, 1000)
        self.assertFalse(os.path.lexists(run.report / "report.html.unfinished"))
        for victim in run.folder.glob("victim-*"):
            self.assertEqual(victim.read_text(), "mine")

    def test_a_linked_folder_of_flamegraphs_is_refused(self):
        self.trace()
        run = self.run_
        victim = run.folder / "victim"
        victim.mkdir()
        run.report.mkdir()
        (run.report / "flamegraphs").symlink_to(victim)
        self.assertIn("cannot be written", run.merge("--format", "svg", expect=1).stderr)
        self.assertEqual(list(victim.iterdir()), [])

    @unittest.skipUnless(os.geteuid() == 0, "only root can make links of somebody else")
    def test_somebody_elses_link_is_not_followed(self):
        self.trace()
        run = self.run_
        victim, shared = run.folder / "victim", run.folder / "shared"
        victim.mkdir()
        shared.mkdir()
        shared.chmod(0o1777)
        run.report = shared / "report"
        run.report.symlink_to(victim)
        os.lchown(run.report, 65534, 65534)
        self.assertIn("cannot be written", run.merge("--format", "json", expect=1).stderr)
        self.assertEqual(list(victim.iterdir()), [])
        os.lchown(run.report, 0, 0)  # one's own is
        run.merge("--format", "json")
        self.assertTrue((victim / "summary.json").exists())


if __name__ == "__main__":
    harness.main()
