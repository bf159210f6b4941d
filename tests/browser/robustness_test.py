# SPDX-License-Identifier: Apache-2.0
"""Names that are markup, no scripts, damaged data, another page around it, and no network."""

import json
import pathlib
import unittest

from browser import PICTURES, Browser, BrowserTest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


class HostileNamesTest(BrowserTest):
    def test_names_stay_text(self):
        self.browser.open("hostile.svg")
        title = self.browser.driver.title
        self.assertTrue(title.startswith("migprof — host<&>"), title)
        self.assertEqual(self.browser.run("return document.querySelectorAll('script').length"), 2)
        self.assertEqual(self.browser.run("return document.querySelectorAll('img, image, a, iframe, use').length"), 0)
        # Everything that shows names: tooltip, table, search, cursor, zoom.
        self.browser.press("t")
        for label in ("<img", "]]>", "a;b", "escape"):
            rect = self.browser.rect_of(label)
            ActionChains(self.browser.driver).move_to_element(rect).perform()
            ActionChains(self.browser.driver).click(rect).perform()
            self.browser.settle()
            self.browser.press(Keys.ARROW_UP, Keys.ESCAPE)
        self.browser.search("onerror|script|\\[CDATA")
        self.browser.press(Keys.ESCAPE)
        self.assertEqual(self.browser.driver.title, title)
        self.assertEqual(self.browser.run("return document.querySelectorAll('script').length"), 2)
        self.assertIn("</script><script>", self.browser.text(".mp-top"))

    def test_hostile_fragment_stays_text(self):
        self.browser.open("hostile.svg", "#q=<img src=x onerror=document.title='owned'>")
        self.assertEqual(self.browser.run("return document.querySelectorAll('img').length"), 0)
        self.assertIn("onerror", self.browser.run("return document.querySelector('.mp-input').value"))


class OtherTreesTest(BrowserTest):
    def test_empty_profile_says_so(self):
        self.browser.open("empty.svg")
        self.assertIn("No GPU time was recorded", self.browser.text(".mp-status"))
        self.browser.press(Keys.ARROW_UP, Keys.ENTER, Keys.ESCAPE, "n", "i", "t", "d", "?")

    def test_very_deep_tree_is_drawn_in_part_and_can_be_walked(self):
        self.browser.open("deep.svg")
        rows = 1 + max(frame["row"] for frame in self.browser.frames())
        self.assertEqual(rows, 1000)
        self.assertIn("deeper than 1,000 rows", self.browser.text(".mp-status"))
        deepest = self.browser.run(
            """
            const rects = [...document.querySelectorAll('.mp-frames rect')];
            const rect = rects.reduce((a, b) => (a.drawn.row >= b.drawn.row ? a : b));
            rect.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
            return rect.drawn.row;
            """
        )
        self.browser.settle()
        self.assertGreaterEqual(deepest, 0)
        self.assertIn("of the path left out", self.browser.text(".mp-status"))
        self.assertLessEqual(len(self.browser.frames()), 5000)


class NetworkTest(BrowserTest):
    def test_nothing_is_fetched(self):
        for name in ("all.svg", "hostile.svg", "page.html"):
            self.browser.requested()
            self.browser.open(name)
            # The browser's own first page may still be fetching its icons.
            own = ("about:", "data:", "chrome:", "chrome-untrusted:", "chrome-search:")
            requested = [url for url in self.browser.requested() if not url.startswith(own)]
            self.assertEqual([pathlib.PurePosixPath(url).name for url in requested], [name])


