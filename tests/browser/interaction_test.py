# SPDX-License-Identifier: Apache-2.0
"""Zoom, search, keys and the address of the viewer in an SVG file."""

from browser import BrowserTest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


class ZoomTest(BrowserTest):
    def setUp(self):
        super().setUp()
        self.browser.open("all.svg")

    def test_first_view_draws_every_frame_that_is_wide_enough(self):
        frames = self.browser.frames()
        self.assertEqual(frames[0]["node"], 0)
        self.assertGreater(len(frames), 50)
        self.assertTrue(all(frame["width"] > 0.5 for frame in frames))
        self.assertIn("too narrow to draw", self.browser.text(".mp-status"))

    def test_hidden_and_drawn_frames_are_all_there_are(self):
        drawn = len(self.browser.frames())
        hidden, all_frames = [int(word) for word in self.browser.text(".mp-status").split() if word.isdigit()][:2]
        self.assertEqual(drawn + hidden, all_frames)

    def test_click_zooms_and_keeps_the_path(self):
        self.browser.click("MIG 3g.40gb")
        frames = self.browser.frames()
        above = [frame for frame in frames if frame["above"]]
        self.assertEqual(len(above), 3)  # all, host, GPU
        width = frames[0]["width"]
        self.assertTrue(all(frame["width"] == width for frame in above))
        gpu = "GPU NVIDIA H100 80GB HBM3 (GPU-1a2b3c4d) [simulated]"
        self.assertEqual(self.browser.labels()[:3], ["all", "node-a17", gpu])
        self.assertNotIn("tritonserver", " ".join(self.browser.labels()))
        self.assertIn("Zoomed to MIG 3g.40gb", self.browser.text(".mp-status"))

    def test_click_on_the_path_zooms_out_to_it(self):
        self.browser.click("MIG 3g.40gb")
        self.browser.click("node-a17")
        self.assertEqual(len([frame for frame in self.browser.frames() if frame["above"]]), 1)
        self.assertIn("Zoomed to node-a17", self.browser.text(".mp-status"))

    def test_zoom_shows_what_was_too_narrow(self):
        self.assertFalse([label for label in self.browser.labels() if label.startswith("[stack")])
        self.browser.click("tritonserver")
        self.assertTrue([label for label in self.browser.labels() if label.startswith("[stack")])

    def test_escape_button_and_double_click_reset(self):
        for reset in ("escape", "zero", "button", "double-click"):
            with self.subTest(reset):
                self.browser.click("MIG 3g.40gb")
                self.assertNotEqual(self.browser.fragment(), "")
                if reset == "escape":
                    self.browser.press(Keys.ESCAPE)
                elif reset == "zero":
                    self.browser.press("0")
                elif reset == "button":
                    self.browser.run("document.querySelector('[aria-label=\"Reset zoom\"]').click()")
                else:
                    ActionChains(self.browser.driver).double_click(self.browser.rect_of("train.py")).perform()
                self.browser.settle()
                self.assertEqual(self.browser.fragment(), "")
                self.assertFalse(any(frame["above"] for frame in self.browser.frames()))

    def test_tooltip_says_what_is_known_of_a_frame(self):
        self.browser.click("MIG 3g.40gb")
        ActionChains(self.browser.driver).move_to_element(self.browser.rect_of("cutlass::Kernel2")).perform()
        tooltip = self.browser.text(".mp-tip")
        self.assertIn("cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_128x64_32x6_nn_align8::Params", tooltip)
        self.assertIn("Kernel", tooltip)
        self.assertIn("3.14 s (3,140,000,000 ns)", tooltip)
        self.assertIn("Of this view", tooltip)
        self.assertIn("Of all", tooltip)
        self.assertIn("Self", tooltip)
        self.assertIn("8,192", tooltip)
        ActionChains(self.browser.driver).move_to_element(self.browser.rect_of("at::native::linear")).perform()
        self.assertIn("libtorch_cpu.so", self.browser.text(".mp-tip"))
        self.assertIn("0 ns", self.browser.text(".mp-tip"))

    def test_tooltip_says_where_a_function_is_and_whether_it_was_inlined(self):
        self.browser.open("sources.svg")
        ActionChains(self.browser.driver).move_to_element(self.browser.rect_of("Outer")).perform()
        self.assertIn("Native code · libapp.so · /src/outer.cc:12", self.browser.text(".mp-tip"))
        ActionChains(self.browser.driver).move_to_element(self.browser.rect_of("Inner")).perform()
        self.assertIn("Native code, inlined · libapp.so · /src/inner.h:3", self.browser.text(".mp-tip"))

    def test_narrow_frames_are_a_crumb_that_explains_and_zooms(self):
        crumb = self.browser.run("return document.querySelector('.mp-crumbs')")
        self.assertEqual(self.browser.run("return arguments[0].getAttribute('d')", crumb), "")
        self.browser.open("large.svg")  # crumbs wide enough to hit
        x, y = self.browser.run(
            """
            const path = document.querySelector('.mp-crumbs');
            const widest = path.getAttribute('d').split('M').slice(1)
              .map((part) => part.match(/^([\\d.]+) ([\\d.]+)H([\\d.]+)/).slice(1).map(Number))
              .reduce((a, b) => (b[2] - b[0] > a[2] - a[0] ? b : a));
            const box = path.ownerSVGElement.getBoundingClientRect();
            return [box.left + (widest[0] + widest[2]) / 2, box.top + widest[1] + 9];
            """
        )
        actions = ActionChains(self.browser.driver)
        actions.w3c_actions.pointer_action.move_to_location(int(x), int(y))
        actions.perform()
        self.assertIn("too narrow to draw", self.browser.text(".mp-tip"))
        ActionChains(self.browser.driver).click().perform()
        self.browser.settle()
        self.assertIn("Zoomed to", self.browser.text(".mp-status"))

    def test_tooltip_stays_inside_the_window(self):
        for label in ("CaptureGraph", "all", "[me"):
            ActionChains(self.browser.driver).move_to_element(self.browser.rect_of(label)).perform()
            box = self.browser.run("const b = document.querySelector('.mp-tip').getBoundingClientRect();"
                                   "return [b.left, b.top, b.right - innerWidth, b.bottom - innerHeight]")
            self.assertGreaterEqual(min(box[:2]), 0, label)
            self.assertLessEqual(max(box[2:]), 0, label)

    def test_drawing_follows_the_width_of_the_window(self):
        before = self.browser.frames()[0]["width"]
        self.browser.resize(900, 900)
        self.browser.settle()
        after = self.browser.frames()[0]["width"]
        self.browser.resize(1400, 900)
        self.assertAlmostEqual(before - after, 500, delta=20)

    def test_icicle_turns_the_picture_over(self):
        by_row = {frame["row"]: frame["y"] for frame in self.browser.frames()}
        self.assertGreater(by_row[0], by_row[5])
        self.browser.press("i")
        by_row = {frame["row"]: frame["y"] for frame in self.browser.frames()}
        self.assertLess(by_row[0], by_row[5])
        self.assertEqual(self.browser.fragment(), "#i=1")

    def test_dark_follows_the_system_until_chosen(self):
        self.assertEqual(self.browser.attribute(".mp-viewer", "data-theme"), "light")
        self.browser.emulate("dark")
        self.browser.settle()
        self.assertEqual(self.browser.attribute(".mp-viewer", "data-theme"), "dark")
        self.browser.press("d")
        self.assertEqual(self.browser.attribute(".mp-viewer", "data-theme"), "light")
        self.assertEqual(self.browser.fragment(), "#d=0")
        self.browser.emulate("light")


