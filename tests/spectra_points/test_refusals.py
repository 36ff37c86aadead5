from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra import points
from overtone.spectra._points_density import Density
from overtone.spectra._points_methods import PointsMethod

X = np.random.default_rng(0).random((200, 2))
Y = np.cos(2 * np.pi * X[:, 0])


def with_row(array, row, value):
    changed = array.copy()
    changed[row] = value
    return changed


TEXT = pd.DataFrame({"x": X[:, 0], "sort": ["red"] * 200})
LINE = np.stack([X[:, 0], 2 * X[:, 0] - 1], 1)
PLANE = np.stack([X[:, 0], X[:, 1], X.sum(1)], 1)

CASES = {
    "duplicates": (
        with_row(X, 7, X[3]),
        Y,
        {},
        "distinct points, got 1 duplicate points, first samples 3 and 7",
    ),
    "duplicates around": (
        np.array([0.0, 0.3, 0.7, 1.0]),
        np.arange(4.0),
        {"domain": (0, 1)},
        "samples 0 and 3, which coincide in the periodic",
    ),
    "collinear": (LINE, Y, {}, "spread in 2 dimensions, got collinear points; pass their 1 coordinate along"),
    "in a plane": (PLANE, Y, {}, "spread in 3 dimensions, got points in one plane; pass their 2 coordinates"),
    "constant axis": (with_row(X.T, 1, 0.5).T, Y, {}, "vary along every axis, got 0.5 throughout axis 1"),
    "too few for the band": (
        X,
        Y,
        {"edges": [0, 10]},
        r"at least 317 samples for frequencies up to 10, got 200; ",
    ),
    "too few at all": (X[:3], Y[:3], {}, "at least 4 samples, got 3"),
    "too few for any band": (X[:5], Y[:5], {}, "samples that support the lowest frequency of the domain"),
    "NaN place": (
        with_row(X, 5, np.nan),
        Y,
        {},
        "coords: expected finite numbers in every row, got NaN or .* row 5",
    ),
    "NaN value": (
        X,
        with_row(Y, 9, np.nan),
        {},
        "values: expected finite numbers .* in 1 of 200 rows, first in row 9",
    ),
    "infinite value": (X, with_row(Y, 9, np.inf), {}, "values: expected finite numbers"),
    "text place": (
        TEXT,
        Y,
        {},
        "columns of numbers, got text in column 1 .'red' in its first row.; encode it",
    ),
    "text value": (X, ["a"] * 200, {}, "values: expected columns of numbers, got text in column 0"),
    "objects": (X, [object()] * 200, {}, "values: expected columns of numbers, got objects"),
    "complex": (X, Y + 1j, {}, "values: expected real values"),
    "other number of values": (X, Y[:-1], {}, "values: expected 200 rows, one per sample, got 199"),
    "many axes": (
        np.random.default_rng(0).random((50, 4)),
        Y[:50],
        {},
        "1 to 3 coordinates per sample, got 4; use ov",
    ),
    "values of a picture": (X, np.ones((200, 2, 2)), {}, "values: expected one row per sample"),
    "outside": (X, Y, {"domain": (0.5, 1)}, r"coords: expected samples within \(0.5, 0.5\) to \(1.0, 1.0\)"),
    "empty domain": (X, Y, {"domain": (1, 0)}, "domain: expected finite bounds, low < high per axis"),
    "domain of other axes": (X, Y, {"domain": [(0, 1)] * 3}, "expected|bounds"),
    "odd domain": (X, Y, {"domain": [0, 1, 2]}, r"domain: expected \(low, high\) per axis"),
    "periodic of other axes": (X, Y, {"periodic": [True]}, "periodic for 2 axes, got 1"),
    "edges and bands": (X, Y, {"edges": [0, 1], "bands": [0, 1]}, "edges or bands, got both"),
    "edges from one": (X, Y, {"edges": [1, 2]}, "band edges that start at 0"),
    "other reference": (X, Y, {"reference": np.ones((200, 2))}, "a reference of the values' shape"),
    "weights of others": (
        X,
        Y,
        {"density": Density.known(np.ones(7))},
        "one positive weight per sample .200., got weights of",
    ),
    "negative weights": (X, Y, {"density": Density.known(-np.ones(200))}, "one positive weight per sample"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_one_clear_sentence(name):
    coords, values, options, sentence = CASES[name]
    with pytest.raises(InputError, match=sentence) as refusal:
        points(coords, values, **options)
    assert str(refusal.value).count("\n") == 0


@pytest.mark.parametrize("settings", [{"iterations": 0}, {"tolerance": 0.0}, {"tolerance": 2.0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(InputError):
        PointsMethod.least_squares(**settings)


def test_the_advice_for_too_few_samples_works():
    with pytest.raises(InputError) as refusal:
        points(X, Y, edges=[0, 10])
    advised = float(refusal.value.do.split("end at or below ")[1].split(",")[0])
    assert points(X, Y, edges=[0, 1.5, advised]).power[0, 0] == pytest.approx(0.5, rel=1e-5)


def test_half_precision_integers_and_booleans_are_numbers():
    for values in (torch.from_numpy(Y).half(), (Y > 0), (Y > 0).astype(int), pd.Series(Y), Y.astype(object)):
        assert points(X, values, edges=[0, 2]).power.shape == (1, 1)
