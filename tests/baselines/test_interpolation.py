"""Interpolation is exact where it must be, and sees nothing that is held out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone import signals
from overtone.baselines import BandLimitedFit, Cubic, Linear, Mean, Smoothing
from overtone.baselines._baseline import validation_split
from overtone.baselines._interpolation import find_sample_lattice
from overtone.errors import InputError
from overtone.signals import masks

ALL = [Mean(), Linear(), Cubic(), BandLimitedFit(), Smoothing()]
SHAPES = [(30,), (12, 14), (6, 7, 8)]
SPLITS = {
    "random": lambda g: (~masks.random(g, 0.2, 1), masks.random(g, 0.2, 1)),
    "strided": masks.alternating,
    "blocks": lambda g: (~masks.blocks(g, 0.1, 3, 1), masks.blocks(g, 0.1, 3, 1)),
}
JITTERED = 1e-4
"""Samples lie 1e-6 beside where they are; slopes are below 1 a sample, and thin simplices may amplify that."""


def field(shape, power=1):
    places = np.indices(shape).astype(float)
    return 2 + sum(
        (axis + 1) * (p / n) ** power for axis, (p, n) in enumerate(zip(places, shape, strict=True))
    )


def split(values, name, periodic=False):
    signal = signals.array(values, periodic=periodic)
    return signal.with_split(*SPLITS[name](signal.geometry))


def names(several):
    return [type(one).__name__ for one in several]


@pytest.mark.parametrize("baseline", ALL, ids=names(ALL))
@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_held_out_and_unused_values_do_not_matter(baseline, name, shape):
    values = np.random.default_rng(0).standard_normal(shape)
    signal = split(values, name)
    hidden = signal.values.clone()
    hidden[torch.ones(len(hidden), dtype=torch.bool).index_fill(0, signal.train_index, False)] = 1e6
    assert torch.equal(baseline.predict(signal), baseline.predict(replace(signal, values=hidden)))


@pytest.mark.parametrize("baseline", ALL, ids=names(ALL))
@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("periodic", [False, True])
def test_a_constant_is_kept(baseline, name, periodic):
    signal = split(field((12, 14)), name, periodic)
    found = baseline.predict(replace(signal, values=torch.full_like(signal.values, 3.5)))
    assert found.shape == (168, 1)
    assert torch.allclose(found, torch.tensor(3.5, dtype=found.dtype), rtol=0, atol=1e-6)


def inner(shape):
    """A mask of about a third of the samples, none of them on the border."""
    mask = np.random.default_rng(0).random(shape) < 0.3
    edge = np.ones(shape, dtype=bool)
    edge[tuple(slice(1, -1) for _ in shape)] = False
    return torch.from_numpy((mask & ~edge).reshape(-1))


@pytest.mark.parametrize("baseline", [Linear(), Cubic()], ids=names([Linear(), Cubic()]))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training_samples_are_kept_and_planes_found_between_them(baseline, shape):
    signal = signals.array(field(shape))
    signal = signal.with_held_out(inner(shape))
    found = baseline.predict(signal)
    assert torch.equal(found[signal.train_index], signal.values[signal.train_index])
    assert float((found - signal.values).abs().max()) < JITTERED
    assert float((Mean().predict(signal) - signal.values).abs().max()) > 0.1


def test_a_plane_is_found_on_a_lattice():
    values = field((21, 17))
    signal = split(values, "strided")
    assert np.abs(Linear().predict(signal).numpy().reshape(21, 17) - values).max() < 1e-12
    middle = np.abs(Cubic().predict(signal).numpy().reshape(21, 17) - values)[9:12, 7:10]
    assert middle.max() < 1e-3


def test_linear_on_a_line_and_on_a_lattice_is_the_formula():
    values = np.random.default_rng(1).standard_normal(31)
    found = Linear().predict(split(values, "random")).numpy()[:, 0]
    train = split(values, "random").train_index.numpy()
    for place in range(31):
        if place in train or place < train[0] or place > train[-1]:
            continue
        left, right = train[train < place].max(), train[train > place].min()
        share = (place - left) / (right - left)
        assert found[place] == pytest.approx((1 - share) * values[left] + share * values[right], abs=1e-12)
    grid = np.random.default_rng(2).standard_normal((7, 9))
    found = Linear().predict(split(grid, "strided")).numpy().reshape(7, 9)
    mean = (grid[2, 4] + grid[2, 6] + grid[4, 4] + grid[4, 6]) / 4
    assert found[3, 5] == pytest.approx(mean, abs=1e-12)


def test_a_cubic_is_found_on_a_line_and_beats_linear():
    values = field((40,), power=3)
    signal = split(values, "random")
    wrong = [
        float((b.predict(signal)[:, 0] - torch.from_numpy(values)).abs()[2:-2].max())
        for b in (Cubic(), Linear())
    ]
    assert wrong[0] < 1e-10 < 1e-4 < wrong[1]


def test_periodic_axes_are_bridged():
    n = 32
    values = np.cos(2 * np.pi * np.arange(n) / n + 0.3)
    train = torch.ones(n, dtype=torch.bool)
    train[[0, n - 1]] = False
    open_, around = (signals.array(values, periodic=p).with_split(train, ~train) for p in (False, True))
    wrong = [
        float((Cubic().predict(s)[[0, n - 1], 0] - s.values[[0, n - 1], 0]).abs().max())
        for s in (around, open_)
    ]
    assert wrong[0] < 1e-3 < 0.02 < wrong[1]


def test_the_precision_follows_the_input():
    for dtype in (np.float32, np.float64):
        signal = split(field((12, 14)).astype(dtype), "random")
        assert Linear().predict(signal).dtype == signal.values.dtype


@pytest.mark.parametrize("baseline", ALL, ids=names(ALL))
def test_two_samples_are_enough_and_one_is_not(baseline):
    signal = signals.array(field((5, 5)))
    train = torch.zeros(25, dtype=torch.bool)
    train[[3, 17]] = True
    assert bool(torch.isfinite(baseline.predict(signal.with_split(train, ~train))).all())
    train[3] = False
    with pytest.raises(InputError, match="expected at least 2 samples to train on, got 1; hold out fewer"):
        baseline.predict(signal.with_split(train, ~train))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(2, 5)), min_size=1, max_size=3))
def test_lattices_are_recognised(axes):
    shape = tuple(start + step * (count - 1) + 2 for start, step, count in axes)
    present = np.zeros(shape, dtype=bool)
    parts = tuple(slice(s, s + d * (n - 1) + 1, d) for s, d, n in axes)
    present[parts] = True
    assert find_sample_lattice(present).parts == parts
    if len(axes) > 1 or axes[0][2] > 3:
        present[tuple(s + d for s, d, _ in axes)] = False
        assert find_sample_lattice(present) is None or all(n == 2 for *_, n in axes)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 200), st.integers(0, 5))
def test_what_is_set_aside_is_a_tenth_of_what_is_there(n, seed):
    present = np.arange(n) % 3 != 2
    aside = validation_split(present, seed)
    total = present.sum()
    assert not (aside & ~present).any()
    assert aside.sum() == min(max(1, round(0.1 * total)), total - 1)
    assert np.array_equal(aside, validation_split(present, seed))
