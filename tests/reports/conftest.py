"""One browser for all page tests, and runs to look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.reports import gallery

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            f"expected a browser to look at pages, got none of {', '.join(NAMES)}; install one of them"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"],
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gallery")
    return {
        "picture": gallery.picture(folder / "picture", 64, steps=500),
        "wide": gallery.picture(folder / "wide", 32, steps=300, speed=20.0, snapshots=False),
        "audio": gallery.audio(folder / "audio", 4000, 0.5),
        "series": gallery.series(folder / "series", 200),
        "volume": gallery.volume(folder / "volume", 12),
    }
