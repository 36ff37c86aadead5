"""`overtone convert` and `overtone lint` answer people and refuse in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from overtone import units
from tests.cli.calling import ask, waves


def test_the_answer_is_that_of_the_library_with_its_bandwidth():
    answer = ask("convert", 10, "--from", "deepxde", "--to", "tancik", "--domain", "-1,1", "--json").json
    # Without 2 pi and across two units: 10 / (2 pi) * 2.
    assert answer["to"]["value"] == pytest.approx(10 / math.pi)
    assert answer["to"]["bandwidth"] == pytest.approx(units.gaussian_bandwidth(10 / math.pi))
    assert answer["from"]["bandwidth"] == pytest.approx(units.gaussian_bandwidth(10 / (2 * math.pi)))
    assert answer["cycles"] == pytest.approx(2 * answer["from"]["bandwidth"])
    assert answer["same_meaning"] is True


def test_a_count_of_octaves_is_rounded_up():
    answer = ask("convert", 10, "--from", "nerf", "--to", "finer-posenc", "--json").json
    assert answer["to"]["value"] == pytest.approx(10 + math.log2(math.pi))
    assert answer["to"]["whole"] == 12
    text = " ".join(ask("convert", 10, "--from", "nerf", "--to", "finer-posenc").out.split())
    assert "11.6515 for finer-posenc with coordinates in [-1, 1]." in text
    assert "take 12." in text


REFUSED = {
    (
        "10",
        "--from",
        "jaxpi",
        "--to",
        "tancik",
    ): "--domain: expected the range of the coordinates, since 'jaxpi' "
    "has no usual one, got none; pass --domain low,high.",
    ("30", "--from", "siren", "--to", "tancik"): "pass --inputs 2 for an image, --inputs 1 for a recording.",
    ("10", "--from", "nothing", "--to", "tancik"): "got 'nothing'; pass the library whose convention",
    ("-1", "--from", "tancik", "--to", "rff"): "",
    ("10", "--from", "tancik", "--to", "rff", "--domain", "1,0"): "pass --domain low,high.",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_is_wrong_is_said(words):
    answer = ask("convert", *words)
    assert answer.code == 2
    assert REFUSED[words] in answer.sentence


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a source."""
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())


def test_a_right_setting_has_no_finding(here):
    text = ask("lint", "waves.npy", "--library", "tancik", "--value", 0.75).out
    assert "Nothing is wrong with this setting." in text
    assert "bandwidth 1.23 cycles per" in text


def test_strict_fails_on_errors_only(here):
    common = ("lint", "waves.npy", "--library", "tancik", "--strict", "--value")
    assert ask(*common, 0.75).code == 0
    assert ask(*common, 0.1).code == 0
    assert ask(*common, 40).code == 1
    assert ask(*common[:-2], "--value", 40).code == 0


SAID = {
    (40,): "Error: The bandwidth of 65.8 cycles per array along axes 0 and 1 exceeds the Nyquist frequency",
    (0.05,): "Warning: The bandwidth is far too low (0.0822 cycles across the samples against 1.23",
    (3.5,): "Warning: The bandwidth is far too high (5.76 cycles",
    (4.7,): "Warning: The bandwidth is about 2 pi times as high as needed",
    (0.119,): "Warning: The bandwidth is about 2 pi times lower than needed",
    (
        0.75,
        "--domain",
        "-1,1",
    ): "Warning: The value suits coordinates in [0, 1], the usual range of tancik, better",
    (0.75, "--precision", "bfloat16", "--domain", "9,10"): "Warning: In bfloat16 the phase",
    (0.75, "--steps", 3, "--batch", 10): "Warning: Steps times batch are 30 samples of 480: 93.9% of them",
}


@pytest.mark.parametrize("words", SAID, ids=str)
def test_findings_are_said_with_their_numbers(here, words):
    text = " ".join(ask("lint", "waves.npy", "--library", "tancik", "--value", *words).out.split())
    assert SAID[words] in text


def test_a_wrong_source_is_refused(here):
    assert ask("lint", "absent.npy", "--library", "tancik", "--value", 1).code == 2
    np.save("flat.npy", np.ones((1, 1)))
    assert ask("lint", "flat.npy", "--library", "tancik", "--value", 1).code == 2
