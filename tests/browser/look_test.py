# SPDX-License-Identifier: Apache-2.0
"""Screenshots in every dress, and that nothing is clipped or too small to hit."""

from browser import PICTURES, Browser, BrowserTest
from selenium.webdriver.common.actions import interaction
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.keys import Keys

# Labels that reach out of their frame, texts that are cut off, elements wider than the window.
MISFITS = """
  const misfits = [];
  const rects = [...document.querySelectorAll('.mp-frames rect')].map((rect) => rect.getBoundingClientRect());
  for (const label of document.querySelectorAll('.mp-labels text')) {
    const box = label.getBoundingClientRect();
    const y = box.top + 8;
    const holder = rects.find((r) => r.left <= box.left && box.left <= r.right && r.top <= y && y <= r.bottom);
    if (holder === undefined || box.right > holder.right + 0.5) misfits.push('label ' + label.textContent);
  }
  const texts = 'button, .mp-title, .mp-health, .mp-figures, .mp-result, .mp-status, .mp-legend';
  for (const element of document.querySelectorAll(texts)) {
    if (element.getClientRects().length === 0) continue;
    const box = element.getBoundingClientRect();
    if (box.left < 0 || box.right > innerWidth + 0.5) misfits.push('outside: ' + element.className);
    if (element.scrollWidth > element.clientWidth + 1) misfits.push('cut: ' + element.className);
  }
  return misfits;
"""


class LookTest(BrowserTest):
    def test_views(self):
        browser = self.browser
        for scheme in ("light", "dark"):
            browser.emulate(scheme)
            for width, height in ((1400, 900), (820, 1180), (390, 844)):
                browser.resize(width, height)
                for name in ("all", "slice", "medium", "hostile"):
                    browser.open(f"{name}.svg")
                    with self.subTest(picture=name, scheme=scheme, width=width):
                        self.assertEqual(browser.run(MISFITS), [])
                    browser.screenshot(f"{name}-{scheme}-{width}")
        browser.emulate("light")
        browser.resize(1400, 900)

    def test_states(self):
        browser = self.browser
        for scheme in ("light", "dark"):
            browser.emulate(scheme)
            browser.open("medium.svg")
            browser.search("gemm_kernel_1")
            browser.press("n")
            browser.screenshot(f"state-match-{scheme}")
            browser.open("all.svg")
            browser.click("train_step")
            browser.press(Keys.ARROW_UP, Keys.ARROW_UP)
            browser.screenshot(f"state-cursor-{scheme}")
            browser.press(Keys.ESCAPE, "i", "t")
            browser.screenshot(f"state-icicle-table-{scheme}")
            browser.press("?")
            browser.screenshot(f"state-help-{scheme}")
            browser.press(Keys.ESCAPE)
            browser.search("(")
            browser.screenshot(f"state-bad-search-{scheme}")
        browser.emulate("light")

    def test_print_is_light_and_whole(self):
        browser = self.browser
        browser.emulate("dark")
        browser.open("medium.svg")
        browser.emulate("dark", "print")
        browser.settle()
        self.assertEqual(browser.attribute(".mp-viewer", "data-theme"), "light")
        self.assertFalse(browser.is_shown(".mp-toolbar"))
        browser.screenshot("print")
        browser.emulate("light")

    def test_picture_in_a_page_is_an_image_like_any_other(self):
        page = PICTURES / "image.html"
        page.write_text('<!doctype html><title>image</title><img id="i" src="all.svg" width="900">', encoding="utf-8")
        self.browser.open("image.html")
        self.assertEqual(self.browser.run("return document.getElementById('i').naturalWidth"), 1200)
        self.browser.screenshot("image")


class PhoneTest(BrowserTest):
    window = {"width": 390, "height": 844, "phone": True}

    def touch(self, label, seconds):
        finger = ActionBuilder(self.browser.driver, mouse=PointerInput(interaction.POINTER_TOUCH, "finger"))
        action = finger.pointer_action
        action.move_to(self.browser.rect_of(label)).pointer_down()
        if seconds > 0:
            action.pause(seconds)
        action.pointer_up()
        finger.perform()
        self.browser.settle()

    def test_page_has_the_width_of_the_phone(self):
        self.browser.open("all.svg")
        self.assertEqual(self.browser.run("return innerWidth"), 390)
        self.assertEqual(self.browser.run(MISFITS), [])
        targets = "'.mp-buttons button, .mp-input'"
        heights = self.browser.run(f"return [...document.querySelectorAll({targets})].map((e) => e.offsetHeight)")
        self.assertGreaterEqual(min(heights), 36)

    def test_tap_zooms_and_long_press_explains(self):
        self.browser.open("slice.svg")
        self.touch("train_step", 0.8)
        self.browser.wait_for(".mp-tip", "train_step")
        self.assertIn("train_step (train.py:48)", self.browser.text(".mp-tip"))
        self.assertTrue(self.browser.is_shown(".mp-tip"))
        self.assertEqual(self.browser.fragment(), "")
        self.browser.screenshot("phone-long-press")
        self.touch("train_step", 0)
        self.browser.wait_for(".mp-status", "Zoomed")
        self.assertIn("Zoomed to train_step", self.browser.text(".mp-status"))
        self.browser.screenshot("phone-zoomed")


class ContrastTest(BrowserTest):
    """Every text against what is behind it: at least 4.5 to 1 (WCAG 2, AA)."""

    def test_texts_can_be_read(self):
        script = """
          const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
          const parse = (text) => text.match(/[\\d.]+/g).map(Number);
          const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
          const over = (top, bottom, alpha) => top.map((c, i) => c * alpha + bottom[i] * (1 - alpha));
          const contrast = (a, b) => {
            const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
            return (x + 0.05) / (y + 0.05);
          };
          const ground = parse(getComputedStyle(document.querySelector('.mp-viewer')).backgroundColor).slice(0, 3);
          const behind = (element) => {
            for (let e = element; e !== null; e = e.parentElement) {
              const color = parse(getComputedStyle(e).backgroundColor);
              if (color.length < 4 || color[3] > 0) return color.slice(0, 3);
            }
            return ground;
          };
          const bad = [];
          for (const label of document.querySelectorAll('.mp-labels text')) {
            const box = label.getBoundingClientRect();
            const rect = document.elementFromPoint(box.x + 1, box.y + box.height / 2);
            if (rect?.localName !== 'rect') continue;
            const style = getComputedStyle(rect);
            const fill = over(parse(style.fill).slice(0, 3), ground, Number(style.fillOpacity));
            const ratio = contrast(parse(getComputedStyle(label).fill).slice(0, 3), fill);
            if (ratio < 4.5) bad.push([label.textContent, rect.getAttribute('class'), ratio]);
          }
          for (const e of document.querySelectorAll('.mp-viewer *:not(svg *)')) {
            const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
            if (!own || e.getClientRects().length === 0 || e.disabled || e.closest('.mp-hidden')) continue;
            const ratio = contrast(parse(getComputedStyle(e).color).slice(0, 3), behind(e));
            if (ratio < 4.5) bad.push([e.textContent, e.className, ratio]);
          }
          return bad;
        """
        for scheme in ("light", "dark"):
            self.browser.emulate(scheme)
            self.browser.open("all.svg")
            self.browser.press("t")
            for pattern in ("", "linear|memcpy"):
                self.browser.search(pattern)
                self.browser.click("train_step" if pattern == "" else "node-a17")
                self.assertEqual(self.browser.run(script), [], (scheme, pattern))
        self.browser.emulate("light")
