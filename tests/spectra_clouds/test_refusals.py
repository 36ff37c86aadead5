from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from overtone.errors import InputError
from overtone.spectra.clouds import DirectionTransform, GaussianFilter, GraphTransform, KernelSums

X = np.random.default_rng(0).normal(size=(50, 5))
Y = X[:, 0]


def broken(value):
    changed = X.copy()
    changed[7, 2] = value
    return changed


TEXT = pd.DataFrame({"age": [40.0] * 50, "town": ["Rome"] * 50, "height": Y})
COPIES = np.concatenate([np.repeat(X[:1], 20, axis=0), X])
ESTIMATORS = {
    "filter": lambda x, y: GaussianFilter(x, 1.0).split(y),
    "graph": lambda x, y: GraphTransform(x, 4, neighbours=5).spectrum(y),
    "directions": lambda x, y: DirectionTransform(x).coefficients(y),
}
SHARED = {
    "NaN row": (
        broken(np.nan),
        Y,
        "coords: expected finite numbers in every row, got NaN or infinity in 1 of 50 .* 7",
    ),
    "text": (
        TEXT,
        Y,
        "coords: expected columns of numbers, got text in column 1 .'Rome' in its first row.; encode it",
    ),
    "constant": (np.ones((50, 3)), Y, "features that vary, got constant features: all rows are equal"),
    "one row": (X[:1], Y[:1], "coords: expected at least .* rows, got 1"),
    "other rows": (X, Y[:-1], "values: expected 50 rows, one per sample, got 49"),
    "NaN value": (X, broken(np.nan)[:, 2], "values: expected finite numbers in every row"),
    "pictures": (np.ones((50, 8, 8)), Y, "coords: expected one row per sample and one column per quantity"),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", SHARED)
def test_every_estimator_refuses_with_one_clear_sentence(estimator, name):
    x, y, sentence = SHARED[name]
    with pytest.raises(InputError, match=sentence) as refusal:
        ESTIMATORS[estimator](x, y)
    assert "\n" not in str(refusal.value)


CASES = {
    "width of nothing": (
        lambda: GaussianFilter(X, [1.0, 0.0]),
        "widths: expected positive widths",
    ),
    "no width": (lambda: GaussianFilter(X, []), "widths: expected positive widths"),
    "prediction of others": (
        lambda: GaussianFilter(X, 1.0).errors(Y, X),
        "a prediction of the target's shape",
    ),
    "near too few": (lambda: KernelSums.tree(near=1), "at least 4 near and 1 far rows"),
    "share of all": (
        lambda: GaussianFilter.widths_for(X, Y, (1.0,)),
        "shares between 0 and 1, that of the narrowest",
    ),
    "constant target": (lambda: GaussianFilter.widths_for(X, np.ones(50)), "values that vary"),
    "too many copies": (
        lambda: GraphTransform(COPIES, 4, neighbours=5),
        "at most 5 copies of a row, got more dupl",
    ),
    "more modes than rows": (lambda: GraphTransform(X, 60), "at least 62 rows, got 50"),
    "no mode": (lambda: GraphTransform(X, 0), "at least 1 mode"),
    "reference of others": (lambda: GraphTransform(X, 4).spectrum(Y, X), "a reference of 1 channels, got 5"),
    "direction of others": (
        lambda: DirectionTransform(X, [[1, 0]]),
        "non-zero directions of 5 numbers",
    ),
    "no direction": (lambda: DirectionTransform(X, [[0] * 5]), "non-zero directions of 5 numbers"),
    "no frequency": (lambda: DirectionTransform(X, count=0), "at least one frequency"),
    "too many directions": (
        lambda: DirectionTransform.principal(X, 9),
        "1 to 5 directions of non-zero variance",
    ),
    "constant along": (
        lambda: DirectionTransform(np.concatenate([X, np.ones((50, 1))], 1), [[0, 0, 0, 0, 0, 1]]),
        "samples that vary along each direction, got constant features along direction 0",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_impossible_requests_are_refused_with_one_clear_sentence(name):
    call, sentence = CASES[name]
    with pytest.raises(InputError, match=sentence) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_some_constant_features_are_no_trouble():
    x = np.concatenate([X, np.ones((50, 2))], 1)
    for call in ESTIMATORS.values():
        call(x, Y)


def test_many_features_need_no_further_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    wide = np.random.default_rng(0).normal(size=(50, 20))
    assert GraphTransform(wide, 4).components == 1
