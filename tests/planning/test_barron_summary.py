"""Barron constant and borders of a signal, as a scan tells them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import overtone as ot
from overtone.planning import _scan as oscillation
from overtone.planning._scan import BarronSummary


def wave(n, cycles):
    return np.sin(2 * np.pi * cycles * np.arange(n) / n + 0.3)


def test_a_wave_that_is_known_to_wrap_around_has_its_own_constant():
    """sin(2 pi 3 x) on a period of 1 has C = 2 pi 3; both estimates are exact on a periodic axis."""
    found = BarronSummary.of(ot.signals.array(wave(64, 3), spacing=1 / 64, periodic=True))
    assert found.lower == pytest.approx(6 * math.pi, rel=1e-9) == found.upper
    assert found.settled
    assert found.jump == (None,)
    assert found.border == "Periodic."
    assert found.sentence("m") == "19 to 19 values x radians per m."


def test_borders_that_fit_are_told_from_those_that_do_not():
    fits = BarronSummary.of(ot.signals.array(wave(64, 3)))
    apart = BarronSummary.of(ot.signals.array(np.linspace(0, 1, 64) ** 2))
    assert fits.jump[0] <= 1
    assert fits.border.startswith("Possibly periodic: border step 0.99 times the largest inside.")
    assert apart.jump[0] > 10
    assert apart.border.startswith("Not periodic: border step 32 times the largest inside.")
    sheet = BarronSummary.of(ot.signals.array(wave(32, 2)[:, None] + 5 * np.linspace(0, 1, 24)))
    assert sheet.jump[0] <= 1 < sheet.jump[1]
    assert sheet.border.startswith("Not periodic: border step 1 and 23 times")


def test_noise_does_not_settle():
    noise = np.random.default_rng(0).normal(size=512)
    found = BarronSummary.of(ot.signals.array(noise))
    assert not found.settled
    assert "-fold at half the spacing." in found.sentence("m")


def test_large_signals_are_told_by_a_block_with_no_larger_constant(monkeypatch):
    signal = ot.signals.array(wave(256, 5)[:, None] * wave(256, 3))
    whole = BarronSummary.of(signal)
    monkeypatch.setattr(oscillation, "SAMPLES", 64 * 64)
    part = BarronSummary.of(signal)
    assert whole.whole
    assert not part.whole
    assert part.lower <= whole.upper
    assert part.jump == whole.jump
    assert "of one block" in part.sentence("m")


def test_too_few_samples_are_none():
    assert BarronSummary.of(ot.signals.array(np.array([1.0, 2.0, 3.0]))) is None
    flat = BarronSummary.of(ot.signals.array(np.outer(wave(64, 3), [1.0, 1.0])))
    assert flat.jump[1] is None
    assert flat.upper > 0


def test_a_scan_holds_it():
    found = ot.scan(ot.signals.array(wave(64, 3)))
    assert found.barron_summary == BarronSummary.of(found.signal)


def test_one_sample_that_every_second_misses_has_no_growth_to_tell():
    values = np.zeros(64)
    values[17] = 1
    found = BarronSummary.of(ot.signals.array(values))
    assert found.growth is None
    assert not found.settled
    assert found.sentence("m").endswith("values x radians per m; every second sample shows none of it.")
