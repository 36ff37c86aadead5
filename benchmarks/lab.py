"""The lab's page in Chromium: steps per second of the training alone, then steps and frames while the page plays.

Adam on all 128 samples, two hidden layers. The screen has 60 Hz; frames are counted from the intervals between
animation frames, over four seconds.
"""

from __future__ import annotations

import shutil
import statistics

from playwright.sync_api import Page, sync_playwright

from overtone import lab

STEPS = """(width) => {
  const run = new overtoneLab.Lab({...overtoneLab.DEFAULTS, width});
  run.train(5);
  const begin = performance.now();
  run.train(1e9, begin + 1500);
  return (run.step - 5) / (performance.now() - begin) * 1000;
}"""

FRAMES = """(seconds) => new Promise((done) => {
  const intervals = [], begin = performance.now();
  let last = null;
  const tick = (now) => {
    if (last !== null) intervals.push(now - last);
    last = now;
    if (performance.now() - begin < 1000 * seconds) requestAnimationFrame(tick);
    else done(intervals);
  };
  requestAnimationFrame(tick);
})"""

SECONDS = 4


def while_playing(page: Page, width: int) -> tuple[list[float], float]:
    """Return the intervals between frames in milliseconds and the steps per second while the page trains a network.

    Args:
        page: An empty page of the browser.
        width: Units of each hidden layer.
    """
    page.set_content(lab.page())
    page.evaluate(
        "(width) => { const box = document.querySelector('[name=width]'); box.value = width;"
        " box.dispatchEvent(new Event('change', {bubbles: true})); }",
        width,
    )
    page.wait_for_timeout(500)
    page.click("#play")
    # The first frames compute the prediction, if the page has not had the time, and warm up the compiler.
    page.evaluate(FRAMES, 1)
    before = page.evaluate("overtoneLab.lab.step")
    intervals = page.evaluate(FRAMES, SECONDS)
    steps = page.evaluate("overtoneLab.lab.step") - before
    return intervals, steps / sum(intervals) * 1000


def main() -> list[dict]:
    path = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content(lab.page())
        for width in (64, 128, 256):
            speed = page.evaluate(STEPS, width)
            intervals, steps = while_playing(browser.new_page(), width)
            frames = 1000 / statistics.mean(intervals)
            rows.append(
                {
                    "name": f"{width} units a layer",
                    "ours": f"{speed:.0f}",
                    "unit": "steps/s",
                    "steps/s while playing": f"{steps:.0f}",
                    "steps/frame": f"{steps / frames:.1f}",
                    "frames/s": f"{frames:.1f}",
                    "frames later than 25 ms": f"{statistics.mean(i > 25 for i in intervals):.0%}",
                    "longest frame": f"{max(intervals):.0f} ms",
                }
            )
        browser.close()
    return rows
