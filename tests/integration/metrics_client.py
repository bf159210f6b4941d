# SPDX-License-Identifier: Apache-2.0
"""Reading metrics: by hand, by promtool, and by a real Prometheus."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request


def needs(program):
    found = shutil.which(program)
    if not found:
        print(f"SKIPPED: {program} is not installed (Debian: prometheus)", file=sys.stderr)
    return unittest.skipUnless(found, f"{program} is not installed")


def get(url, accept=""):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def series(text, name, **wanted):
    """[(labels, value)] of a family in the text format."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match and match[1] == name:
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            if all(labels.get(key) == expected for key, expected in wanted.items()):
                found.append((labels, float(match[3])))
    return found


def value(text, name, **wanted):
    found = series(text, name, **wanted)
    return found[0][1] if found else None


def promtool(test, text):
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    test.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))


@contextlib.contextmanager
def prometheus(run, url):
    """A real server that scrapes `url`; yields the address of its API."""
    target = urllib.parse.urlparse(url).netloc
    config = run.folder / "prometheus.yml"
    config.write_text(f"""
global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}
scrape_configs:
- job_name: migprof
  static_configs: [{{targets: ["{target}"]}}]
""")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with open(run.folder / "prometheus.log", "w") as log:
        server = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={run.folder}/tsdb",
                                   f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            yield f"http://{address}/api/v1/query"
        finally:
            server.terminate()
            server.wait()


def ask(api, query):
    try:
        text = get(f"{api}?{urllib.parse.urlencode({'query': query})}")[1]
    except OSError:
        return []
    return json.loads(text)["data"]["result"]
