from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra import Bands, GridTransform, axis_grid, grid
from tests.spectra.twins import tolerance

PRECISION = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


@st.composite
def fields(draw):
    """Two fields of one shape and type with a mean and scales over many decades, and how to look at them."""
    axes = draw(st.integers(1, 3))
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=axes, max_size=axes)))
    shape = (shape[0] + 1, *shape[1:])
    periodic = tuple(draw(st.lists(st.booleans(), min_size=axes, max_size=axes)))
    spacing = tuple(draw(st.lists(st.sampled_from([0.02, 1.0, 3.0]), min_size=axes, max_size=axes)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale, mean = draw(st.sampled_from([1e-15, 1.0, 1e9])), draw(st.sampled_from([0.0, 1.0, 100.0]))
    pair = (torch.randn(2, *shape, generator=generator, dtype=torch.float64) + mean) * scale
    return pair[0].to(dtype), pair[1].to(dtype), spacing, periodic


def allowed(*values):
    """The error bound of the spectrum of the largest of some fields."""
    total = max(float(v.double().square().mean()) for v in values)
    samples = values[0].numel()
    return float(tolerance(np.array([total]), total, samples, PRECISION[values[0].dtype])[0])


def mean(values):
    return float(values.double().mean())


@given(fields())
@settings(max_examples=50, deadline=None)
def test_power_closes(case):
    field, other, spacing, periodic = case
    found = grid(field, spacing, periodic=periodic, reference=other)
    room = allowed(field, other)
    assert abs(float(found.power.sum()) - mean(field.double() ** 2)) <= room
    assert abs(float(found.cross.sum()) - mean(field.double() * other.double())) <= room
    assert (found.power >= 0).all()
    assert (found.cross.square() <= found.power * found.reference_power * (1 + 1e-9) + room**2).all()


@given(fields(), st.floats(-4, 4))
@settings(max_examples=40, deadline=None)
def test_coefficients_are_linear(case, factor):
    field, other, spacing, periodic = case
    transform = GridTransform(field.shape, spacing, periodic)
    mixed = transform.coefficients((field + factor * other)[..., None])
    apart = transform.coefficients(field[..., None]) + factor * transform.coefficients(other[..., None])
    room = math.sqrt(allowed(5 * field, 5 * other) * field.numel()) * PRECISION[field.dtype] ** 0.5
    assert (mixed - apart).abs().max() <= room


@given(fields())
@settings(max_examples=40, deadline=None)
def test_cross_power_is_the_polarisation_of_power(case):
    field, other, spacing, periodic = case
    transform = GridTransform(field.shape, spacing, periodic)
    a, b = transform.coefficients(field[..., None]), transform.coefficients(other[..., None])
    polarised = (transform.power(a + b) - transform.power(a - b)) / 4
    assert (transform.cross(a, b) - polarised).abs().max() <= 2 * allowed(field, other)
    assert torch.equal(transform.cross(a, b), transform.cross(b, a))


@given(fields(), st.integers(-20, 20))
@settings(max_examples=40, deadline=None)
def test_shifts_along_periodic_axes_and_mirrors_of_even_ones_leave_the_power(case, shift):
    field, _, spacing, periodic = case
    moved = field
    for axis, wraps in enumerate(periodic):
        moved = moved.roll(shift, axis) if wraps else moved.flip(axis)
    before, after = (grid(v, spacing, periodic=periodic).power for v in (field, moved))
    assert (before - after).abs().max() <= 2 * allowed(field)


def test_shifts_along_even_axes_change_the_power():
    ramp = torch.arange(32, dtype=torch.float64)
    before, after = grid(ramp).power, grid(ramp.roll(5)).power
    assert (before - after).abs().max() > 1


@given(fields())
@settings(max_examples=40, deadline=None)
def test_channels_do_not_see_each_other(case):
    field, other, spacing, periodic = case
    both = grid(torch.stack([field, other], -1), spacing, periodic=periodic, channel_axis=-1).power
    for c, alone in enumerate((field, other)):
        single = grid(alone, spacing, periodic=periodic).power[:, 0]
        torch.testing.assert_close(both[:, c], single, rtol=1e-12, atol=allowed(field, other))


@given(fields())
@settings(max_examples=40, deadline=None)
def test_axis_spectra_close(case):
    field, _, spacing, periodic = case
    found = axis_grid(field, 0, spacing, periodic=periodic)
    assert abs(float(found.power.sum()) - mean(field.double() ** 2)) <= allowed(field)


@given(fields(), st.lists(st.floats(1e-3, 50), min_size=1, max_size=5, unique=True))
@settings(max_examples=40, deadline=None)
def test_power_closes_on_any_bands(case, edges):
    field, _, spacing, periodic = case
    edges = sorted(edges)
    found = grid(field, spacing, periodic=periodic, bands=[0, *edges])
    assert abs(float(found.power.sum()) - mean(field.double() ** 2)) <= allowed(field)
    merged = grid(field, spacing, periodic=periodic, bands=Bands((0, found.bands.edges[-1])))
    assert abs(float(merged.power.sum() - found.power.sum())) <= 1e-12 * float(found.power.sum())
