from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.nn.encodings import Basic, Gaussian, Positional
from overtone.signals import array
from overtone.theory import kernel_regression, ntk
from overtone.theory.kernel_regression._full_grid import _cosine_diagonal
from overtone.theory.ntk._operators.stationary import ToeplitzOperator, stationary_kernel_lags
from tests.theory_kernel_regression.slow import dense, gaussian, picture, seeded


def whole(n: int, noise: float, channels: int = 1):
    return picture(n, channels, noise).with_held_out(None)


def test_where_the_kernel_wraps_around_the_fit_is_exact():
    signal = whole(12, 0.3, 2)
    model = kernel_regression.NTKModel.from_encoding(Positional.octaves(2, 3), signal.geometry)
    found = kernel_regression.fit_full_grid(signal, model)
    exact = dense(signal, model, found.times[found.index : found.index + 1])[0]
    assert torch.allclose(found.prediction, exact, atol=1e-8)
    assert found.vectors == 0
    assert len(found.notes) == 1


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 2**31))
def test_the_cosine_diagonal_is_that_of_the_dense_matrix(n, seed):
    lag = torch.randn(n, generator=seeded(seed), dtype=torch.float64)
    matrix = lag[(torch.arange(n)[:, None] - torch.arange(n)).abs()]
    place = math.pi * (torch.arange(n).double() + 0.5) / n
    waves = (torch.arange(n)[:, None] * place).cos()
    waves = waves / waves.norm(dim=1, keepdim=True)
    row = torch.cat([lag, torch.zeros(1).double(), lag[1:].flip(0)])
    assert torch.allclose(_cosine_diagonal(row)[:n], (waves @ matrix @ waves.mT).diagonal(), atol=1e-12 * n)


@pytest.mark.parametrize(
    "encoding", [gaussian(1.5), Positional([[1.0, 2.0], [0.7, 1.3]])], ids=["both", "one"]
)
def test_each_mode_has_the_rate_that_the_kernel_gives_its_wave(encoding):
    signal = whole(8, 0.0)
    model = kernel_regression.NTKModel.from_encoding(encoding, signal.geometry)
    operator = model.operator((8, 8))
    place = math.pi * (torch.arange(8).double() + 0.5) / 8
    across = (3 * place).cos()
    along = (
        (2 * math.pi * 2 * torch.arange(8) / 8).cos()
        if isinstance(encoding, Positional)
        else (5 * place).cos()
    )
    wave = along[:, None] * across
    rate = float((operator.apply_everywhere(wave.reshape(-1)) * wave).sum() / wave.square().sum())
    found = kernel_regression.fit_full_grid(
        array(wave + 1e-3 * torch.randn(8, 8, generator=seeded(1)).double()), model
    )
    learned = float((found.prediction[..., 0] * wave).sum() / wave.square().sum())
    assert learned == pytest.approx(1 - math.exp(-rate * found.time), abs=2e-3)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_cross_validation_stops_near_the_best_time(noise):
    signal = whole(28, noise)
    model = kernel_regression.NTKModel.from_encoding(gaussian(2.0), signal.geometry)
    found = kernel_regression.fit_full_grid(signal, model)
    risk = (found.prediction.reshape(-1, 1) - signal.clean).square().mean()
    # the oracle among the times looked at, through the exact kernel
    oracle = (
        (dense(signal, model, found.times[10:60:4]).reshape(-1, 784, 1) - signal.clean).square().mean((1, 2))
    )
    assert float(risk) < 1.25 * float(oracle.min())
    assert float(risk) < 0.6 * noise**2


def test_a_kernel_of_low_rank_is_refused():
    signal = whole(24, 0.3)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 2,
        ntk.DualActivation.erf(),
        ntk.FeatureMap.fourier(Gaussian(2, 4, 0.3, seed=0).frequencies),
    )
    with pytest.raises(InputError, match="a kernel of full rank 576, as cross-validation requires, got rank"):
        kernel_regression.fit_full_grid(signal, kernel_regression.NTKModel(wide, (1 / 24, 1 / 24)))
    kernel_regression.fit_full_grid(
        signal, kernel_regression.NTKModel.from_encoding(gaussian(2.0), signal.geometry)
    )


def test_gaps_are_refused():
    signal = picture(8)
    with pytest.raises(
        InputError, match=r"every sample of the grid to train on, got \d+ of 64; use fit, which"
    ):
        kernel_regression.fit_full_grid(
            signal, kernel_regression.NTKModel.from_encoding(Basic(2), signal.geometry)
        )


def test_the_nearest_kernel_is_close():
    """In operator norm, beside the exact kernel: a border effect only."""
    signal = whole(16, 0.0)
    model = kernel_regression.NTKModel.from_encoding(gaussian(1.5), signal.geometry)
    operator = ToeplitzOperator(stationary_kernel_lags(model.network, (16, 16), model.spacing), (16, 16))
    exact = operator.apply_everywhere(torch.eye(256, dtype=torch.float64)).reshape(256, 256)
    place = math.pi * (torch.arange(16).double() + 0.5) / 16
    waves = (torch.arange(16)[:, None] * place).cos()
    waves = waves / waves.norm(dim=1, keepdim=True)
    basis = torch.kron(waves, waves)
    rotated = basis @ exact @ basis.mT
    off = (rotated - rotated.diagonal().diag()).norm() / rotated.norm()
    assert float(off) < 0.35
