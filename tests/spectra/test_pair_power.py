"""Powers of pairs: identities, twins, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.spectra import GridTransform, PairSums, WindowedTransform
from overtone.spectra._pair_power import BLOCKS


def fields(samples: int, channels: int, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((samples, channels, *shape)))


def measured(prediction, target, transform):
    sums = PairSums(transform, target.shape[1])
    sums.update(prediction, target)
    return sums.compute()


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(2, 9), min_size=1, max_size=3),
    st.booleans(),
    st.floats(0, 2),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_powers_close_and_errors_add_up(shape, periodic, gain, noise, seed):
    target = fields(3, 2, tuple(shape), seed)
    prediction = gain * target + noise * fields(3, 2, tuple(shape), seed + 100)
    result = measured(prediction, target, GridTransform(shape, periodic=periodic))
    axes = (0, *range(2, target.ndim))
    for power, values in (
        (result.target, target),
        (result.prediction, prediction),
        (result.residual, prediction - target),
    ):
        torch.testing.assert_close(power.sum(0), values.square().mean(axes))
    torch.testing.assert_close(result.cross.sum(0), (prediction * target).mean(axes))
    parts = result.amplitude_error + result.decorrelation_error
    torch.testing.assert_close(parts, result.residual, rtol=4e-16, atol=0)
    assert bool((result.amplitude_error >= 0).all())
    assert bool((result.decorrelation_error >= 0).all())
    product = 2 * (result.prediction * result.target).sqrt() * (1 - result.coherence)
    solid = torch.isfinite(product)
    torch.testing.assert_close(result.decorrelation_error[solid], product[solid], rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("gain", [0.0, 0.3, 1.0, 1.7])
def test_a_factor_is_an_error_of_amplitude_alone(gain):
    target = fields(4, 1, (16, 16), 0)
    result = measured(gain * target, target, GridTransform((16, 16), periodic=True))
    torch.testing.assert_close(result.error_ratio, torch.full_like(result.target, (1 - gain) ** 2))
    torch.testing.assert_close(result.power_ratio, torch.full_like(result.target, gain**2))
    assert float(result.decorrelation_error.max()) < 1e-15
    if gain:
        torch.testing.assert_close(result.coherence, torch.ones_like(result.target))


def test_a_shift_is_decorrelation_alone():
    """cos(2 pi k x) moved by d has the coherence cos(2 pi k d) and all of its power."""
    x = torch.arange(32, dtype=torch.float64) / 32
    target, prediction = torch.cos(2 * torch.pi * 3 * x), torch.cos(2 * torch.pi * 3 * (x - 0.05))
    transform = GridTransform((32,), periodic=True, bands=[0, 2.5, 3.5, 16])
    result = measured(prediction[None, None], target[None, None], transform)
    assert float(result.coherence[1, 0]) == pytest.approx(np.cos(2 * np.pi * 3 * 0.05))
    assert float(result.power_ratio[1, 0]) == pytest.approx(1)
    assert float(result.amplitude_error[1, 0]) == pytest.approx(0, abs=1e-15)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 30), st.integers(1, 7), st.sampled_from([GridTransform, WindowedTransform]))
def test_chunks_give_the_same_figure(samples, chunk, kind):
    target, prediction = fields(samples, 2, (6, 5), 1), fields(samples, 2, (6, 5), 2)
    transform = kind((6, 5))
    whole = measured(prediction, target, transform)
    sums = PairSums(transform, 2)
    for first in range(0, samples, chunk):
        sums.update(prediction[first : first + chunk], target[first : first + chunk])
    parts = sums.compute()
    assert parts.samples == whole.samples == samples
    for name in ("target", "prediction", "residual", "blocks"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=1e-12, atol=1e-14)


def test_blocks_are_means_of_neighbours_and_their_number_is_bounded():
    samples = 3 * BLOCKS + 17
    target = fields(samples, 1, (4,), 3)
    result = measured(torch.zeros_like(target), target, GridTransform((4,), periodic=True, bands=[0, 3]))
    assert len(result.blocks) < BLOCKS
    assert result.block_length == 4
    squares = target.square().mean((1, 2))
    complete = samples // 4 * 4
    torch.testing.assert_close(result.blocks[:, 0, 0, 0], squares[:complete].reshape(-1, 4).mean(1))
    torch.testing.assert_close(result.target[0, 0], squares.mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_other_precisions_are_summed_in_float64(dtype):
    """A large offset in float32 must not add noise to steep spectra: coefficients are those of the rounded values."""
    target = (fields(2, 1, (16, 16), 4) + 100).to(dtype)
    prediction = (fields(2, 1, (16, 16), 5) + 100).to(dtype)
    single = measured(prediction, target, GridTransform((16, 16)))
    double = measured(prediction.double(), target.double(), GridTransform((16, 16)))
    torch.testing.assert_close(single.residual, double.residual, rtol=1e-14, atol=0)
    assert single.residual.dtype == torch.float64


def test_sums_start_again():
    sums = PairSums(GridTransform((4,)), 1)
    sums.update(torch.ones(1, 1, 4), torch.zeros(1, 1, 4))
    sums.reset()
    with pytest.raises(InputError, match="at least one sample"):
        sums.compute()
    sums.update(torch.ones(2, 1, 4), torch.ones(2, 1, 4))
    assert (sums.samples, float(sums.compute().residual.sum())) == (2, 0.0)


def test_pairs_of_other_shapes_are_refused():
    sums = PairSums(GridTransform((4, 4)), 2)
    with pytest.raises(InputError, match="targets' shape"):
        sums.update(torch.zeros(1, 2, 4, 4), torch.zeros(2, 2, 4, 4))
    with pytest.raises(InputError, match=r"\(samples, 2, \*space\)"):
        sums.update(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(InputError, match="values of shape"):
        sums.update(torch.zeros(1, 2, 4, 5), torch.zeros(1, 2, 4, 5))
    with pytest.raises(InputError, match="at least one channel"):
        PairSums(GridTransform((4,)), 0)
