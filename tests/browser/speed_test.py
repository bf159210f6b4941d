# SPDX-License-Identifier: Apache-2.0
"""The half a million frames of 200,000 stacks in a browser. The limits asserted are generous, for machines differ;
the numbers printed are what counts: 0.2 s to load, 50 ms to zoom."""

import statistics

from browser import PAINTED, BrowserTest

LOAD_LIMIT_MS = 2000
ACTION_LIMIT_MS = 500

# Times an action until it is on the screen, two frames of it (33 ms) being the least that can be measured.
TIME = PAINTED + """
  const done = arguments[arguments.length - 1];
  const timed = async (act) => {
    await painted();
    const start = performance.now();
    act();
    const script = performance.now() - start;
    await painted();
    return [script, performance.now() - start];
  };
"""


class SpeedTest(BrowserTest):
    window = {"watch_network": False}

    def time(self, script):
        return self.browser.driver.execute_async_script(TIME + script)

    def test_half_a_million_frames(self):
        for name in ("large", "large_random"):
            loads = []
            for _ in range(5):
                self.browser.open(f"{name}.svg")
                loads.append(self.browser.run(
                    "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd - t.startTime"))
            zooms = self.time("""
              (async () => {
                const times = [];
                for (let i = 0; i < 10; ++i) {
                  const rects = [...document.querySelectorAll('.mp-frames rect')]
                    .filter((rect) => !rect.drawn.isAncestor && rect.drawn.width > 150 && rect.drawn.width < 1300);
                  if (rects.length === 0) break;
                  const rect = rects[i % rects.length];
                  const click = new MouseEvent('click', { bubbles: true, detail: 1 });
                  times.push(await timed(() => rect.dispatchEvent(click)));
                }
                done(times);
              })();
            """)
            reset = self.time("timed(() => document.querySelector('.mp-buttons button').click()).then(done);")
            search = self.time("""
              const input = document.querySelector('.mp-input');
              input.value = 'gemm_kernel_1';
              timed(() => input.dispatchEvent(new Event('input'))).then(done);
            """)
            frames = len(self.browser.frames())
            data = self.browser.run("return JSON.parse(document.querySelector('.mp-data').textContent).nodes")
            print(
                f"\n{name}.svg: {data} nodes, {frames} drawn; load {statistics.median(loads):.0f} ms; "
                f"zoom {statistics.median(t[0] for t in zooms):.0f} ms of script, "
                f"{statistics.median(t[1] for t in zooms):.0f} ms until painted "
                f"(worst {max(t[1] for t in zooms):.0f}); reset {reset[1]:.0f} ms; search {search[1]:.0f} ms",
                flush=True,
            )
            self.assertLess(statistics.median(loads), LOAD_LIMIT_MS)
            self.assertLess(statistics.median(t[1] for t in zooms), ACTION_LIMIT_MS)
            self.assertLess(max(t[1] for t in zooms + [reset, search]), 4 * ACTION_LIMIT_MS)  # once each, on a busy machine
            self.assertLessEqual(frames, 5000)
            self.assertGreater(data, 500_000)
