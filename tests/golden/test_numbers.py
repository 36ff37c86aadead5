"""Numbers of the program on ten signals by seed stay what they were: plans, bandwidths, noise, errors, predicted steps.

`expected.json` is written by `python tools/golden.py --expected . tests/golden/expected.json`. Bit for bit two versions
are compared by that tool on one machine; here tolerances leave room for other processors.
"""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path

import pytest
from tools.golden_differences import flatten
from tools.golden_jobs import JOBS, words_of, write_signals

from tests.cli.calling import ask, no_page

__all__ = ["no_page"]

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
COMMANDS = {job.name: job.commands for job in JOBS}
TOLERANCES = (
    ("scan *", 1e-6, 1e-12),
    ("*/psnr/*", 0.0, 0.005),
    ("*/bands/*error", 0.0, 0.003),
    ("*/bands/*fraction", 0.0, 0.003),
    ("fit */bandwidth/*", 1e-5, 0.0),
    ("fit */kept", 0.2, 0.0),
    ("predict */largest_stable_rate", 1e-5, 0.0),
    ("predict *", 0.02, 1.0),
    ("*", 0.0, 0.0),
)
"""Patterns of numbers with relative and absolute tolerances.

Measured between the plain, the AVX2 and the AVX-512 kernels of PyTorch with MKL's to match, one and two threads: levels
of fits differ by at most 4e-5 dB, errors and fractions of bands by 3e-5, bandwidths by 1e-8 of themselves, the largest
stable rate by 2e-8; scans, steps and counts by nothing. The tolerances are a hundred times that or more; steps may move
by one recorded row, because the least of nearly equal errors may be the next.
"""


@pytest.fixture(scope="module")
def signals(tmp_path_factory):
    """The ten signals."""
    folder = tmp_path_factory.mktemp("signals")
    write_signals(folder)
    return folder


def tolerance(name: str) -> tuple[float, float]:
    """Relative and absolute tolerance of a number, by the first pattern that fits."""
    return next((rel, abs_) for pattern, rel, abs_ in TOLERANCES if fnmatch.fnmatch(name, pattern))


@pytest.mark.parametrize("job", EXPECTED)
def test_numbers(job, signals, tmp_path, monkeypatch, no_page):
    monkeypatch.chdir(tmp_path)
    (command,) = COMMANDS[job]
    answer = ask(*words_of(command, signals))
    assert answer.code == 0, answer.err
    values = {key.removeprefix("answer/"): value for key, value in flatten(answer.json, "answer")}
    for key, expected in EXPECTED[job].items():
        rel, abs_ = tolerance(f"{job}/{key}")
        close = None if expected is None else pytest.approx(expected, rel=rel, abs=abs_)
        assert values[key] == close, key
