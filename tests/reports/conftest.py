"""Runs to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports import gallery


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
