# SPDX-License-Identifier: Apache-2.0
"""report.html: from the map to the code that wastes a slice's time; keys, phones, hostile names, no network."""

import pathlib

from browser import PICTURES, Browser, BrowserTest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

# Elements wider than the window, and texts that are cut off.
MISFITS = """
  const misfits = document.querySelector('.r-verdict') === null ? ['this is no report'] : [];
  if (document.documentElement.scrollWidth > innerWidth) misfits.push('the page scrolls sideways');
  for (const element of document.querySelectorAll('.r-page *:not(svg *)')) {
    if (element.getClientRects().length === 0 || element.closest('.r-scroll, .r-hidden, .mp-hidden')) continue;
    const box = element.getBoundingClientRect();
    if (box.left < -0.5 || box.right > document.documentElement.clientWidth + 0.5) {
      misfits.push(`outside: ${element.localName} ${element.className}`);
    }
  }
  for (const element of document.querySelectorAll('.r-label, .r-label *, .r-button, .r-tab, .r-badge')) {
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0) misfits.push('cut: ' + element.className);
  }
  return misfits;
"""

WATCH_POLICY = """
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
"""


class ReportTest(BrowserTest):
    window = {"width": 1280, "height": 800}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser.emulate("light")
        cls.browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH_POLICY})

    def tearDown(self):
        self.assertEqual(self.browser.run("return window.violations"), [])
        super().tearDown()

    def heading(self):
        return self.browser.text(".r-detail.r-current h2")

    def selected_tab(self):
        return self.browser.text(".r-current .r-tab[aria-selected=true]")

    def find(self, selector):
        return self.browser.driver.find_element("css selector", selector)

    def test_tables_are_sorted_by_click_and_key(self):
        self.browser.open("report_h200.html")
        names = "return [...document.querySelectorAll('.r-all tbody tr')].map((row) => row.cells[0].textContent)"
        busy = "return [...document.querySelectorAll('.r-all tbody tr')].map((row) => parseFloat(row.cells[2].textContent))"
        sorts = "return [...document.querySelectorAll('.r-all th[scope=col]')].map((head) => head.getAttribute('aria-sort'))"
        before = self.browser.run(names)
        head = self.find(".r-all th:nth-child(3) .r-sort")
        head.click()
        falling = self.browser.run(busy)
        self.assertEqual(falling, sorted(falling, reverse=True))
        self.assertEqual(self.browser.run(sorts)[2], "descending")
        self.assertNotEqual(self.browser.run(names), before)
        head.send_keys(Keys.ENTER)
        self.assertEqual(self.browser.run(busy), falling[::-1])
        self.find(".r-all th:nth-child(1) .r-sort").send_keys(Keys.SPACE)
        self.assertEqual(self.browser.run(names), sorted(before))
        self.assertEqual(self.browser.run(sorts)[:3], ["ascending", None, None])

    def test_times_and_sizes_sort_by_what_they_mean(self):
        self.browser.open("report_h200.html")
        said = ["–", "2 min 5 s", "900 ns", "1.10 µs", "95.0 ms", "1.20 s", "3 h 2 min"]
        self.browser.run("""
            const [said] = arguments;
            const rows = [...document.querySelectorAll('.r-current .r-wide tbody tr')];
            const body = rows[0].parentNode;
            body.replaceChildren(...said.map(() => rows[0].cloneNode(true)));
            [...document.querySelectorAll('.r-current .r-wide tbody tr')].forEach((row, i) => {
              row.cells[1].textContent = said[i];
            });
        """, said)
        self.find(".r-current .r-wide th:nth-child(2) .r-sort").click()
        self.assertEqual(
            self.browser.run("return [...document.querySelectorAll('.r-current .r-wide tbody tr')]"
                             ".map((row) => row.cells[1].textContent)")[:len(said)],
            ["3 h 2 min", "2 min 5 s", "1.20 s", "95.0 ms", "1.10 µs", "900 ns", "–"])

    def test_whole_tables_at_common_widths(self):
        for width in (1280, 1366, 1600):
            self.browser.resize(width, 800)
            self.addCleanup(self.browser.resize, 1280, 800)
            self.browser.open("report_h200.html")
            self.assertLessEqual(*self.browser.run("const box = document.querySelector('.r-all .r-scroll');"
                                                   "return [box.scrollWidth, box.clientWidth + 1]"))

    def test_first_look_answers(self):
        self.browser.open("report_h200.html")
        verdict = self.browser.text("h1")
        self.assertIn("2g.35gb GI 4 wastes its share: busy only 48.0%", verdict)
        self.assertIn("load_batch", verdict)
        bottoms = self.browser.run(
            "return ['h1', '.r-verdict .r-health', '.r-badge', '.r-card', '.r-findings li', '.r-all table']"
            ".map((s) => document.querySelector(s).getBoundingClientRect().bottom)")
        self.assertLess(max(bottoms), 800)
        # Slices are drawn to size, and filled as far as they were busy.
        widths = self.browser.run(
            "return [...document.querySelectorAll('.r-slice, .r-free')].map((e) => e.getBoundingClientRect().width)")
        self.assertEqual(len(widths), 4)
        self.assertAlmostEqual(widths[0] / widths[3], 1, delta=0.35, msg="two of eight memory slices are free")
        filled = self.browser.run(
            "return [...document.querySelectorAll('.r-busy.r-up')].map((e) => Number(e.getAttribute('height')))")
        self.assertEqual(filled, [850, 480, 936])
        # The slice of the verdict is open, with the reason why it was idle.
        self.assertIn("2g.35gb GI 4", self.heading())
        self.assertEqual(self.selected_tab(), "Idle")
        self.assertIn("load_batch (data.py:77)", self.browser.labels())

    def test_map_to_slice_to_flamegraph_to_search_to_idle(self):
        self.browser.open("report_h200.html")
        self.browser.run("document.querySelector('a.r-slice[href=\"#slice-3\"]').click()")
        self.browser.settle()
        self.assertIn("2g.35gb GI 5", self.heading())
        self.assertEqual(self.browser.fragment(), "#slice-3")
        self.assertEqual(self.selected_tab(), "GPU time")
        self.assertEqual(self.browser.run("return document.querySelectorAll('.mp-viewer').length"), 1)
        self.assertIn("Kernel", self.browser.text(".mp-legend"))
        self.browser.search("flash_attention")
        self.assertIn("19.0% matched", self.browser.text(".mp-result"))
        self.browser.run("document.getElementById('flame-2-idle').click()")
        self.browser.settle()
        self.assertEqual(self.browser.fragment(), "#slice-3/idle")
        self.browser.run("document.querySelector('.r-current .r-stage').scrollIntoView()")
        self.browser.click("load_batch")
        self.assertIn("Zoomed to load_batch (data.py:77): 909 ms, 71.0% of all", self.browser.text(".mp-status"))
        self.browser.run("document.getElementById('flame-2-memory').click()")
        self.browser.settle()
        ActionChains(self.browser.driver).move_to_element(self.browser.rect_of("build_model")).perform()
        self.assertIn("15.0 GB (15,032,385,536 bytes)", self.browser.text(".mp-tip"))
        self.assertIn("Allocations", self.browser.text(".mp-tip"))

    def test_back_and_links_return_to_a_slice(self):
        self.browser.open("report_h200.html", "#slice-1/memory")
        self.assertIn("2g.35gb GI 3", self.heading())
        self.assertEqual(self.selected_tab(), "Memory")
        self.browser.run("document.querySelector('a.r-slice[href=\"#slice-2\"]').click()")
        self.assertIn("2g.35gb GI 4", self.heading())
        self.browser.driver.back()
        self.browser.settle()
        self.assertIn("2g.35gb GI 3", self.heading())
        self.assertEqual(self.selected_tab(), "Memory")

    def test_keyboard_alone(self):
        self.browser.open("report_h200.html")
        focused = "return document.activeElement.getAttribute('href') ?? document.activeElement.className"
        self.browser.press(Keys.TAB)  # dark or light
        self.browser.press(Keys.TAB)
        self.assertEqual(self.browser.run(focused), "#slice-1")
        outline = self.browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual(outline, "solid")
        self.browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        self.assertEqual(self.browser.run(focused), "#slice-3")
        self.browser.press(Keys.HOME, Keys.ENTER)
        self.assertIn("2g.35gb GI 3", self.heading())
        self.assertEqual(self.browser.run("return document.activeElement.localName"), "h2")
        self.browser.press(Keys.TAB)
        self.assertIn("r-tab", self.browser.run(focused))
        self.browser.press(Keys.ARROW_RIGHT)
        self.assertEqual(self.selected_tab(), "Idle")
        for _ in range(12):
            self.browser.press(Keys.TAB)
            if "mp-panel" in self.browser.run(focused):
                break
        self.assertIn("mp-panel", self.browser.run(focused))
        self.browser.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
        self.assertIn("Zoomed to", self.browser.text(".mp-status"))
        self.browser.press("/", "c", "u", "d", "a")
        self.assertIn("matched", self.browser.text(".mp-result"))

    def test_dark_is_for_the_whole_page(self):
        self.browser.emulate("light")
        self.browser.open("report_h200.html")
        ground = "return getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(ground)
        self.browser.run("document.querySelector('.mp-viewer [aria-label=Dark]').click()")
        self.browser.settle()
        self.assertNotEqual(self.browser.run(ground), light)
        self.assertEqual(self.browser.attribute(".mp-viewer", "data-theme"), "dark")
        self.browser.run("document.querySelector('.r-tools button').click()")
        self.browser.settle()
        self.assertEqual(self.browser.run(ground), light)
        self.assertEqual(self.browser.attribute(".mp-viewer", "data-theme"), "light")
        self.browser.emulate("dark")
        self.browser.open("report_h200.html")
        self.assertNotEqual(self.browser.run(ground), light)
        self.browser.emulate("light")

    def test_hostile_names_stay_text(self):
        self.browser.open("report_hostile.html")
        title = self.browser.driver.title
        self.assertTrue(title.startswith("migprof — host<&>"), title)
        counts = "return ['script', 'img, iframe, object, embed, image, use'].map((s) => document.querySelectorAll(s).length)"
        self.assertEqual(self.browser.run(counts), [2, 0])
        self.browser.press("t")
        self.browser.search("onerror|script")
        self.browser.open("report_hostile.html", "#slice-1/<img src=x onerror=document.title='owned'>")
        self.browser.open("report_hostile.html", "#slice-99/idle")
        self.assertEqual(self.browser.run(counts), [2, 0])
        self.assertEqual(self.browser.driver.title, title)
        self.assertIn("document.title='owned'", self.browser.text("body"))

    def test_policy_lets_nothing_else_run_or_load(self):
        self.browser.open("report_h200.html")
        self.browser.run(
            """
            const script = document.createElement('script');
            script.textContent = 'document.title = "owned"';
            document.body.append(script);
            const image = document.createElement('img');
            image.src = 'https://example.invalid/x.png';
            document.body.append(image);
            """
        )
        self.browser.settle()
        self.assertNotEqual(self.browser.driver.title, "owned")
        self.assertEqual(sorted(self.browser.run("return window.violations")), ["img-src", "script-src-elem"])
        self.browser.run("window.violations.length = 0")
        self.browser.console()

    def test_nothing_is_fetched(self):
        for name in ("report_h200.html", "report_hostile.html"):
            self.browser.requested()
            self.browser.open(name)
            own = ("about:", "data:", "chrome:", "chrome-untrusted:", "chrome-search:")
            requested = [url for url in self.browser.requested() if not url.startswith(own)]
            self.assertEqual([pathlib.PurePosixPath(url).name for url in requested], [name])

    def test_empty_and_sparse_reports_say_what_is_missing(self):
        self.browser.open("report_empty.html")
        self.assertIn("No GPU activity was recorded", self.browser.text("h1"))
        self.browser.open("report_sample.html")
        idle_tab = ".r-current [id^='flame-'][id$='-idle']"
        self.assertIn("not recorded", self.browser.text(idle_tab))
        self.browser.run("document.querySelector(arguments[0]).click()", idle_tab)
        self.assertIn("is not in its traces", self.browser.text(".r-current .r-stage"))

    def test_million_stacks_stay_small_and_quick(self):
        self.assertLessEqual((PICTURES / "report_million.html").stat().st_size, 5_000_000)
        self.browser.open("report_million.html")
        load = self.browser.run(
            "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd - t.startTime")
        print(f"\nreport of a million stacks: load {load:.0f} ms", flush=True)
        self.assertLess(load, 4000)
        self.assertIn("[smaller frames]", self.browser.text(".r-omissions"))

    def test_fits_every_window(self):
        for scheme in ("light", "dark"):
            self.browser.emulate(scheme)
            for width, height in ((1280, 800), (1920, 1080), (820, 1180), (390, 844)):
                self.browser.resize(width, height)
                for name in ("h200", "fleet", "sample", "hostile", "empty"):
                    self.browser.open(f"report_{name}.html")
                    with self.subTest(report=name, scheme=scheme, width=width):
                        self.assertEqual(self.browser.run(MISFITS), [])
                    self.browser.screenshot(f"report-{name}-{scheme}-{width}")
        self.browser.emulate("light")
        self.browser.resize(1280, 800)