class SearchTest(BrowserTest):
    def setUp(self):
        super().setUp()
        self.browser.open("all.svg")

    def test_matched_share_and_time(self):
        self.browser.search("memcpy")
        # Two slices: 318 + 636 ms of 10.87 s. cudaMemcpyAsync and the copy inside it count once.
        self.assertIn("8.8% matched · 954 ms", self.browser.text(".mp-result"))
        self.assertTrue(any(frame["match"] for frame in self.browser.frames()))

    def test_nested_matches_count_once(self):
        self.browser.search(".")
        self.assertIn("100% matched", self.browser.text(".mp-result"))

    def test_share_of_the_view_is_told_when_zoomed(self):
        self.browser.click("MIG 3g.40gb")
        self.browser.search("memcpy")
        self.assertIn("of this view", self.browser.text(".mp-result"))

    def test_case_is_matched_on_demand(self):
        self.browser.search("MEMCPY")
        self.assertIn("8.8% matched", self.browser.text(".mp-result"))
        self.browser.run("document.querySelector('.mp-case').click()")
        self.assertEqual(self.browser.text(".mp-result"), "No frame matches")
        self.assertEqual(self.browser.attribute(".mp-case", "aria-pressed"), "true")

    def test_bad_expression_is_said_and_not_thrown(self):
        self.browser.search("(cutlass")
        self.assertIn("Not a regular expression: Unterminated group", self.browser.text(".mp-result"))
        self.assertEqual(self.browser.attribute(".mp-input", "aria-invalid"), "true")
        self.browser.search("cutlass")
        self.assertIn("matched", self.browser.text(".mp-result"))

    def test_keys_open_the_search_and_walk_the_matches(self):
        self.browser.press("/")
        self.browser.press("softmax")
        self.assertIn("2.4% matched", self.browser.text(".mp-result"))
        self.browser.press(Keys.ENTER)
        self.assertIn("1 of 2", self.browser.text(".mp-result"))
        self.assertIn("softmax_fwd", self.browser.text(".mp-tip"))
        self.browser.press(Keys.ESCAPE)
        self.assertEqual(self.browser.text(".mp-result"), "")
        self.browser.press(Keys.ESCAPE)  # leaves the field; a Ctrl+F inside it is the browser's own
        self.browser.chord(Keys.CONTROL, "f")
        self.browser.press("softmax", Keys.ARROW_DOWN, "n", "n")
        self.assertIn("2 of 2", self.browser.text(".mp-result"))
        self.browser.press("n")
        self.assertIn("1 of 2", self.browser.text(".mp-result"))
        self.browser.press("N")
        self.assertIn("2 of 2", self.browser.text(".mp-result"))

    def test_matches_too_narrow_to_draw_colour_their_crumb(self):
        self.browser.open("medium.svg")
        paths = "return [...document.querySelectorAll('.mp-crumbs')].map((path) => path.getAttribute('d').length)"
        plain, matching = self.browser.run(paths)
        self.assertEqual(matching, 0)
        self.browser.search("gemm_kernel")
        still_plain, matching = self.browser.run(paths)
        self.assertGreater(matching, 0)
        self.assertEqual(still_plain + matching, plain)

    def test_next_match_zooms_until_it_can_be_seen(self):
        self.browser.search("VectorAdd")
        self.browser.press("n")
        self.assertIn("VectorAdd", self.browser.labels())
        self.assertTrue([frame for frame in self.browser.frames() if frame["match"]][0]["width"] > 3)


