from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overtone.signals import Normalisation, Signal, array, masks
from overtone.signals._normalisation import summarise
from tests.signals.refusals import refusal

tables = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(1, 20), st.integers(1, 3)),
    elements=st.floats(-1e6, 1e6, width=32),
)


def picture() -> Signal:
    return array(np.arange(24.0).reshape(4, 6))


@given(tables, st.booleans())
def test_normalisation_is_reversible_and_bounded(table: np.ndarray, per_channel: bool) -> None:
    values = torch.from_numpy(table)
    of = Normalisation.of(values, per_channel)
    eps = torch.finfo(values.dtype).eps
    normalised = of.apply(values)
    assert normalised.dtype == values.dtype
    # one subtraction and one division, each correctly rounded
    assert float(normalised.abs().max()) <= 1 + 2 * eps
    # the subtraction, division, product and sum each err by eps/2 of a quantity below |offset| + 2 scale
    # and, among the least numbers of the type, by half the distance between two
    least = float(np.finfo(table.dtype).smallest_subnormal)
    bound = 4 * eps * (of.offset.abs() + 2 * of.scale) + 2 * least
    assert bool(((of.restore(normalised) - values).double().abs() <= bound).all())


@given(tables)
def test_normalisation_agrees_with_plain_formulas(table: np.ndarray) -> None:
    exact = table.astype(np.float64)
    eps, least = np.finfo(table.dtype).eps, np.finfo(table.dtype).smallest_subnormal
    of, each = Normalisation.of(torch.from_numpy(table)), Normalisation.of(torch.from_numpy(table), True)
    largest = np.abs(exact).max(axis=0)
    np.testing.assert_array_less(np.abs(of.offset.numpy() - exact.mean(axis=0)), eps * largest + least)
    deviation = np.abs(exact - of.offset.numpy()).max(axis=0)
    np.testing.assert_allclose(
        each.scale.numpy(), np.where(deviation > 0, deviation, 1), rtol=eps, atol=least
    )
    if deviation.max() > 0:
        np.testing.assert_allclose(of.scale.numpy(), deviation.max(), rtol=eps, atol=least)


def test_a_small_deviation_on_a_large_offset_stays_within_one() -> None:
    values = torch.tensor([[1.0], [1.0 + 2**-23]])
    assert float(Normalisation.of(values).apply(values).abs().max()) <= 1
    per_column = Normalisation.of(torch.tensor([[1.0, 7.0], [3.0, 7.0]]), per_channel=True)
    assert per_column.scale.tolist() == [1.0, 1.0]


def test_a_shared_scale_keeps_the_weight_of_the_channels() -> None:
    values = torch.tensor([[0.0, 0.0], [2.0, 10.0]])
    assert Normalisation.of(values).scale.tolist() == [5.0, 5.0]
    assert Normalisation.of(values, per_channel=True).scale.tolist() == [1.0, 5.0]


def test_normalisation_refuses_what_it_cannot_map() -> None:
    assert "NaN or infinity at sample 1, channel 0" in refusal(
        Normalisation.of, torch.tensor([[0.0], [float("nan")]])
    )
    assert "floating-point values" in refusal(Normalisation.of, torch.zeros(0, 1))
    assert "floating-point values" in refusal(Normalisation.of, torch.zeros(3, 1, dtype=torch.int64))
    wide = torch.tensor([[-1.7e308], [1.7e308]], dtype=torch.float64)
    assert "whose sum and range fit torch.float64" in refusal(Normalisation.of, torch.cat([wide, wide[1:]]))


@pytest.mark.parametrize(("scale", "unit"), [(1e200, "larger"), (1e-200, "smaller")])
def test_values_whose_squares_float64_cannot_hold_are_refused(scale: float, unit: str) -> None:
    values = scale * torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    assert "scan.npy: expected values that differ by more than 1e-140 and less than 1e+140" in refusal(
        Normalisation.of, values, location="scan.npy"
    )
    assert f"express the values in a {unit} unit" in refusal(Normalisation.of, values)
    edge = Normalisation.of(values / scale * (1e139 if scale > 1 else 1e-139))
    assert 0 < float(edge.scale.square() * 1e9) < float("inf")


@pytest.mark.parametrize("position", [0, 5, (1 << 18) - 1, 1 << 18, (1 << 18) + 7])
def test_the_first_bad_value_is_found_across_blocks(position: int) -> None:
    values = torch.zeros((1 << 18) + 10, 2)
    values[position, 1] = float("inf")
    values[-1, 0] = float("nan")
    assert summarise(values).first_bad == (position, 1)


def test_a_summary_across_blocks_is_that_of_the_whole() -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(size=((1 << 18) + 1000, 2)))
    found = summarise(values)
    assert found.first_bad is None
    assert torch.equal(found.low, values.min(dim=0).values)
    assert torch.equal(found.high, values.max(dim=0).values)
    # two orders of summation of n terms differ by less than n eps of the mean modulus
    bound = values.shape[0] * 2.3e-16 * float(values.abs().mean())
    assert float((found.mean - values.mean(dim=0)).abs().max()) < bound


def test_indices_without_held_out_samples() -> None:
    signal = picture()
    assert signal.train_index.tolist() == list(range(24))
    assert signal.held_out_index.tolist() == []


def test_held_out_samples_leave_the_training_indices() -> None:
    mask = torch.zeros(24, dtype=torch.bool)
    mask[[3, 7]] = True
    signal = picture().with_held_out(mask)
    assert signal.held_out_index.tolist() == [3, 7]
    assert signal.train_index.tolist() == [i for i in range(24) if i not in (3, 7)]
    assert signal.with_held_out(None).train_index.tolist() == list(range(24))


def test_a_split_leaves_the_rest_unused() -> None:
    signal = picture().with_split(*masks.alternating(picture().geometry))
    assert signal.train_index.tolist() == [0, 2, 4, 12, 14, 16]
    assert signal.held_out_index.tolist() == [7, 9, 11, 19, 21, 23]
    assert signal.ignored is not None
    assert int(signal.ignored.sum()) == 12
    assert signal.with_held_out(None).ignored is None


def test_masks_that_do_not_fit_are_refused() -> None:
    signal, some = picture(), torch.zeros(24, dtype=torch.bool)
    some[0] = True
    assert "a bool mask of shape (24,), got torch.int64" in refusal(signal.with_held_out, some.long())
    assert "got torch.bool of shape (23,)" in refusal(signal.with_held_out, some[:23])
    assert "a mask that holds out all" in refusal(signal.with_held_out, torch.ones(24, dtype=torch.bool))
    assert "1 in both masks" in refusal(signal.with_split, some, some)
    assert "a mask that selects none" in refusal(signal.with_split, ~some & some, some)
    assert "train: expected a bool mask" in refusal(signal.with_split, some[:3], some)


def test_views_and_the_clean_reference() -> None:
    signal = picture()
    assert signal.grid_values.shape == (4, 6, 1)
    assert signal.grid_values[2, 1, 0] == 13
    assert signal.coords.shape == (24, 2)
    assert "a clean reference of shape (24, 1)" in refusal(signal.with_clean, torch.zeros(3, 1))
    clean = signal.with_clean(torch.zeros(24, 1)).clean
    assert clean is not None
    assert clean.dtype == torch.float64