class ReportWithoutScriptsTest(BrowserTest):
    window = {"preferences": {"profile.managed_default_content_settings.javascript": 2}}

    def test_says_everything_but_flamegraphs(self):
        self.browser.driver.get((PICTURES / "report_h200.html").as_uri())
        find = self.browser.driver.find_elements
        self.assertIn("wastes its share", find("css selector", "h1")[0].text)
        self.assertIn("Trace complete", find("css selector", ".r-verdict .r-health")[0].text)
        self.assertEqual(len(find("css selector", ".r-all tbody tr")), 3)
        sections = find("css selector", ".r-detail")
        self.assertEqual([section.is_displayed() for section in sections], [True] * 3)
        self.assertIn("SVG files", find("css selector", ".r-flame")[0].text)
        self.assertEqual(find("css selector", ".mp-viewer"), [])
        self.browser.screenshot("report-static")


class ReportOnPhoneTest(BrowserTest):
    window = {"width": 390, "height": 844, "phone": True}

    def test_tap_on_a_slice_shows_it(self):
        self.browser.open("report_h200.html")
        self.assertEqual(self.browser.run("return innerWidth"), 390)
        self.assertEqual(self.browser.run(MISFITS), [])
        self.browser.run("document.querySelector('a.r-slice[href=\"#slice-1\"]').click()")
        self.browser.settle()
        self.assertIn("2g.35gb GI 3", self.browser.text(".r-detail.r-current h2"))
        heights = self.browser.run(
            "return [...document.querySelectorAll('.r-slice, .r-button, .r-current .r-tab')].map((e) => e.offsetHeight)")
        self.assertGreaterEqual(min(heights), 36)
        self.browser.screenshot("report-phone-slice")