class KeyboardTest(BrowserTest):
    def setUp(self):
        super().setUp()
        self.browser.open("all.svg")

    def cursor(self):
        return self.browser.text(".mp-panel [role=treeitem]").split(",")[0]

    def test_arrows_walk_the_tree(self):
        self.browser.press(Keys.ARROW_UP)
        self.assertEqual(self.cursor(), "all")
        self.browser.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP)
        self.assertTrue(self.cursor().startswith("MIG 3g.40gb"))  # the heavier of two
        self.browser.press(Keys.ARROW_LEFT)
        self.assertTrue(self.cursor().startswith("MIG 1g.10gb"))
        self.browser.press(Keys.ARROW_RIGHT)
        self.assertTrue(self.cursor().startswith("MIG 3g.40gb"))
        self.browser.press(Keys.ARROW_DOWN)
        self.assertTrue(self.cursor().startswith("GPU NVIDIA H100"))
        self.assertEqual(self.browser.attribute(".mp-cursor", "visibility"), "visible")

    def test_arrows_follow_the_picture_when_it_is_turned_over(self):
        self.browser.press("i", Keys.ARROW_DOWN, Keys.ARROW_DOWN)
        self.assertEqual(self.cursor(), "node-a17")

    def test_enter_zooms_to_the_cursor(self):
        self.browser.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ENTER)
        self.assertIn("Zoomed to node-a17", self.browser.text(".mp-status"))

    def test_tab_reaches_search_buttons_and_chart(self):
        reached = []
        for _ in range(9):
            self.browser.press(Keys.TAB)
            reached.append(self.browser.run(
                "const e = document.activeElement; return e?.getAttribute('aria-label') || e?.localName || ''"))
        self.assertIn("Search frames by regular expression", reached)
        self.assertIn("Icicle", reached)
        self.assertIn("Help", reached)
        self.assertTrue(any(name.startswith("Flamegraph.") for name in reached))

    def test_help_opens_holds_the_focus_and_closes(self):
        self.browser.press("?")
        self.assertTrue(self.browser.is_shown(".mp-help"))
        self.browser.press(Keys.TAB)
        self.assertEqual(self.browser.run("return document.activeElement.textContent"), "Close")
        self.browser.press(Keys.ESCAPE)
        self.assertFalse(self.browser.is_shown(".mp-help"))

    def test_table_of_top_frames_is_there_unseen_and_shown_on_demand(self):
        self.assertIn("cutlass::Kernel2", self.browser.text(".mp-top table"))
        self.assertIn("mp-hidden", self.browser.attribute(".mp-top", "class"))
        self.browser.press("t")
        self.assertNotIn("mp-hidden", self.browser.attribute(".mp-top", "class"))
        self.assertIn("7.15 s", self.browser.text(".mp-top tbody tr"))


