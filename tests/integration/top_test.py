#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""migprof top, on simulated machines: its screen, its JSON, and its metrics as a real Prometheus reads them."""

import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import harness
from metrics_client import ask, get, needs, prometheus, promtool, series, value
from terminal import Screen, plain

H200 = "h200-three-2g.json"
GPU_IS_LOST = 15
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
PATIENCE = 60


class Top(unittest.TestCase):
    def machine(self, topology=H200):
        run = harness.Run(self, topology)
        self.topology = json.loads(run.topology.read_text())
        run.topology = run.folder / "topology.json"
        self.cut(run)
        (run.folder / "processes").mkdir()
        return run

    def cut(self, run):
        """Puts self.topology in the place of the machine's, as `mv` does."""
        new = run.folder / "new-topology.json"
        new.write_text(json.dumps(self.topology))
        new.rename(run.topology)

    def environment(self, run, **extra):
        extra = {"SIMGPU_PROCESSES": run.folder / "processes", "LC_ALL": "C.UTF-8", "TERM": "xterm", **extra}
        return run.environment(way=harness.PLAIN, **extra)

    def top(self, run, *options, expect=0, **extra):
        result = subprocess.run([str(harness.BIN / "migprof"), "top", *options], env=self.environment(run, **extra),
                                cwd=run.folder, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, expect, result.stdout + result.stderr)
        return result

    def once(self, run, expect=0, **extra):
        answer = json.loads(self.top(run, "--once", "--json", "--interval", "0.2", expect=expect, **extra).stdout)
        self.validate(answer, run)
        self.assertEqual(answer["schema"], "migprof.top/1")
        return answer

    def validate(self, answer, run):
        with contextlib.suppress(ImportError):
            import jsonschema
            jsonschema.validate(answer, json.loads(self.top(run, "--schema").stdout))

    def hold(self, run, device, mebibytes=16):
        env = self.environment(run, CUDA_VISIBLE_DEVICES=device)
        process = subprocess.Popen([str(harness.BIN / "hold_slice"), str(mebibytes)], env=env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def wait(self, what, condition):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        self.fail(f"waited in vain for {what}")

    @contextlib.contextmanager
    def serving(self, run, *options, **extra):
        """migprof top --openmetrics; yields the URL of the metrics."""
        process = subprocess.Popen([str(harness.BIN / "migprof"), "top", "--interval", "0.2", "--openmetrics",
                                    "127.0.0.1:0", *options], env=self.environment(run, **extra), cwd=run.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            line = process.stderr.readline()
            url = re.search(r"http://\S+/metrics", line)
            if url is None and "libmicrohttpd" in line:
                self.skipTest(line)
            self.assertIsNotNone(url, line)
            self.wait("a sample", lambda: "migprof_sample_timestamp_seconds" in get(url[0])[1])
            yield url[0]
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(out, "", "whoever serves metrics prints no tables")

    # What is shown.

    def test_every_shipped_topology(self):
        for topology in harness.TOPOLOGIES:
            with self.subTest(topology.name):
                run = self.machine(topology.name)
                answer = self.once(run)
                self.assertIs(answer["simulated"], True)
                shown = [s["mig_uuid"] or s["gpu_uuid"] for s in answer["slices"]]
                self.assertEqual(sorted(shown), sorted(harness.slices_of(topology)))

    def test_processes_and_memory(self):
        run = self.machine()
        slices = harness.slices_of(run.topology)
        held = self.hold(run, slices[1], 100)
        by_uuid = {s["mig_uuid"]: s for s in self.once(run)["slices"]}
        self.assertEqual([p["pid"] for p in by_uuid[slices[1]]["processes"]], [held.pid])
        self.assertEqual(by_uuid[slices[1]]["processes"][0]["name"], "hold_slice")
        self.assertGreaterEqual(by_uuid[slices[1]]["memory_used_bytes"], 100 << 20)
        self.assertEqual(by_uuid[slices[0]]["processes"], [])
        text = self.top(run, "--once", "--sort", "memory", "--interval", "0.2").stdout
        self.assertTrue(text.startswith("SIMULATED GPU: "))
        rows = [line for line in text.splitlines() if "2g.35gb" in line]
        self.assertIn(f"{held.pid} hold_slice 100", rows[0])
        self.assertEqual(len(rows), 3)
        used = self.top(run, "--once", "--used", "--interval", "0.2").stdout
        self.assertEqual(sum("2g.35gb" in line for line in used.splitlines()), 1)

    def test_tables_and_json_again_and_again(self):
        run = self.machine()
        for options in ([], ["--json"]):
            process = subprocess.Popen([str(harness.BIN / "migprof"), "top", "--interval", "0.1", *options],
                                       env=self.environment(run), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            lines = [process.stdout.readline() for _ in range(20)]
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0)
            if options:
                times = [json.loads(line)["time_ns"] for line in lines]
                self.assertEqual(times, sorted(set(times)))
            else:
                self.assertGreaterEqual(sum(line.startswith("GPU  SLICE") for line in lines), 2)
                self.assertNotIn("\033", "".join(lines))

    def test_reader_that_goes_away_is_no_failure(self):
        run = self.machine()
        process = subprocess.Popen([str(harness.BIN / "migprof"), "top", "--interval", "0.1"],
                                   env=self.environment(run), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        self.assertEqual(process.stderr.read(), "")
        process.stderr.close()

    def counters(self, run, **extra):
        return [{name: counter and (counter["percent"], counter["suspect"]) for name, counter in s["counters"].items()}
                for s in self.once(run, **extra)["slices"]]

    def test_counters(self):
        run = self.machine()
        for counters in self.counters(run, SIMGPU_FAULTS="gpm-says=73"):
            self.assertEqual(set(counters.values()), {(73, False)})
        for counters in self.counters(run, SIMGPU_FAULTS="gpm-above-100"):
            self.assertEqual(counters["sm_utilization"], (137.5, True), "flagged, and not clamped")
        for counters in self.counters(run, SIMGPU_FAULTS="gpm-nan"):
            self.assertEqual(set(counters.values()), {None})
        text = self.top(run, "--once", "--interval", "0.2", SIMGPU_FAULTS="gpm-above-100").stdout
        self.assertIn("137.5!", text)
        self.assertGreater(self.once(run)["interval_ns"], 100e6)

    def test_boards_without_counters_do_not_make_wait(self):
        run = self.machine("a100-seven-1g.json")
        begin = time.monotonic()
        answer = json.loads(self.top(run, "--once", "--json", "--interval", "30").stdout)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertIsNone(answer["interval_ns"])
        self.assertEqual({s["counter_problem"]["nvml_code"] for s in answer["slices"]}, {3})
        self.assertIn("they need Hopper or later", self.top(run, "--once").stdout)

    # What goes wrong.

    def test_drivers_that_cannot_be_asked(self):
        run = self.machine()
        for code, words in ((4, "no permission"), (9, "modprobe nvidia"), (999, "NVML error 999")):
            for options in (["--once"], []):
                result = self.top(run, *options, expect=1, SIMGPU_FAULTS=f"nvmlInit_v2={code}")
                self.assertIn(words, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1)
            answer = self.once(run, expect=1, SIMGPU_FAULTS=f"nvmlInit_v2={code}")
            self.assertEqual(answer["problem"]["nvml_code"], code)

    @unittest.skipIf(any(pathlib.Path(folder, "libnvidia-ml.so.1").exists() for folder in
                         ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
                          "/usr/local/nvidia/lib64", "/run/nvidia/driver/usr/lib/x86_64-linux-gnu")),
                     "there is a real driver")
    def test_no_driver_at_all(self):
        run = self.machine()
        for options in ([], ["--once"], ["--openmetrics", "127.0.0.1:0"]):
            result = self.top(run, *options, expect=1, LD_LIBRARY_PATH=None)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn("libnvidia-ml.so.1 was not found", result.stderr)
        self.assertIsNone(self.once(run, expect=1, LD_LIBRARY_PATH=None)["problem"]["nvml_code"])

    def test_refused_questions_are_said(self):
        run = self.machine()
        answer = self.once(run, SIMGPU_FAULTS="nvmlDeviceGetComputeRunningProcesses_v3=4")
        self.assertEqual({(s["sharing"], s["processes"]) for s in answer["slices"]}, {("unknown", None)})

    def test_gpu_lost_while_running(self):
        run = self.machine()
        with self.serving(run, SIMGPU_FAULTS="nvml-gpu-lost=1000") as url:
            before = get(url)[1]
            lost = self.wait("the loss", lambda: value(get(url)[1], "migprof_gpu_nvml_error") == GPU_IS_LOST and get(url)[1])
        self.assertIn("migprof_slice_info{", before)
        self.assertNotIn("migprof_slice_info{", lost)
        self.assertIn(self.topology["gpus"][0]["uuid"], lost)

    def test_slice_made_anew_under_the_same_uuid(self):
        run = self.machine()
        uuid = harness.slices_of(run.topology)[0]
        with self.serving(run) as url:
            first = series(get(url)[1], "migprof_slice_info", mig_uuid=uuid)
            seen = value(get(url)[1], "migprof_slice_first_seen_timestamp_seconds", mig_uuid=uuid)
            instance = self.topology["gpus"][0]["gpu_instances"][0]
            instance.update(profile="1g.35gb", slices=1)
            instance["compute_instances"][0].update(slices=1, sm_count=26)
            self.topology["gpus"][0]["gpu_instances"].pop()
            time.sleep(1.1)  # a list is read again after a second at the earliest
            self.cut(run)
            self.wait("the new slice", lambda: series(get(url)[1], "migprof_slice_info", mig_uuid=uuid) != first)
            text = get(url)[1]
        self.assertEqual(series(text, "migprof_slice_info", mig_uuid=uuid)[0][0]["GPU_I_PROFILE"], "1g.35gb")
        self.assertEqual(value(text, "migprof_slice_multiprocessors", mig_uuid=uuid), 26)
        self.assertGreater(value(text, "migprof_slice_first_seen_timestamp_seconds", mig_uuid=uuid), seen)
        self.assertEqual(len(series(text, "migprof_slice_info")), 2)

    # The metrics.

    @needs("promtool")
    def test_promtool_accepts_everything(self):
        for topology in harness.TOPOLOGIES:
            run = self.machine(topology.name)
            self.hold(run, harness.slices_of(topology)[0])
            with self.serving(run) as url:
                for accept in ("", OPENMETRICS):
                    promtool(self, get(url, accept)[1])
        run = self.machine()
        with self.serving(run, SIMGPU_FAULTS="gpm-above-100") as url:
            text = self.wait("counters", lambda: series(t := get(url)[1], "migprof_slice_reading_suspect") and t)
        promtool(self, text)
        self.assertEqual(value(text, "migprof_slice_sm_utilization_ratio"), 1.375)
        run = self.machine()
        with self.serving(run, SIMGPU_FAULTS="nvml-gpu-lost=1000") as url:
            promtool(self, self.wait("the loss", lambda: value(get(url)[1], "migprof_gpu_nvml_error") and get(url)[1]))

    @needs("promtool")
    def test_recorded_runs(self):
        run = harness.Run(self)
        run.run("training_loop")
        run.merge("--format", "openmetrics,json")
        text = (run.report / "metrics.prom").read_text()
        promtool(self, text)
        summary = run.summary()["slices"][0]
        for name, expected in (("kernels_total", summary["kernels"]["count"]),
                               ("kernel_seconds_total", summary["kernels"]["total_ns"] / 1e9),
                               ("launches_total", summary["health"]["launches"]),
                               ("gpu_busy_ratio", summary["busy_ns"] / summary["window_ns"])):
            self.assertAlmostEqual(value(text, "migprof_slice_" + name, mig_uuid=summary["mig_uuid"]), expected, msg=name)
        idle = sum(v for labels, v in series(text, "migprof_slice_idle_seconds_total") if labels["mig_uuid"] == summary["mig_uuid"])
        self.assertAlmostEqual(idle, (summary["window_ns"] - summary["busy_ns"]) / 1e9)
        self.assertEqual(value(text, "migprof_simulated"), 1)
        # The other dialect has times, and can be put into the database of a Prometheus.
        data = run.folder / "data"
        result = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics",
                                 str(run.report / "openmetrics.txt"), str(data)], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        (data / "wal").mkdir()  # without which it will not look
        dump = subprocess.run(["promtool", "tsdb", "dump", str(data)], capture_output=True, text=True).stdout
        self.assertIn("migprof_slice_kernel_seconds_total", dump)

    @needs("prometheus")
    def test_a_real_prometheus_scrapes_it(self):
        run = self.machine()
        uuid = harness.slices_of(run.topology)[1]
        self.hold(run, uuid, 100)
        with self.serving(run) as url, prometheus(run, url) as api:
            query = f'migprof_slice_memory_used_bytes{{mig_uuid="{uuid}"}}'
            found = self.wait("Prometheus", lambda: ask(api, query))
            self.assertGreaterEqual(float(found[0]["value"][1]), 100 << 20)
            labels = found[0]["metric"]
            gpu = self.topology["gpus"][0]
            self.assertEqual((labels["gpu"], labels["UUID"], labels["GPU_I_ID"], labels["GPU_I_PROFILE"], labels["Hostname"]),
                             ("0", gpu["uuid"], str(gpu["gpu_instances"][1]["id"]), "2g.35gb", socket.gethostname()))
            self.assertEqual((labels["compute_instance_id"], labels["simulated"]), ("0", "true"))
            joined = ask(api, "migprof_slice_memory_used_bytes * on(Hostname, UUID, GPU_I_ID) group_left(gpu_name) "
                              "max by (Hostname, UUID, GPU_I_ID, gpu_name) (migprof_slice_info)")
            self.assertEqual({result["metric"]["gpu_name"] for result in joined}, {"NVIDIA H200"})
            self.assertEqual(len(joined), 3)

    def test_http(self):
        run = self.machine()
        with self.serving(run) as url:
            self.assertEqual(get(url)[0], "text/plain; version=0.0.4; charset=utf-8")
            kind, text = get(url, OPENMETRICS)
            self.assertEqual(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.assertTrue(text.endswith("# EOF\n"))
            self.assertIn("/metrics", get(url[:-len("metrics")])[1])
            for path, method, status in (("/other", "GET", 404), ("/metrics", "POST", 405), ("/metrics", "DELETE", 405)):
                with self.assertRaises(urllib.error.HTTPError) as error:
                    urllib.request.urlopen(urllib.request.Request(urllib.parse.urljoin(url, path), method=method), timeout=20)
                self.assertEqual(error.exception.code, status)
                error.exception.close()
            host = urllib.parse.urlparse(url)
            # Clients that begin and say no more, and one that talks nonsense, hinder nobody.
            idle = [socket.create_connection((host.hostname, host.port)) for _ in range(10)]
            for client in idle:
                client.send(b"GET /met")
            idle[0].send(b"\0\xff" * 20000)
            begin = time.monotonic()
            self.assertIn("migprof_slice_info", get(url)[1])
            self.assertLess(time.monotonic() - begin, 5)
            for client in idle:
                client.close()

    def test_trickling_clients_hold_nobody_up(self):
        run = self.machine()
        with self.serving(run) as url:
            host = urllib.parse.urlparse(url)
            # From several addresses, and each says a byte now and then: neither a limit per address nor a timeout of
            # silence ends them.
            clients = [socket.create_connection((host.hostname, host.port), source_address=(f"127.0.0.{2 + i % 4}", 0))
                       for i in range(32)]
            done = threading.Event()

            def trickle():
                while not done.wait(0.05):
                    for client in clients:
                        with contextlib.suppress(OSError):
                            client.send(b"x")

            for client in clients:
                client.send(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            thread = threading.Thread(target=trickle)
            thread.start()
            try:
                for _ in range(3):
                    begin = time.monotonic()
                    self.assertIn("migprof_slice_info", get(url)[1])
                    self.assertLess(time.monotonic() - begin, 5)
            finally:
                done.set()
                thread.join()
                for client in clients:
                    client.close()

    def test_addresses(self):
        run = self.machine()
        if "is no address" not in (said := self.top(run, "--openmetrics", "nonsense", expect=1).stderr):
            self.assertIn("libmicrohttpd", said)
            self.skipTest(said)
        for address in ("nonsense", "::1:9464", "127.0.0.1:99999"):
            self.assertIn("is no address", self.top(run, "--openmetrics", address, expect=1).stderr)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assertIn("Address already in use", self.top(run, "--openmetrics", address, expect=1).stderr)
        process = subprocess.Popen([str(harness.BIN / "migprof"), "top", "--openmetrics", "0.0.0.0:0"],
                                   env=self.environment(run), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.assertIn("WARNING: everybody who reaches 0.0.0.0:", process.stderr.readline())
        process.terminate()
        process.communicate(timeout=PATIENCE)

    # The screen.

    def test_screen(self):
        run = self.machine()
        self.hold(run, harness.slices_of(run.topology)[2], 64)
        screen = Screen(self, run)
        screen.wait_for("hold_slice 64")
        text = screen.text()
        self.assertIn("\033[?1049h", text)
        self.assertIn("SIMULATED GPU", text)
        self.assertIn("q quit", text)
        self.assertIn("by slice", text)
        screen.forget()
        screen.type("m")
        screen.wait_for("by memory")
        rows = re.findall(r"2g\.35gb +(\d)/0", screen.last_frame())
        self.assertEqual(rows[0], "5", "the slice in use is on top")
        screen.type("i")
        screen.wait_for("2 idle hidden")
        screen.resize(40, 12)
        screen.wait_for_frame(lambda frame: frame and max(len(plain(line)) for line in frame.splitlines()) <= 40)
        screen.type("q")
        screen.expect_end(0)

    def test_screen_is_given_back_whatever_ends_it(self):
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGSEGV", "SIGABRT"):
            with self.subTest(name):
                screen = Screen(self, self.machine())
                screen.wait_for("q quit")
                screen.process.send_signal(getattr(signal, name))
                deadly = name in ("SIGSEGV", "SIGABRT")
                if deadly and harness.SANITIZED:
                    screen.expect_end(None)
                else:
                    screen.expect_end(-getattr(signal, name) if deadly else 0)

    def test_ctrl_c_typed(self):
        screen = Screen(self, self.machine())
        screen.wait_for("q quit")
        screen.type("\003")
        screen.expect_end(0)

    def test_no_colour(self):
        run = self.machine()
        screen = Screen(self, run, NO_COLOR="1")
        screen.wait_for("2g.35gb")
        self.assertNotRegex(screen.text(), r"\033\[\d*m")
        screen.type("q")
        screen.expect_end(0)


if __name__ == "__main__":
    harness.main()
