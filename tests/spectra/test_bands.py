from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.spectra import Bands, GridTransform
from tests.spectra.twins import band_of

boxes = st.integers(1, 3).flatmap(
    lambda d: st.tuples(
        st.tuples(*[st.integers(1, 14)] * d).filter(lambda shape: max(shape) > 1),
        st.tuples(*[st.sampled_from([0.01, 0.5, 1.0, 3.0, 70.0])] * d),
        st.tuples(*[st.booleans()] * d),
    )
)


@given(boxes, st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_every_band_holds_a_mode_and_every_mode_a_band(box, count):
    shape, spacing, periodic = box
    for bands in (
        Bands.log(shape, spacing, periodic=periodic, count=count),
        Bands.linear(shape, spacing, periodic=periodic, count=count),
        Bands.linear(shape, spacing, periodic=periodic),
    ):
        modes = GridTransform(shape, spacing, periodic, bands).modes
        assert modes.sum() == np.prod(shape)
        assert modes.min() >= 1
        assert modes[0] == 1
        assert bands.low[0] == 0
    assert Bands.log(shape, spacing, periodic=periodic, count=count).count <= count + 1


def test_log_default_has_about_32_bands_and_a_corner():
    bands = Bands.log((256, 256))
    assert bands.count == 33
    assert bands.corner
    assert bands.edges[-2] == 128
    assert bands.edges[1] == 0.25


def test_log_bands_grow_by_a_steady_ratio_once_wider_than_the_fundamental():
    bands = Bands.log((1 << 16,), periodic=True)
    ratio = bands.high[12:] / bands.low[12:]
    assert ratio.max() / ratio.min() < 1.1


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("n", [2, 3, 8, 9, 100])
def test_linear_band_k_holds_harmonic_k_alone(n, periodic):
    bands = Bands.linear((n,), periodic=periodic)
    modes = GridTransform((n,), None, periodic, bands).modes
    highest = n // 2 if periodic else n - 1
    assert bands.count == highest + 1
    step = 1.0 if periodic else 0.5
    assert bands.index(torch.arange(highest + 1) * step).tolist() == list(range(highest + 1))
    assert modes.sum() == n
    inner = np.array(bands.edges[1:-1]) / step
    assert np.allclose(inner % 1, 0.5)
    assert bands.edges[-1] == pytest.approx(n / 2)


@pytest.mark.parametrize("count", [2, 3, 7, 20, 51])
def test_linear_keeps_to_the_count_with_equal_widths(count):
    bands = Bands.linear((100,), periodic=True, count=count)
    assert 2 <= bands.count <= count
    widths = np.diff(bands.edges)[1:-1]
    assert np.allclose(widths, widths[:1])


def test_no_harmonic_of_a_square_grid_lies_on_an_edge():
    for bands in (Bands.log((48, 48), periodic=True), Bands.linear((48, 48), periodic=True)):
        k = np.arange(25.0)
        radii = np.hypot(k[:, None], k).ravel()
        inner = np.array(bands.edges[1 : -2 if bands.corner else -1])
        assert np.abs(radii[:, None] - inner).min() > 1e-3


def test_radial_nyquist_is_the_largest_of_the_axes():
    bands = Bands.log((32, 32, 20), (1.0, 1.0, 3.0))
    assert bands.corner
    assert bands.edges[-2] == 0.5


def test_a_mode_at_nyquist_is_not_corner():
    bands = Bands.log((16, 16), 0.1, periodic=True)
    at_nyquist = bands.index(torch.tensor([5.0, 5.0 * (1 + 1e-12), 5.0 * (1 + 1e-6)]))
    assert at_nyquist.tolist() == [bands.count - 2, bands.count - 2, bands.count - 1]


def test_an_edge_opens_the_upper_band_whatever_its_rounding():
    bands = Bands((0, 0.3, 0.7))
    assert bands.index(torch.tensor([0.1 * 3, 0.3, -0.3, 0.29, 0.7, 9.0])).tolist() == [1, 1, 1, 0, 1, 1]


@given(st.sets(st.floats(1e-3, 1e3), min_size=1, max_size=8), st.booleans(), st.floats(0, 2e3))
@settings(max_examples=80, deadline=None)
def test_index_agrees_with_trying_every_band(edges, corner, frequency):
    edges = sorted(edges)
    if any(np.diff(edges) < 1e-6 * edges[-1]) or (corner and len(edges) < 2):
        return
    bands = Bands((0, *edges), corner)
    assert int(bands.index(torch.tensor(frequency, dtype=torch.float64))) == band_of(frequency, bands)


def test_centres_are_geometric_and_zero_for_the_mean():
    bands = Bands((0, 1, 4, 9))
    assert bands.low.tolist() == [0, 1, 4]
    assert bands.high.tolist() == [1, 4, 9]
    assert bands.centre.tolist() == [0, 2, 6]
    assert bands.count == 3


def test_what_given_edges_do_not_reach_is_added():
    wanted = GridTransform((16, 16), bands=[0, 1, 4], periodic=True).bands
    assert wanted.edges[:4] == (0, 1, 4, 8)
    assert wanted.edges[4] == pytest.approx(8 * 2**0.5)
    assert wanted.corner
    assert GridTransform((16,), bands=[0, 1, 4], periodic=True).bands == Bands((0, 1, 4, 8))
    assert GridTransform((16,), bands=[0, 1, 400], periodic=True).bands == Bands((0, 1, 400))
    assert GridTransform((16, 16), bands=[0, 1, 8], periodic=True).bands.corner
    small = Bands.log((8, 8))
    grown = GridTransform((16, 16), bands=small).bands
    assert grown.edges[:-1] == small.edges[:-1]
    assert grown.edges[-1] > small.edges[-1]


@pytest.mark.parametrize(
    ("edges", "corner", "text"),
    [
        ((0,), False, "expected at least 2 band edges, got 1; pass ascending finite frequencies"),
        ((0, 1), True, "expected at least 3 band edges, got 2;"),
        ((0, 1, float("nan")), False, "expected finite band edges, got"),
        ((0, 1, float("inf")), False, "expected finite band edges, got"),
        ((0.5, 1), False, "expected band edges that start at 0, got 0.5 as the first;"),
        ((0, 2, 2), False, "expected ascending band edges, got 2.0 followed by 2.0;"),
        ((0, 2, 1, 3), False, "expected ascending band edges, got 2.0 followed by 1.0;"),
    ],
)
def test_wrong_edges_are_refused(edges, corner, text):
    with pytest.raises(InputError) as caught:
        Bands(edges, corner)
    assert text in str(caught.value)


@pytest.mark.parametrize("make", [Bands.log, Bands.linear])
def test_fewer_than_two_bands_are_refused(make):
    with pytest.raises(
        InputError, match="count: expected at least 2 bands, one of them for the mean, got 1; pass"
    ):
        make((8,), count=1)