class PageTest(BrowserTest):
    """The viewer as a component of an HTML page with a strict content security policy, twice."""

    def test_two_viewers_do_not_disturb_each_other(self):
        self.browser.open("page.html")
        self.assertEqual(self.browser.run("return document.querySelectorAll('.mp-viewer').length"), 2)
        self.browser.press("i")
        self.assertFalse(self.browser.run("return first.state.icicle || second.state.icicle"))
        self.browser.run("document.querySelector('#second .mp-panel').focus()")
        self.browser.press("i", Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
        self.assertTrue(self.browser.run("return second.state.icicle && second.state.root > 0"))
        self.assertFalse(self.browser.run("return first.state.icicle || first.state.root > 0"))
        self.assertEqual(self.browser.fragment(), "")

    def test_viewer_goes_away_without_trace(self):
        self.browser.open("page.html")
        self.browser.run("first.search('x'); first.zoom(1); first.reset(); first.destroy()")
        self.assertEqual(self.browser.run("return document.querySelector('#first').childElementCount"), 0)
        self.browser.resize(800, 700)
        self.browser.resize(1400, 900)


class SameInBothLanguagesTest(BrowserTest):
    """units.js and frames.js say the same as human_units.cc and frame_kind.cc."""

    def test_numbers_labels_and_colors(self):
        expected = json.loads((PICTURES / "same_in_both_languages.json").read_text(encoding="utf-8"))
        self.browser.open("page.html")
        differences = self.browser.run(
            """
            const { times, percents, labels, colors } = arguments[0];
            const V = migprofViewer;
            const frames = { full: colors.map((c) => c[0]), kinds: colors.map((c) => c[1]) };
            const checks = [
              ...times.map(([ns, text]) => [ns, text, V.humanTime(ns)]),
              ...times.filter(([ns]) => ns < 2 ** 53).map(([ns, , count]) => [ns, count, V.humanCount(ns)]),
              ...percents.map(([part, whole, text]) => [part, text, V.percent(part, whole)]),
              ...labels.map(([name, cells, text]) => [name, text, V.fitLabel(name, cells)]),
              ...colors.map(([name, , text], i) => [name, text, V.colorClass(frames, i)]),
            ];
            return checks.filter(([, cpp, js]) => cpp !== js);
            """,
            expected,
        )
        self.assertEqual(differences, [])


class WithoutScriptsTest(BrowserTest):
    window = {"preferences": {"profile.managed_default_content_settings.javascript": 2}}

    def open(self, name):
        self.browser.driver.get((PICTURES / name).as_uri())

    def test_static_view_is_shown(self):
        for name in ("all.svg", "hostile.svg", "large.svg", "empty.svg", "deep.svg"):
            self.open(name)
            rects = self.browser.driver.find_elements("css selector", ".mp-static rect")
            self.assertGreater(len(rects), 1, name)
            self.assertLess(len(rects), 2100, name)
            self.assertEqual(self.browser.driver.find_elements("css selector", ".mp-viewer"), [])
            self.browser.screenshot(f"static-{pathlib.Path(name).stem}")

    def test_static_view_has_title_health_and_names(self):
        self.open("all.svg")
        texts = [e.text for e in self.browser.driver.find_elements("css selector", ".mp-static > text")]
        self.assertIn("migprof — 3 hosts / 3 GPUs / 4 slices", texts)
        self.assertIn("SIMULATED GPU", texts)
        self.assertTrue(any("31 unmatched · 1,204 dropped · 7 untimed" in text for text in texts))
        self.assertIn("node-a17", texts)


class DamagedTest(unittest.TestCase):
    def test_static_view_stays_when_the_tree_is_damaged(self):
        text = (PICTURES / "all.svg").read_text(encoding="utf-8")
        damages = {
            "version": text.replace('"version":1', '"version":99'),
            "shape": text.replace('"shape":"', '"shape":"!!'),
            "cut": text.replace('"ns":{"ranges":', '"ns":{"ranges":[[9,89]],"old":'),
            "json": text.replace('"headline":{', '"headline":[{'),
        }
        browser = Browser()
        try:
            for name, damaged in damages.items():
                self.assertNotEqual(damaged, text, name)
                (PICTURES / "damaged.svg").write_text(damaged, encoding="utf-8")
                browser.open("damaged.svg")
                self.assertFalse(browser.is_shown(".mp-viewer"), name)
                self.assertTrue(browser.is_shown(".mp-static rect"), name)
                self.assertEqual(len(browser.console()), 1, name)
        finally:
            browser.close()
            (PICTURES / "damaged.svg").unlink()
