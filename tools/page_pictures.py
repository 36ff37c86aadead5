"""Draw the figures that pages of the documentation make: `python tools/page_pictures.py [PAGE...]`, a minute.

The Python blocks of docs/PAGE.md are run in order; what they leave as `figure` is written to docs/img/PAGE.png.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from pictures import CHROMIUM, draw
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (
    "paths",
    "sensitivity",
    "classification",
    "sequences",
    "layers",
    "generators",
    "watching",
    "tutorials/07-any-network-any-data",
)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def main() -> None:
    """Draw the named pages' figures, or all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        for page in sys.argv[1:] or PAGES:
            names: dict[str, object] = {"__name__": "page"}
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                for code in BLOCK.findall((DOCS / f"{page}.md").read_text(encoding="utf-8")):
                    exec(code, names)  # noqa: S102
            figure = names["figure"]
            width = 560 if figure.layout.height == 440 else 760  # type: ignore[attr-defined]
            draw(browser, figure, Path(page).name, width, figure.layout.height)  # type: ignore[attr-defined,arg-type]
        browser.close()


if __name__ == "__main__":
    main()
