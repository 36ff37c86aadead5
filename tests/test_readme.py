"""What the README shows works as it stands there: its commands, one after the other, on a colour photograph."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from tools.readme import commands, jobs, programs, shortened, write_data

from tests.cli.calling import ask
from tests.test_docs import ROOT

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_line_is_found() -> None:
    assert len(commands(PAGE)) == len(re.findall(r"^overtone ", PAGE, re.M)) >= 9
    assert [words[0] for words in jobs(PAGE)] == ["scan", "fit", "verify", "lab"]
    assert programs(PAGE).count("import overtone as ot") == 1
    assert programs(PAGE).rstrip().endswith('ot.report("my-run", "my-run.html")')


def test_the_pair_of_fields_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    assert [ask(*words).code for words in jobs(PAGE) if words[0] == "verify"] == [0]


def test_only_limits_of_time_are_shortened_and_the_page_says_so() -> None:
    assert shortened(["fit", "a.png", "--time", "60", "--out", "60"]) == [
        "fit",
        "a.png",
        "--time",
        "0.6",
        "--out",
        "60",
    ]
    changed = {tuple(words) for words in commands(PAGE) if shortened(words) != words}
    assert changed == {tuple(words) for words in commands(PAGE) if "--time" in words}
    assert "but for the limits of time, of which they take a hundredth" in PAGE


def test_its_commands_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.astronaut()[100:124, 200:224]).save("photo.jpg")
    rows = np.random.default_rng(0).random((60, 2)) * [8, 40]
    lines = "\n".join(f"{r:.2f},{a:.1f},{100 + 30 * r - a:.2f}" for r, a in rows)
    Path("houses.csv").write_text(f"rooms,age,price\n{lines}\n")
    verbs = []
    for words in commands(PAGE):
        answer = ask(*shortened(words))
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
