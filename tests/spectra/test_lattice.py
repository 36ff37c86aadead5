from __future__ import annotations

import math

import numpy as np
import pytest

from overtone.errors import InputError
from overtone.spectra._grid_modes import GridModes


@pytest.mark.parametrize("n", [2, 5, 6])
def test_periodic_frequencies_are_those_of_the_fft(n):
    lattice = GridModes.of((n, n), 0.25, True)
    assert np.allclose(lattice.frequencies(0), np.abs(np.fft.fftfreq(n, 0.25)))
    assert np.allclose(lattice.frequencies(1), np.fft.rfftfreq(n, 0.25))


def test_even_frequencies_are_half_multiples_of_one_over_the_length():
    assert GridModes.of((4,), 0.5).frequencies(0).tolist() == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("shape", [(7,), (8,), (5, 6), (6, 5), (4, 3, 2)])
@pytest.mark.parametrize("periodic", [True, False])
def test_weights_count_every_mode_once(shape, periodic):
    lattice = GridModes.of(shape, periodic=periodic)
    counts = [lattice.weights(axis).sum().item() for axis in range(len(shape))]
    assert math.prod(counts) == lattice.samples


def test_only_the_last_periodic_axis_is_halved():
    assert GridModes.of((6, 8, 5), periodic=(True, True, False)).stored == (6, 5, 5)
    assert GridModes.of((6, 8, 5)).stored == (6, 8, 5)


def test_nyquist_fundamental_and_top():
    lattice = GridModes.of((10, 20), (1.0, 0.25), (True, False))
    assert lattice.nyquist == 2.0
    assert lattice.fundamental == pytest.approx(0.1)
    assert lattice.top == pytest.approx(math.hypot(0.5, 19 / 10))


def test_axes_of_one_sample_set_neither_nyquist_nor_fundamental():
    lattice = GridModes.of((1, 8), (1e-6, 1.0), True)
    assert lattice.nyquist == 0.5
    assert lattice.fundamental == 0.125


def test_spacing_defaults_to_cycles_per_array():
    assert GridModes.of((4, 5)).spacing == (0.25, 0.2)
    assert GridModes.of((4, 5), np.array([1.0, 2.0])).spacing == (1.0, 2.0)
    assert GridModes.of((4, 5), 3).spacing == (3.0, 3.0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((),), "expected values on a grid of 1 to 3 axes, got 0 axes"),
        (((2, 2, 2, 2),), "expected values on a grid of 1 to 3 axes, got 4 axes of shape (2, 2, 2, 2);"),
        (((1, 1),), "expected at least two samples along one axis, got shape (1, 1); pass a longer array."),
        (
            ((4, 4), (1, 2, 3)),
            "spacing: expected one spacing per axis (2), got 3; pass one value, or one per",
        ),
        (((4, 4), 1, (True,)), "periodic: expected one periodic per axis (2), got 1; pass one value, or"),
        (((4,), 0), "expected positive finite distances between samples, got (0.0,); check the"),
        (((4,), float("nan")), "spacing: expected positive finite distances between samples, got (nan,)"),
    ],
)
def test_impossible_boxes_are_refused(arguments, text):
    with pytest.raises(InputError) as caught:
        GridModes.of(*arguments)
    assert text in str(caught.value)
