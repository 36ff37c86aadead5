"""Neighbours are those of a loop over all pairs, however they are searched for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra.clouds import _neighbours as neighbours
from overtone.spectra.clouds._neighbours import MEMORY, nearest


def flat(rows, features, inner, noise, seed=0):
    """Rows near a plane of `inner` dimensions."""
    draw = np.random.default_rng(seed)
    plane = draw.normal(size=(inner, features)) / np.sqrt(features)
    return draw.normal(size=(rows, inner)) @ plane + noise * draw.normal(size=(rows, features))


def by_loop(x, count):
    """Sorted distances of one row after the other, in float64, itself left out."""
    found = []
    for i in range(len(x)):
        distance = np.sqrt(((x.astype(np.float64) - x[i]) ** 2).sum(1))
        found.append(np.sort(np.delete(distance, i))[:count])
    return np.stack(found)


CASES = {
    "tree": flat(300, 5, 5, 0),
    "no more features than the projection has": flat(300, 20, 20, 0),
    "near a plane, which projections settle": flat(600, 90, 6, 1e-3),
    "all directions alike, which they do not": flat(600, 200, 200, 0),
    "more rows than groups of columns": flat(1500, 40, 4, 1e-2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neighbours_are_those_of_the_loop(name, dtype):
    """Products of rows of size s err by some eps s^2, so neighbours may be taken for others whose square distance is
    as close as that; distances themselves are sums of d squares of differences, to d eps."""
    x = CASES[name].astype(dtype)
    distance, index = nearest(torch.from_numpy(x), 7)
    wanted = by_loop(x, 7)
    eps, largest = np.finfo(dtype).eps, (x.astype(np.float64) ** 2).sum(1).max()
    slack = 16 * eps * largest / wanted.min() + x.shape[1] * eps * wanted.max()
    np.testing.assert_allclose(distance, wanted, rtol=0, atol=slack)
    assert (index != np.arange(len(x))[:, None]).all()
    told = np.sqrt(((x.astype(np.float64)[index] - x[:, None]) ** 2).sum(2))
    np.testing.assert_allclose(distance, told, rtol=0, atol=slack)


def test_both_ways_are_taken():
    """The cases above would show nothing if projections settled all or none of them."""
    settled = {
        name: float(
            neighbours._Pairs(torch.from_numpy(CASES[name]), 8, MEMORY)
            ._screened_neighbours(torch.arange(300))[2]
            .double()
            .mean()
        )
        for name in list(CASES)[2:4]
    }
    assert list(settled.values()) == [1.0, 0.0]


def test_projections_alone_would_be_wrong():
    x = torch.from_numpy(CASES["all directions alike, which they do not"])
    pairs = neighbours._Pairs(x, 8, MEMORY)
    screened = pairs._screened_neighbours(torch.arange(600))[1]
    complete = pairs._exact_neighbours(torch.arange(600))[1]
    assert (screened.sort(1).values != complete.sort(1).values).any(1).double().mean() > 0.5


@pytest.mark.parametrize("features", [3, 40])
def test_copies_of_a_row_are_its_neighbours(features):
    x = torch.from_numpy(flat(200, features, 3, 0))
    x[5:8] = x[4]
    distance, index = nearest(x, 4)
    assert (distance[4:8, :3] == 0).all()
    for row in range(4, 8):
        assert set(index[row, :3]) == set(range(4, 8)) - {row}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 300), st.integers(0, 10_000))
def test_least_entries_are_those_of_sorting(count, columns, seed):
    table = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, columns)))
    count = min(count, columns)
    least, where = neighbours._smallest(table, count)
    torch.testing.assert_close(least, table.sort(1).values[:, :count], rtol=0, atol=0)
    torch.testing.assert_close(table.gather(1, where), least, rtol=0, atol=0)


def test_rows_of_many_more_features_than_rows_need_no_matrix_of_features():
    """300,000 features: their covariance alone would take hundreds of GB. Slow twin: all distances by differences."""
    table = torch.randn(20, 300_000, generator=torch.Generator().manual_seed(0))
    distance, index = nearest(table, 4)
    pairs = torch.stack([(table - row).double().square().sum(1).sqrt() for row in table]).fill_diagonal_(
        np.inf
    )
    expected = pairs.sort(1)
    np.testing.assert_array_equal(index, expected.indices[:, :4])
    np.testing.assert_allclose(distance, expected.values[:, :4], rtol=1e-5)
