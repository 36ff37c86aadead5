"""`overtone lab` writes the page, opens it, and says where it is."""

from __future__ import annotations

import json
import re
import webbrowser
from pathlib import Path

import numpy as np
import pytest

from tests.cli.calling import call  # noqa: F401


def test_out_writes_the_page_and_opens_nothing(call, monkeypatch):  # noqa: F811
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail(f"opened {address}"))
    answer = call("lab", "--out", "page/lab.html")
    assert answer.code == 0
    assert Path(answer.out.strip()) == Path("page/lab.html").resolve()
    assert Path("page/lab.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("possible", "sentence"),
    [(True, "The lab is open in the browser: "), (False, "No browser could be opened.")],
)
def test_it_opens_the_page_or_says_where_it_is(call, monkeypatch, possible, sentence):  # noqa: F811
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or possible)
    answer = call("lab")
    assert answer.code == 0
    assert answer.out.startswith(sentence)
    path = Path(answer.out.strip().split(": ")[-1])
    assert opened == [path.as_uri()]
    assert "</html>" in path.read_text(encoding="utf-8")


def test_a_signal_of_a_file_is_put_into_the_page(call):  # noqa: F811
    np.save("wave.npy", np.sin(np.linspace(0, 20, 2000)))
    assert call("lab", "--signal", "wave.npy", "--out", "lab.html").code == 0
    text = Path("lab.html").read_text(encoding="utf-8")
    values = json.loads(re.search(r'id="file">(.*?)</script>', text)[1])["values"]
    assert len(values) == 512
    assert (min(values), max(values)) == (-1, 1)


def test_a_picture_and_a_short_signal_are_refused(call):  # noqa: F811
    np.save("picture.npy", np.random.default_rng(0).normal(size=(8, 8)))
    np.save("short.npy", np.arange(5.0))
    for name, part in [("picture.npy", "expected a signal with one axis"), ("short.npy", "at least 8")]:
        answer = call("lab", "--signal", name, "--out", "lab.html")
        assert answer.code == 2
        assert part in answer.err
    assert not Path("lab.html").exists()
