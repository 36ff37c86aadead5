"""The frequency axis of records."""

from __future__ import annotations

import numpy as np
import pytest

from overtone.errors import InputError
from overtone.plots import _bands as bands
from tests.records.toy import toy_record


def test_edges_are_positive_and_ascending() -> None:
    record = toy_record()
    edges = bands.edges(record)
    assert edges[0] > 0
    assert (np.diff(edges) > 0).all()
    np.testing.assert_array_equal(edges[1:], record.band_high)


def test_centres_lie_inside_their_bands() -> None:
    record = toy_record()
    inside = bands.centres(record)[1:]
    assert ((inside > record.band_low.values[1:]) & (inside < record.band_high.values[1:])).all()


def slow_crossing(record: object) -> float | None:
    target, noise = record.target_power.values.sum(1), record.noise_power.values.sum(1)  # type: ignore[attr-defined]
    found = None
    for band in reversed(range(target.size)):
        signal = target[band] - noise[band]
        if noise[band] < signal:
            break
        found = float(record.band_low[band])  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_crossing_equals_a_search_from_above(noise: float, channels: int) -> None:
    record = toy_record(noise=noise, channels=channels, bands=20)
    assert bands.noise_crossing(record) == slow_crossing(record)


def test_noise_crossing_ignores_isolated_noisy_bands() -> None:
    record = toy_record(noise=0.1, bands=20)
    before = bands.noise_crossing(record)
    assert before is not None
    record.noise_power[3] = record.target_power[3]
    assert bands.noise_crossing(record) == before


@pytest.mark.parametrize("said", ["clean", "cannot_tell"])
def test_no_crossing_without_a_noise_verdict(said: str) -> None:
    assert bands.noise_crossing(toy_record(noise=0.1, noise_verdict=said)) is None
    assert bands.noise_crossing(toy_record(noise=0.0)) is None


def test_nyquist_is_that_of_the_finest_axis_or_unknown() -> None:
    assert bands.radial_nyquist(toy_record(nyquist=[64.0, 32.0])) == 64.0
    assert bands.radial_nyquist(toy_record(nyquist=[])) is None
    record = toy_record()
    del record.attrs["nyquist"]
    assert bands.radial_nyquist(record) is None


def test_rows_are_required() -> None:
    with pytest.raises(
        InputError, match="expected a record with at least one row, got a record without rows"
    ):
        bands.require_rows(toy_record().isel(step=slice(0, 0)), "x")
