"""What the README shows works as it stands there: its commands, one after the other, on a colour photograph."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from tests.cli.calling import ask
from tests.test_docs import ROOT, blocks

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
SECONDS = {"60": "0.4", "120": "0.8"}
"""Budgets of a test in place of those that the page shows."""

SMALL = {"predict": ["--steps", "200"], "compare": ["--seeds", "1", "--processes", "1"]}
"""What makes a verb that takes long by itself a test."""


def shown() -> list[list[str]]:
    block = next(block for block in blocks(PAGE) if "overtone scan" in block.text)
    return [shlex.split(line, comments=True)[1:] for line in block.text.splitlines() if line]


def test_its_commands_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.astronaut()[100:124, 200:224]).save("photo.jpg")
    rows = np.random.default_rng(0).random((60, 2)) * [8, 40]
    lines = "\n".join(f"{r:.2f},{a:.1f},{100 + 30 * r - a:.2f}" for r, a in rows)
    Path("houses.csv").write_text(f"rooms,age,price\n{lines}\n")
    verbs = []
    for words in shown():
        budget = [SECONDS.get(word, word) for word in words]
        answer = ask(*budget, *SMALL.get(words[0], []))
        assert (words, answer.code) == (words, 0), answer.err
        assert "Traceback" not in answer.err
        verbs.append(words[0])
        if words[0] == "predict":
            listed = re.findall(r"^ *([\d.]+) - ([\d.]+) ", answer.out, re.M)
            assert len(listed) > 16
            assert all(high == low for (_, high), (low, _) in itertools.pairwise(listed))
    assert {"scan", "fit", "predict", "compare", "study", "report"} == set(verbs)
    for page in (
        "run/report.html",
        "sine/report.html",
        "both.html",
        "comparison/report.html",
        "houses/report.html",
    ):
        assert Path(page).is_file()
