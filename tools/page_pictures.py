"""Draw the figures of the documentation's pages: `python tools/page_pictures.py [PAGE...]`, a minute.

The Python blocks of docs/PAGE.md are run in order; what they leave as `figure`, or what is drawn here of what they
leave, is written to docs/img/PAGE.png.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch
from pictures import CHROMIUM, draw
from playwright.sync_api import sync_playwright

from overtone.plots import _style as style

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (
    "compare",
    "points",
    "clouds",
    "scalars",
    "paths",
    "sensitivity",
    "classification",
    "sequences",
    "layers",
    "generators",
    "probes",
    "tutorials/07-any-network-any-data",
)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def low_and_high(names: dict[str, Any]) -> go.Figure:
    """Errors of the low and the high part of labels, as they are and shuffled, over epochs; the middle width."""
    figure = style.canvas()
    kinds = (("true labels", "", "solid"), ("shuffled", "shuffled_", "dot"))
    for (label, prefix, dash), (part, colour) in itertools.product(
        kinds, (("low", style.PREDICTION), ("high", style.RESIDUAL))
    ):
        error = names[f"{prefix}{part}"][:, 1].numpy()
        line = {"color": colour, "dash": dash, "width": 2}
        figure.add_scatter(y=error, name=f"{part} part, {label}", mode="lines+markers", line=line)
    figure.update_xaxes(title_text="epochs of training", dtick=1)
    figure.update_yaxes(title_text="relative error", rangemode="tozero")
    return figure


DRAWN: dict[str, Callable[[dict[str, Any]], go.Figure]] = {"clouds": low_and_high}


def main() -> None:
    """Draw the named pages' figures, or all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        for page in sys.argv[1:] or PAGES:
            names: dict[str, Any] = {"__name__": "page"}
            with (
                tempfile.TemporaryDirectory() as folder,
                contextlib.chdir(folder),
                torch.random.fork_rng(devices=[]),
            ):
                torch.manual_seed(0)
                for code in BLOCK.findall((DOCS / f"{page}.md").read_text(encoding="utf-8")):
                    exec(code, names)  # noqa: S102
            figure = DRAWN[page](names) if page in DRAWN else names["figure"]
            width = 560 if figure.layout.height == 440 else 760
            draw(browser, figure, Path(page).name, width, figure.layout.height)
        browser.close()


if __name__ == "__main__":
    main()