class AddressTest(BrowserTest):
    def test_address_restores_what_was_shown(self):
        self.browser.open("all.svg")
        self.browser.click("MIG 1g.10gb")
        self.browser.search("cutlass|[a-z]+_fwd")
        self.browser.press(Keys.TAB)
        self.browser.run("document.querySelector('.mp-case').click()")
        self.browser.run("document.activeElement?.blur()")
        self.browser.press("i", "d")
        fragment = self.browser.fragment()
        shown = (self.browser.frames(), self.browser.text(".mp-result"))
        for name in ("all.svg", "slice.svg"):  # the path has the same id in the picture of the slice alone
            self.browser.open(name, fragment)
            self.assertIn("Zoomed to MIG 1g.10gb", self.browser.text(".mp-status"))
        self.browser.open("all.svg", fragment)
        self.assertEqual((self.browser.frames(), self.browser.text(".mp-result")), shown)
        self.assertEqual(self.browser.fragment(), fragment)
        self.assertEqual(self.browser.attribute(".mp-viewer", "data-theme"), "dark")
        self.assertEqual(self.browser.attribute(".mp-case", "aria-pressed"), "true")

    def test_back_button_undoes_a_zoom(self):
        self.browser.open("all.svg")
        self.browser.click("MIG 1g.10gb")
        self.browser.click("train_step")
        self.browser.driver.back()
        self.browser.settle()
        self.assertIn("Zoomed to MIG 1g.10gb", self.browser.text(".mp-status"))

    def test_unknown_address_shows_everything(self):
        for fragment in ("#z=3-0000000000000000", "#z=%00%ff", "#q=(", "#nonsense", "#z=999999999999-deadbeefdeadbeef"):
            self.browser.open("all.svg", fragment)
            self.assertFalse(any(frame["above"] for frame in self.browser.frames()), fragment)
