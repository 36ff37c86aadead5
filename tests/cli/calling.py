"""Call the command line in this process, on small sources, and read its answer."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from overtone.cli._main import run

TINY = ("--width", "64", "--depth", "2", "--features", "8", "--lr", "0.01")
PROGRESS = re.compile(
    r"^ *\d+%  step |^fit .* -> |^(Reading|Loading|Running|Comparing) .+\.$|^Choosing the bandwidth: about .+\.$"
    r"|^\d+ trainings?.+ not repeated\.$"
)
SENTENCE = re.compile(r"overtone: .*expected .+, got .+[;?] .+[.)]\n", re.S)


@dataclass(frozen=True)
class Answer:
    """What came back: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON document on stdout; NaN and infinity, which are no JSON, are an error."""
        assert self.out.count("\n") == 1
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    @property
    def sentence(self):
        """The one sentence on stderr beside the progress, in the form expected, got, do."""
        rest = "".join(line for line in self.err.splitlines(keepends=True) if not PROGRESS.match(line))
        assert SENTENCE.fullmatch(rest), rest
        assert rest.count("\n") == 1
        assert "Traceback" not in rest
        return rest.removeprefix("overtone: ").removesuffix("\n")


def ask(*words):
    """Run the command line in this process and folder."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(word) for word in words])
    return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture
def call(tmp_path, monkeypatch):
    """`ask` in a fresh folder."""
    monkeypatch.chdir(tmp_path)
    return ask


@pytest.fixture
def no_page(monkeypatch):
    """Reports in no time, for tests about something else."""

    def write(paths, out):
        Path(out).write_text("page")
        return Path(out)

    monkeypatch.setattr("overtone.reports.report", write)


def listing(folder: Path) -> list[str]:
    """Every path under a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def waves(shape=(24, 20), noise=0.0, channels=0):
    """A slow and a fast wave, smooth but for the noise."""
    rows, columns = (axis / n for axis, n in zip(np.indices(shape), shape, strict=True))
    field = 0.5 + 0.2 * np.cos(np.pi * 2 * rows) + 0.1 * np.cos(np.pi * 7 * columns)
    field = field + noise * np.random.default_rng(0).standard_normal(shape)
    return np.stack([field * (c + 1) for c in range(channels)], -1) if channels else field


@pytest.fixture
def source(tmp_path):
    """A small array in a file."""
    np.save(tmp_path / "waves.npy", waves())
    return tmp_path / "waves.npy"
