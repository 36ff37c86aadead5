"""Numbers as callers have them: masks are obeyed, digits are kept or their loss told, objects numbers or refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import overtone as ot
from overtone import signals, spectra
from tests.signals.refusals import refusal

VALUES = np.sin(np.add.outer(np.arange(12.0) / 3, np.arange(10.0) / 2))
PLACES = np.random.default_rng(0).random((12, 2))
SIGNAL = signals.array(VALUES)


DOORS: dict[str, tuple[Callable[[Any], Any], np.ndarray]] = {
    "array": (signals.array, VALUES),
    "volume": (signals.volume, np.random.default_rng(0).random((4, 5, 6))),
    "image": (signals.image, np.random.default_rng(0).random((8, 9))),
    "image of bytes": (signals.image, np.random.default_rng(0).integers(0, 255, (8, 9, 3), np.uint8)),
    "values of points": (lambda values: signals.points(PLACES, values), VALUES),
    "places of points": (lambda places: signals.points(places, VALUES), PLACES),
    "clean": (SIGNAL.with_clean, VALUES.reshape(-1, 1)),
    "held out": (SIGNAL.with_held_out, np.arange(120) % 7 == 0),
    "train": (lambda mask: SIGNAL.with_split(mask, np.arange(120) % 2 == 1), np.arange(120) % 2 == 0),
    "spectrum": (spectra.grid, VALUES),
    "spectrum of points": (lambda values: spectra.points(PLACES, values), VALUES[:, 0]),
    "inputs of a probe": (lambda x: ot.Probe.of(x, VALUES, nn.Linear(2, 10)), PLACES.astype(np.float32)),
    "targets of a probe": (lambda y: ot.Probe.of(PLACES, y, nn.Linear(2, 10)), VALUES),
}


@pytest.mark.parametrize("door", DOORS)
def test_no_door_drops_a_mask(door: str) -> None:
    call, values = DOORS[door]
    masked = np.ma.array(values, mask=np.zeros(values.shape, bool))
    masked[1] = np.ma.masked
    assert f"expected values without gaps, got a masked array with {masked.mask.sum()} of" in refusal(
        call, masked
    )
    call(np.ma.array(values, mask=False))


def test_an_observer_says_that_predictions_are_masked() -> None:
    observer = ot.Observer(SIGNAL)
    masked = np.ma.masked_greater(VALUES.reshape(-1, 1), 0.9)
    with pytest.warns(Warning, match="values without gaps, got a masked array"):
        observer.observe(1, masked)


def test_masks_within_lists_and_of_tensors_are_seen() -> None:
    row = np.ma.masked_equal([1.0, 2.0, 9.0], 9.0)
    assert "1 of 3 values missing, the first at index 2" in refusal(signals.array, [row, row])
    assert "values without gaps" in refusal(signals.array, [1.0, np.ma.masked, 3.0])
    with pytest.warns(UserWarning, match="prototype"):
        part = torch.masked.masked_tensor(torch.arange(4.0), torch.tensor([True, False, True, True]))
    assert "1 of 4 values missing, the first at index 1" in refusal(signals.array, part)


def test_the_advice_for_a_mask_works() -> None:
    masked = np.ma.masked_where(VALUES > 0.9, VALUES)
    assert "values.filled(number)" in refusal(signals.array, masked)
    assert float(signals.array(masked.filled(0.0)).values.max()) <= 0.9
    there = signals.points(np.argwhere(~masked.mask), masked.compressed())
    assert there.geometry.samples == masked.count()


@pytest.mark.parametrize("kind", [torch.uint32, torch.uint64, torch.int32, torch.int64])
@pytest.mark.parametrize("door", ["array", "points"])
def test_tensors_of_wide_integers_keep_every_digit(kind: torch.dtype, door: str) -> None:
    counts = 2**31 + np.arange(64) - (64 if kind == torch.int32 else 0)
    given = torch.tensor(counts).to(kind)
    found = signals.array(given) if door == "array" else signals.points(np.arange(64.0), given)
    assert found.values[:, 0].tolist() == counts.tolist()
    assert not any("2^53" in note for note in found.notes)


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_integers_that_float64_cannot_hold_are_told(kind: type) -> None:
    stamps = 1_700_000_000_000_000_000 + np.arange(0, 64_000, 1000)
    for given in (
        stamps.astype(kind),
        torch.tensor(stamps).to(torch.int64 if kind is np.int64 else torch.uint64),
    ):
        told = "integers beyond 2^53 were rounded to the nearest number of float64"
        assert told in signals.array(given).notes
        assert told in signals.points(np.arange(64.0), given).notes
    close = (2**60 + np.arange(5)).astype(kind)
    assert "subtract the smallest one first" in refusal(signals.array, close)
    assert signals.array(close - close.min()).values[:, 0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "kind",
    ["bool", "uint8", "int8", "int16", "uint16", "float16", "bfloat16", "float8_e4m3fn"],
)
def test_narrow_tensors_become_float32(kind: str) -> None:
    found = signals.array((torch.arange(12) % 2).to(getattr(torch, kind)))
    assert found.values[:, 0].tolist() == [0, 1] * 6
    assert found.values.dtype == (torch.float32)


def test_long_doubles_beyond_float64_are_refused() -> None:
    wide = np.array([1, 2, 3], np.longdouble)
    assert signals.array(wide).values.dtype == torch.float64
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        assert "express them in a larger unit" in refusal(signals.array, wide * np.longdouble(10) ** 400)


def test_numbers_in_objects_are_numbers_and_gaps_are_placed() -> None:
    mixed = np.array([1, 2.5, True, Decimal("0.25"), np.float32(3)], object)
    assert signals.array(mixed).values[:, 0].tolist() == [1, 2.5, 1, 0.25, 3]
    whole = pd.Series([1, 2, 4], dtype="Int64")
    assert signals.array(whole.to_numpy()).values[:, 0].tolist() == [1, 2, 4]
    gap = pd.Series([True, None, False], dtype="boolean").to_numpy(dtype=object)
    assert "an object array with the gap '<NA>' at index 1; fill or remove the gap" in refusal(
        signals.array, gap
    )
    assert "an object array with 'x' at index 1" in refusal(signals.array, np.array([1, "x"], object))


def test_records_point_to_their_fields() -> None:
    records = np.array([(1.0, 2), (3.0, 5)], [("a", float), ("b", int)])
    assert "pass one of its fields (a, b)" in refusal(signals.array, records)
    assert signals.array(records["b"]).values[:, 0].tolist() == [2, 5]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_of_one_row_is_a_vector() -> None:
    for given in (np.matrix(np.arange(5.0)), np.matrix(np.arange(5.0)).T):
        assert signals.array(given).geometry.shape == (5,)
    assert signals.array(np.matrix(VALUES)).geometry.shape == VALUES.shape


@pytest.mark.parametrize("kind", ["<f4", ">f4", ">f8", ">i4", ">u2", "<u4", "f2", "?"])
def test_layout_and_byte_order_change_nothing(kind: str) -> None:
    plain = (np.arange(24) % 2).reshape(4, 6)
    for given in (plain.astype(kind), np.asfortranarray(plain.astype(kind)), plain.astype(kind)[::-1][::-1]):
        assert signals.array(given).values[:, 0].tolist() == plain.ravel().tolist()
