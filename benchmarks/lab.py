"""Training speed of the lab's page in Chromium: full-batch Adam steps per second, 128 samples, two hidden layers."""

from __future__ import annotations

import shutil

from playwright.sync_api import sync_playwright

from overtone import lab

STEPS = """(width) => {
  const run = new overtoneLab.Lab({...overtoneLab.DEFAULTS, width});
  run.train(5);
  const begin = performance.now();
  run.train(1e9, begin + 1500);
  return (run.step - 5) / (performance.now() - begin) * 1000;
}"""


def main() -> list[dict]:
    path = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content(lab.page())
        for width in (64, 128, 256):
            speed = page.evaluate(STEPS, width)
            rows.append({"name": f"{width} units a layer", "ours": f"{speed:.0f}", "unit": "steps/s"})
        browser.close()
    return rows
