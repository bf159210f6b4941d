# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, and what the tests ask a page that shows a flamegraph."""

import json
import os
import pathlib
import shutil
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

PICTURES = pathlib.Path(os.environ["MIGPROF_PICTURES"])
SHOTS = pathlib.Path(os.environ.get("MIGPROF_SCREENSHOTS", PICTURES / "screenshots"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

# Resolves once what was changed is on the screen.
PAINTED = "const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));"


class Browser:
    """One window. `preferences` are Chromium's; `phone` emulates touch and the width of a phone; watching the network
    slows loading down."""

    def __init__(self, width=1400, height=900, preferences=None, phone=False, watch_network=True):
        self.profile = tempfile.mkdtemp(prefix="migprof-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in FLAGS + [f"--user-data-dir={self.profile}", f"--window-size={width},{height}"]:
            options.add_argument(flag)
        options.add_experimental_option("prefs", preferences or {})
        if phone:
            metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        logs = {"browser": "ALL", "performance": "ALL"} if watch_network else {"browser": "ALL"}
        options.set_capability("goog:loggingPrefs", logs)
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(60)
        if not phone:
            self.resize(width, height)

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def resize(self, width, height):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        if self.driver.current_url.startswith("file:"):
            self.settle()

    def emulate(self, scheme="light", media=""):
        # Without motion, so that what was found at a place is still there when it is clicked.
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def open(self, name, fragment=""):
        # A change of the fragment alone would not load the page anew.
        self.driver.get("about:blank")
        self.driver.get((PICTURES / name).as_uri() + fragment)
        self.settle()

    def settle(self):
        self.driver.execute_async_script(PAINTED + "painted().then(arguments[0]);")

    def run(self, script, *values):
        return self.driver.execute_script(script, *values)

    def wait_for(self, selector, text, seconds=3):
        """Gestures are recognised some time after the finger has gone."""
        end = time.monotonic() + seconds
        while text not in self.text(selector) and time.monotonic() < end:
            time.sleep(0.05)
        self.settle()

    def screenshot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))

    def console(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self):
        """Addresses of everything that was asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]

    # What a flamegraph shows.

    def frames(self):
        """[{index, node, row, x, width, above, match, y}] of the frames drawn, in document order."""
        return self.run(
            """
            return [...document.querySelectorAll('.mp-frames rect')].map((rect, index) => ({
              index, node: rect.drawn.node, row: rect.drawn.row, x: rect.drawn.x, width: rect.drawn.width,
              above: rect.classList.contains('mp-above'), match: rect.classList.contains('mp-match'),
              y: Number(rect.getAttribute('y')) }));
            """
        )

    def labels(self):
        return self.run("return [...document.querySelectorAll('.mp-labels text')].map((text) => text.textContent)")

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def attribute(self, selector, name):
        return self.run("return document.querySelector(arguments[0]).getAttribute(arguments[1])", selector, name)

    def is_shown(self, selector):
        return self.run(
            "const e = document.querySelector(arguments[0]); return e !== null && e.getClientRects().length > 0",
            selector,
        )

    def rect_of(self, label):
        """The element of the first frame whose label begins with `label`."""
        return self.run(
            """
            const texts = [...document.querySelectorAll('.mp-labels text')];
            const text = texts.find((t) => t.textContent.startsWith(arguments[0]));
            if (text === undefined) throw new Error('no frame is labelled ' + arguments[0]);
            const box = text.getBoundingClientRect();
            return document.elementFromPoint(box.x + 2, box.y + box.height / 2);
            """,
            label,
        )

    def click(self, label):
        ActionChains(self.driver).click(self.rect_of(label)).perform()
        self.settle()

    def press(self, *keys):
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()
        self.settle()

    def chord(self, modifier, key):
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()
        self.settle()

    def search(self, pattern):
        self.run(
            """
            const input = document.querySelector('.mp-input');
            input.value = arguments[0];
            input.dispatchEvent(new Event('input'));
            """,
            pattern,
        )
        self.settle()

    def fragment(self):
        return self.run("return location.hash")


class BrowserTest(unittest.TestCase):
    """Tests that share one window, and leave no error in its console."""

    window = {}

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser(**cls.window)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def setUp(self):
        self.browser.console()

    def tearDown(self):
        self.assertEqual(self.browser.console(), [])
