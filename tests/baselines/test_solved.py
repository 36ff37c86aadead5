"""Band-limited interpolation and smoothing against dense linear algebra."""

import math

import numpy as np
import pytest
import torch

from overtone import signals
from overtone.baselines import BandLimitedFit, Linear, Smoothing
from overtone.baselines._smoothing import CosineBasis, conjugate_gradients
from overtone.signals import masks

TIGHT = 1e-12
"""Tolerance of conjugate gradients; with condition numbers below 1e4 here the error is below 1e-8."""


def basis(n, periodic):
    """(n, n) orthonormal real waves as columns and their |f| in cycles per sample, written out."""
    x = np.arange(n)
    if not periodic:
        k = np.arange(n)
        columns = (
            np.cos(math.pi * (x[:, None] + 0.5) * k / n) * np.where(k == 0, 1, math.sqrt(2)) / math.sqrt(n)
        )
        return columns, k / (2 * n)
    columns, frequency = [np.full(n, 1 / math.sqrt(n))], [0.0]
    for k in range(1, (n + 1) // 2):
        for wave in (np.cos, np.sin):
            columns.append(wave(2 * math.pi * k * x / n) * math.sqrt(2 / n))
            frequency.append(k / n)
    if n % 2 == 0:
        columns.append(np.cos(math.pi * x) / math.sqrt(n))
        frequency.append(0.5)
    return np.stack(columns, 1), np.array(frequency)


def dense(shape, periodic):
    """(N, N) basis of a grid and (N, d) frequencies."""
    first, second = (basis(n, p) for n, p in zip(shape, periodic, strict=True))
    both = np.stack(np.meshgrid(first[1], second[1], indexing="ij"), -1).reshape(-1, 2)
    return np.kron(first[0], second[0]), both


@pytest.mark.parametrize("periodic", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("shape", [(6, 7), (8, 5)])
def test_filters_are_those_of_the_written_basis(shape, periodic):
    waves, (columns, frequency) = CosineBasis(shape, periodic), dense(shape, periodic)
    values = np.random.default_rng(0).standard_normal((*shape, 2))
    gain = np.exp(-3 * sum(f for f in waves.frequency))
    slow = columns @ (np.exp(-3 * frequency.sum(1))[:, None] * (columns.T @ values.reshape(-1, 2)))
    fast = waves.filtered(values, gain).reshape(-1, 2)
    assert np.abs(fast - slow).max() < 1e-13 * values.size


def problem(shape):
    rng = np.random.default_rng(3)
    present = rng.random(shape) < 0.8
    return np.where(present[..., None], rng.standard_normal((*shape, 2)), 0.0), present


@pytest.mark.parametrize("periodic", [(False, False), (True, False)])
def test_the_band_is_fitted_by_least_squares(periodic):
    shape, cut = (12, 11), 0.2
    target, present = problem(shape)
    columns, frequency = dense(shape, periodic)
    inside = columns[:, (frequency < cut).all(1)]
    seen = present.reshape(-1)
    weights = np.linalg.lstsq(inside[seen], target.reshape(-1, 2)[seen], rcond=None)[0]
    found = BandLimitedFit().solve(
        CosineBasis(shape, periodic), target, present, cut, np.zeros_like(target), TIGHT
    )
    assert np.abs(found.reshape(-1, 2) - inside @ weights).max() < 1e-8


@pytest.mark.parametrize("periodic", [(False, False), (True, False)])
@pytest.mark.parametrize("cut", [0.1, 0.4])
def test_the_smooth_field_solves_its_normal_equations(periodic, cut):
    shape = (12, 11)
    target, present = problem(shape)
    columns, frequency = dense(shape, periodic)
    penalty = np.square(np.square(frequency).sum(1) / cut**2)
    matrix = np.diag(present.reshape(-1).astype(float)) + columns * penalty @ columns.T
    slow = np.linalg.solve(matrix, target.reshape(-1, 2))
    found = Smoothing().solve(
        CosineBasis(shape, periodic), target, present, cut, np.zeros_like(target), TIGHT
    )
    assert np.abs(found.reshape(-1, 2) - slow).max() < 1e-8


def test_conjugate_gradients_solve_several_systems_and_stop_when_told():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((20, 20))
    matrix, right = root @ root.T + 20 * np.eye(20), rng.standard_normal((20, 3))
    right[:, 2] = 0
    start = rng.standard_normal((20, 3))
    found = conjugate_gradients(lambda x: matrix @ x, right, start, tolerance=TIGHT)
    assert np.abs(found - np.linalg.solve(matrix, right)).max() < 1e-10
    short = conjugate_gradients(lambda x: matrix @ x, right, start, tolerance=TIGHT, max_iterations=2)
    assert np.abs(short - np.linalg.solve(matrix, right)).max() > 1e-4


def waves(n=48, noise=0.0):
    x = np.arange(n) / n
    clean = np.cos(2 * np.pi * 2 * x)[:, None] + np.sin(2 * np.pi * 3 * x)[None]
    return signals.array(clean + noise * np.random.default_rng(0).standard_normal((n, n))), clean


def psnr(baseline, signal, clean):
    held = signal.held_out_index
    return -10 * math.log10(
        float((baseline.predict(signal)[held, 0] - torch.from_numpy(clean).reshape(-1)[held]).square().mean())
    )


def test_smoothing_adapts_to_noise():
    quality = {}
    for noise in (0.0, 0.5):
        signal, clean = waves(noise=noise)
        signal = signal.with_held_out(masks.random(signal.geometry, 0.1, 0))
        quality[noise] = [psnr(b, signal, clean) for b in (Smoothing(), BandLimitedFit(), Linear())]
    assert quality[0.5][0] > quality[0.5][2] + 5
    assert quality[0.5][1] > quality[0.5][2] + 5
    assert quality[0.0][0] > 40
    assert quality[0.0][0] > quality[0.0][2]


def test_the_same_seed_gives_the_same():
    signal, _ = waves(24, 0.3)
    signal = signal.with_held_out(masks.random(signal.geometry, 0.2, 0))
    assert torch.equal(Smoothing(1).predict(signal), Smoothing(1).predict(signal))
