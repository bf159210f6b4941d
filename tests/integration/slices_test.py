#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""migprof slices, on simulated machines: what it shows is held against the topology file."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import harness

H200 = "h200-three-2g.json"
NO_PERMISSION, GPU_IS_LOST, VERSION_MISMATCH, DRIVER_NOT_LOADED = 4, 15, 18, 9


class Slices(unittest.TestCase):
    def machine(self, topology=H200, change=None):
        """A run on a shipped topology, changed by `change` if that is given."""
        run = harness.Run(self, topology)
        self.topology = json.loads(run.topology.read_text())
        if change:
            change(self.topology)
            run.topology = run.folder / "topology.json"
            run.topology.write_text(json.dumps(self.topology))
        self.board = run.folder / "processes"
        self.board.mkdir()
        return run

    def slices(self, run, *options, expect=0, **extra):
        extra = {"SIMGPU_PROCESSES": self.board, "LC_ALL": "C.UTF-8", **extra}
        env = run.environment(way=harness.PLAIN, **extra)
        result = subprocess.run([str(harness.BIN / "migprof"), "slices", *options], env=env, cwd=run.folder,
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, expect, result.stdout + result.stderr)
        return result

    def json(self, run, **extra):
        answer = json.loads(self.slices(run, "--json", **extra).stdout)
        validate(answer, run)
        self.assertEqual(answer["schema"], "migprof.slices/1")
        self.assertIs(answer["simulated"], True)
        return answer

    def text(self, run, **extra):
        text = self.slices(run, **extra).stdout
        self.assertTrue(text.startswith("SIMULATED GPU: "), text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100, text)
        return text

    def hold(self, run, device, program=None, mebibytes=16, **extra):
        """Starts a program that keeps a context on `device` until the test ends or `release`."""
        env = run.environment(way=harness.PLAIN, CUDA_VISIBLE_DEVICES=device, SIMGPU_PROCESSES=self.board, **extra)
        process = subprocess.Popen([str(program or harness.BIN / "hold_slice"), str(mebibytes)], env=env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.release, process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def release(self, process):
        process.communicate()

    def instances(self, answer, gpu=0):
        return [(gi, ci) for gi in answer["gpus"][gpu]["gpu_instances"] for ci in gi["compute_instances"]]

    def expect_like_topology(self, answer):
        """Everything that the topology file says and NVML tells, for every instance."""
        self.assertEqual(len(answer["gpus"]), len(self.topology["gpus"]))
        for shown, gpu in zip(answer["gpus"], self.topology["gpus"]):
            self.assertEqual(shown["gpu_uuid"], gpu["uuid"])
            self.assertEqual(shown["gpu_name"], gpu["name"])
            self.assertEqual(shown["mig_mode"], "on" if gpu.get("mig") else "off")
            self.assertEqual(shown["all_in_view"], True if gpu.get("mig") else None)
            expected = sorted(gpu.get("gpu_instances", []), key=lambda gi: gi["placement_start"])
            self.assertEqual(len(shown["gpu_instances"]), len(expected))
            for shown_gi, gi in zip(shown["gpu_instances"], expected):
                self.assertEqual(shown_gi["gpu_instance_id"], gi["id"])
                self.assertEqual(shown_gi["profile"], gi["profile"])
                self.assertEqual(shown_gi["compute_slices"], gi["slices"])
                self.assertEqual(shown_gi["memory_bytes"], gi["memory_mib"] << 20)
                self.assertEqual(shown_gi["placement"], {"start": gi["placement_start"], "size": gi["placement_size"]})
                self.assertEqual(len(shown_gi["compute_instances"]), len(gi["compute_instances"]))
                for shown_ci, ci in zip(shown_gi["compute_instances"], gi["compute_instances"]):
                    self.assertEqual(shown_ci["compute_instance_id"], ci["id"])
                    self.assertEqual(shown_ci["mig_uuid"], ci["uuid"])
                    self.assertEqual(shown_ci["sm_count"], ci["sm_count"])
                    self.assertEqual(shown_ci["compute_slices"], ci["slices"])
                    self.assertEqual(shown_ci["placement"], {"start": ci.get("placement_start", 0), "size": ci["slices"]})
                    self.assertEqual(shown_ci["shares_gpu_instance"], len(gi["compute_instances"]) > 1)
                    self.assertEqual(shown_ci["sharing"], "idle")

    def test_every_shipped_topology_is_shown_as_it_is(self):
        for topology in harness.TOPOLOGIES:
            with self.subTest(topology.name):
                run = self.machine(topology.name)
                self.expect_like_topology(self.json(run))
                text = self.text(run)
                for uuid in harness.slices_of(topology):
                    self.assertIn(uuid, text)

    def test_three_slices_of_an_h200(self):
        run = self.machine()
        gpu = self.json(run)["gpus"][0]
        self.assertEqual((gpu["compute_slices"], gpu["memory_slices"], gpu["uncovered_compute_slices"]), (7, 8, 1))
        text = self.text(run)
        self.assertIn("GPU 0  NVIDIA H200 · MIG on · 3 slices\n", text)
        self.assertIn("Free: 1 of 7 compute slices, and 2 of 8 memory slices (6 and 7).", text)
        self.assertRegex(text, r"2g\.35gb +4/0 +32 +34\.6 GB +0 B +2-3 +0  MIG-5dc1cb9f")

    def test_mig_off(self):
        run = self.machine("two-gpus.json", lambda t: t["gpus"].pop(0))
        gpu = self.json(run)["gpus"][0]
        self.assertEqual((gpu["mig_mode"], gpu["sm_count"], gpu["gpu_instances"], gpu["processes"], gpu["sharing"]),
                         ("off", 132, [], [], "idle"))
        self.assertIn("NVIDIA H200 · MIG off\n", self.text(run))

    def test_mig_on_and_empty(self):
        run = self.machine(H200, lambda t: t["gpus"][0].update(gpu_instances=[]))
        gpu = self.json(run)["gpus"][0]
        self.assertEqual((gpu["mig_mode"], gpu["gpu_instances"], gpu["all_in_view"]), ("on", [], True))
        self.assertIn("There is no slice, so no program can use this GPU.", self.text(run))

    def test_gpu_instance_without_compute_instance(self):
        run = self.machine(H200, lambda t: t["gpus"][0]["gpu_instances"][1].update(compute_instances=[]))
        self.assertEqual(self.json(run)["gpus"][0]["gpu_instances"][1]["compute_instances"], [])
        self.assertRegex(self.text(run), r"2g\.35gb +4 +34\.6 GB +\? +2-3 +no compute instance")

    def test_a_board_without_mig(self):
        def change(topology):
            topology["gpus"][0].update(mig=False, mig_capable=False, gpu_instances=[])
        run = self.machine(H200, change)
        self.assertEqual(self.json(run)["gpus"][0]["mig_mode"], "unsupported")
        self.assertIn("has no MIG", self.text(run))

    def test_pending_modes(self):
        run = self.machine("two-gpus.json", lambda t: [gpu.update(mig_pending=not gpu["mig"]) for gpu in t["gpus"]])
        self.assertEqual([(g["mig_mode"], g["mig_mode_pending"]) for g in self.json(run)["gpus"]],
                         [("on", "off"), ("off", "on")])
        words = " ".join(self.text(run).split())
        self.assertIn("MIG will be off after the next reset of this GPU: sudo nvidia-smi --gpu-reset -i 0", words)
        self.assertIn("MIG will be on after the next reset of this GPU: sudo nvidia-smi --gpu-reset -i 1", words)

    def test_processes_are_shown_while_they_run(self):
        run = self.machine()
        slices = harness.slices_of(run.topology)
        first, second = self.hold(run, slices[1], mebibytes=100), self.hold(run, slices[1], mebibytes=300)
        alone = self.hold(run, slices[2])
        instances = self.instances(self.json(run))
        self.assertEqual([ci["sharing"] for _, ci in instances], ["idle", "time-slicing", "exclusive"])
        by_pid = {process["pid"]: process for process in instances[1][1]["processes"]}
        self.assertEqual(set(by_pid), {first.pid, second.pid})
        self.assertGreaterEqual(by_pid[first.pid]["memory_bytes"], 100 << 20)
        self.assertGreaterEqual(by_pid[second.pid]["memory_bytes"], 300 << 20)
        self.assertEqual(instances[1][0]["memory_used_bytes"], sum(p["memory_bytes"] for p in by_pid.values()))
        self.assertEqual(by_pid[first.pid]["name"], "hold_slice")
        self.assertTrue(by_pid[first.pid]["command_line"].endswith("hold_slice 100"))
        text = self.text(run)
        self.assertIn("time-slicing: 2 processes take turns\n", text)
        self.assertRegex(text, rf"pid {alone.pid} .* hold_slice 16\n")

        self.release(first)
        second.send_signal(signal.SIGKILL)  # cannot say goodbye
        second.wait()
        self.assertEqual([ci["sharing"] for _, ci in self.instances(self.json(run))], ["idle", "idle", "exclusive"])

    def test_processes_of_a_gpu_without_slices(self):
        run = self.machine("two-gpus.json")
        processes = [self.hold(run, self.topology["gpus"][1]["uuid"]) for _ in range(2)]
        gpu = self.json(run)["gpus"][1]
        self.assertEqual(gpu["sharing"], "time-slicing")
        self.assertEqual({process["pid"] for process in gpu["processes"]}, {process.pid for process in processes})
        self.assertEqual({ci["sharing"] for _, ci in self.instances(self.json(run))}, {"idle"})

    def test_several_compute_instances_share_a_gpu_instance(self):
        run = self.machine("shared-gi.json")
        uuid = self.topology["gpus"][0]["gpu_instances"][0]["compute_instances"][1]["uuid"]
        self.hold(run, uuid, mebibytes=50)
        instances = self.instances(self.json(run))
        self.assertEqual([(ci["profile"], ci["shares_gpu_instance"], ci["sharing"]) for _, ci in instances],
                         [("4g.40gb", False, "idle"), ("1c.3g.40gb", True, "idle"), ("2c.3g.40gb", True, "exclusive")])
        self.assertGreaterEqual(instances[1][0]["memory_used_bytes"], 50 << 20)
        self.assertIn("memory shared by 2 compute instances\n", self.text(run))

    def test_mps_is_told_from_time_slicing(self):
        run = self.machine()
        uuid = harness.slices_of(run.topology)[0]
        pipes = run.folder / "mps"
        pipes.mkdir()
        self.hold(run, uuid, CUDA_MPS_PIPE_DIRECTORY=pipes)
        self.hold(run, uuid, CUDA_MPS_PIPE_DIRECTORY=pipes)
        self.assertEqual(self.instances(self.json(run))[0][1]["sharing"], "time-slicing", "no daemon has its pipe there")
        (pipes / "control").touch()
        client = self.hold(run, uuid, CUDA_MPS_PIPE_DIRECTORY=pipes)
        ci = self.instances(self.json(run))[0][1]
        self.assertEqual(ci["sharing"], "mps")
        self.assertEqual([p["pid"] for p in ci["processes"] if p["mps"] == "client"], [client.pid])

    @unittest.skipIf(harness.SANITIZED, "the copy would not find its libraries")
    def test_an_mps_server_is_recognised_by_its_name(self):
        run = self.machine()
        server = run.folder / "nvidia-cuda-mps-server"
        shutil.copy(harness.BIN / "hold_slice", server)
        process = self.hold(run, harness.slices_of(run.topology)[0], program=server)
        ci = self.instances(self.json(run))[0][1]
        self.assertEqual([(p["pid"], p["mps"]) for p in ci["processes"]], [(process.pid, "server")])
        self.assertEqual(ci["sharing"], "mps")

    def test_a_container_with_one_slice_shows_that_slice(self):
        run = self.machine()
        mine, _, other = harness.slices_of(run.topology)
        self.hold(run, other)
        gpu = self.json(run, SIMGPU_VISIBLE_DEVICES=mine)["gpus"][0]
        self.assertEqual([ci["mig_uuid"] for gi in gpu["gpu_instances"] for ci in gi["compute_instances"]], [mine])
        self.assertEqual((gpu["all_in_view"], gpu["uncovered_compute_slices"], gpu["memory_bytes"]), (False, 5, None))
        self.assertEqual(gpu["listing_problem"]["nvml_code"], NO_PERMISSION)
        words = " ".join(self.text(run, SIMGPU_VISIBLE_DEVICES=mine).split())
        self.assertIn("5 of 7 compute slices are not in view: free, or in slices that this user or container may not see.",
                      words)
        self.assertNotIn(other, words)
        inside = self.hold(run, "0", SIMGPU_VISIBLE_DEVICES=mine)
        ci = self.instances(self.json(run, SIMGPU_VISIBLE_DEVICES=mine))[0][1]
        self.assertEqual([process["pid"] for process in ci["processes"]], [inside.pid])

    def test_a_container_with_one_of_several_compute_instances(self):
        run = self.machine("shared-gi.json")
        mine = self.topology["gpus"][0]["gpu_instances"][0]["compute_instances"][0]["uuid"]
        ci = self.instances(self.json(run, SIMGPU_VISIBLE_DEVICES=mine))[0][1]
        self.assertIsNone(ci["shares_gpu_instance"], "the siblings cannot be seen")
        self.assertIn("2 of 3 compute slices not in view", self.text(run, SIMGPU_VISIBLE_DEVICES=mine))

    def test_no_permission(self):
        run = self.machine()
        gpu = self.json(run, SIMGPU_FAULTS="nvml-no-permission")["gpus"][0]
        self.assertEqual(len(gpu["gpu_instances"]), 3)
        self.assertEqual({gi["placement"] for gi in gpu["gpu_instances"]}, {None})
        self.assertIn("Placements are not readable (no permission): they need root",
                      self.text(run, SIMGPU_FAULTS="nvml-no-permission"))
        refused = "nvmlDeviceGetComputeRunningProcesses_v3=4"
        ci = self.instances(self.json(run, SIMGPU_FAULTS=refused))[0][1]
        self.assertEqual((ci["sharing"], ci["processes"]), ("unknown", None))
        self.assertIn("Processes are not readable (no permission).", self.text(run, SIMGPU_FAULTS=refused))

    def test_a_lost_gpu_is_an_answer(self):
        run = self.machine("two-gpus.json")
        faults = "nvmlDeviceGetHandleByIndex_v2:1=15"
        gpus = self.json(run, SIMGPU_FAULTS=faults)["gpus"]
        self.assertEqual(gpus[0]["problem"]["nvml_code"], GPU_IS_LOST)
        self.assertIsNone(gpus[1]["problem"])
        self.assertRegex(self.text(run, SIMGPU_FAULTS=faults), r"GPU 0  name not readable · GPU is lost\n +It fell off the bus")

    def test_a_gpu_lost_at_any_question_is_called_lost(self):
        run = self.machine()
        lost = 0
        for question in range(1, 40):
            gpu = self.json(run, SIMGPU_FAULTS=f"nvml-gpu-lost={question}")["gpus"][0]
            lost += gpu["problem"] is not None
            if not gpu["gpu_instances"]:
                self.assertEqual(gpu["problem"]["nvml_code"], GPU_IS_LOST, question)
        self.assertGreater(lost, 20)

    def test_drivers_that_cannot_be_asked(self):
        run = self.machine()
        for code, words in ((NO_PERMISSION, "no permission"), (DRIVER_NOT_LOADED, "modprobe nvidia"),
                            (VERSION_MISMATCH, "different versions"), (999, "NVML error 999")):
            result = self.slices(run, expect=1, SIMGPU_FAULTS=f"nvmlInit_v2={code}")
            self.assertEqual(result.stdout, "")
            self.assertIn(words, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            answer = json.loads(self.slices(run, "--json", expect=1, SIMGPU_FAULTS=f"nvmlInit_v2={code}").stdout)
            validate(answer, run)
            self.assertEqual(answer["problem"]["nvml_code"], code)

    @unittest.skipIf(any(pathlib.Path(folder, "libnvidia-ml.so.1").exists() for folder in
                         ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
                          "/usr/local/nvidia/lib64", "/run/nvidia/driver/usr/lib/x86_64-linux-gnu")),
                     "there is a real driver")
    def test_no_driver_at_all(self):
        run = self.machine()
        result = self.slices(run, expect=1, LD_LIBRARY_PATH=None)
        self.assertIn("There is no NVIDIA driver here: libnvidia-ml.so.1 was not found.", result.stderr)
        answer = json.loads(self.slices(run, "--json", expect=1, LD_LIBRARY_PATH=None).stdout)
        validate(answer, run)
        self.assertEqual((answer["simulated"], answer["gpus"], answer["problem"]["nvml_code"]), (False, [], None))

    def test_no_gpu(self):
        run = self.machine(H200, lambda t: t.update(gpus=[]))
        self.assertEqual(self.json(run)["gpus"], [])
        self.assertIn("gives this user or container no GPU", self.text(run))

    def test_an_old_driver_tells_less(self):
        run = self.machine()
        old = f"{harness.SIMGPU}/nvml-450"
        gpu = self.json(run, LD_LIBRARY_PATH=old)["gpus"][0]
        self.assertEqual([ci["mig_uuid"] for gi in gpu["gpu_instances"] for ci in gi["compute_instances"]],
                         harness.slices_of(run.topology))
        self.assertIn("(not in this driver's NVML)", self.text(run, LD_LIBRARY_PATH=old))

    def test_output_that_cannot_be_written_is_an_error(self):
        run = self.machine()
        with open("/dev/full", "w") as full:
            result = subprocess.run([harness.BIN / "migprof", "slices"], env=run.environment(way=harness.PLAIN),
                                    stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("stdout", result.stderr)

    def test_colours_only_on_a_terminal(self):
        run = self.machine()
        self.assertNotIn("\033", self.text(run, TERM="xterm"))
        primary, secondary = os.openpty()
        env = run.environment(way=harness.PLAIN, TERM="xterm", LC_ALL="C.UTF-8")
        subprocess.run([str(harness.BIN / "migprof"), "slices"], env=env, stdout=secondary, check=True)
        os.close(secondary)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: that was all
            while part := os.read(primary, 65536):
                shown += part
        os.close(primary)
        self.assertIn(b"\033[1mGPU 0", shown)


def validate(answer, run):
    """Against the published schema, where a validator is installed."""
    try:
        import jsonschema
    except ImportError:
        return
    schema = subprocess.run([str(harness.BIN / "migprof"), "slices", "--schema"], capture_output=True, text=True,
                            env=run.environment(way=harness.PLAIN), check=True).stdout
    jsonschema.validate(answer, json.loads(schema))


if __name__ == "__main__":
    harness.main()
