"""Twins of scattered samples, against training written out as a differential equation."""

import math

import numpy as np
import pytest
import torch

from overtone import signals
from overtone._config import EncodingKind
from overtone._utils.seeding import derive_seed
from overtone.nn import CoordinateScaling
from overtone.nn._build import build_encoding_on
from overtone.planning import Budget
from overtone.planning._held_out import ensure_held_out
from overtone.planning._run_size import run_size
from overtone.planning._scattered_plan import KernelRegressionScorer
from overtone.theory import ntk

BANDWIDTH = (0.5, 0.5)


def twins(steps, samples=120, channels=1, most=4096):
    generator = np.random.default_rng(0)
    x = generator.random((samples, 2))
    waves = (
        np.sin(2 * np.pi * 2 * x[:, :1]) + x[:, 1:] + 0.02 * generator.standard_normal((samples, channels))
    )
    signal = ensure_held_out(signals.points(x, waves * np.arange(1, channels + 1)), 0)
    budget = Budget(steps=steps, parameters=2000)
    found = KernelRegressionScorer.of(signal, run_size(signal, budget), 0)
    assert found.samples == min(samples, most)
    return found


def integrated(found):
    """Least error within the run's time, by matrix exponentials instead of an eigendecomposition."""
    signal, places = found.signal, found.signal.geometry
    encoding = build_encoding_on(
        places, EncodingKind.GAUSSIAN, found.size.features, BANDWIDTH, derive_seed(0, "encoding")
    )
    frame = CoordinateScaling.of(places.origin, places.extent, places.units, encoding.domain)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(sigma_b=0.0)] * 4,
        ntk.DualActivation.relu(),
        ntk.FeatureMap.fourier(encoding.frequencies, encoding.gain),
    )
    train, held = signal.train_index, signal.held_out_index
    x, z = frame(places.coords(train)), frame(places.coords(held))
    kernel, across = wide(x, x).ntk, wide(z, x).ntk
    top = float(torch.linalg.matrix_norm(kernel, 2))
    errors = []
    values = signal.values.double()
    rest = values[train] - values[train].mean(0)
    for k in range(100):
        time = 10 ** (k / 8 - 1)
        if time > 2 * found.size.steps:
            break
        # d/dt (a, 1) = (y - K a, 0): the coefficients a of the kernel functions after `time` / top.
        run_size = len(train)
        flow = torch.zeros(run_size + rest.shape[1], run_size + rest.shape[1], dtype=torch.float64)
        flow[:run_size, :run_size], flow[:run_size, run_size:] = -kernel, rest
        coefficients = torch.linalg.matrix_exp(flow * time / top)[:run_size, run_size:]
        fit = across @ coefficients + values[train].mean(0)
        errors.append(float((fit - values[held]).square().mean()))
    return min(errors)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", [2, 30, 300])
def test_the_error_is_that_of_the_differential_equation(steps, channels):
    found = twins(steps, channels=channels)
    # The kernel's entries are known to 1e-8 (an angle near zero); 2 steps / lambda of time lets what was lost of
    # them in the root of the kernel grow to at most that times the steps.
    assert found.error(EncodingKind.GAUSSIAN, BANDWIDTH) == pytest.approx(integrated(found), rel=1e-8 * steps)


def test_another_run_is_told_apart():
    assert twins(30).error(EncodingKind.GAUSSIAN, BANDWIDTH) != pytest.approx(integrated(twins(60)), rel=1e-3)


@pytest.mark.parametrize("family", [EncodingKind.GAUSSIAN, EncodingKind.NONE])
def test_longer_runs_reach_no_larger_error(family):
    errors = [twins(steps).error(family, BANDWIDTH) for steps in (1, 10, 100, 1000, 10**6)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_a_short_run_is_not_told_what_only_a_long_one_reaches():
    def loss(steps):
        found = twins(steps)
        return 10 * math.log10(
            found.error(EncodingKind.NONE, BANDWIDTH) / found.error(EncodingKind.GAUSSIAN, (3.0, 3.0))
        )

    assert loss(20) > loss(10**6) + 2


def test_the_error_is_in_units_of_the_values():
    small = twins(30)
    held = small.signal.held_out
    signal = signals.points(small.signal.coords, 1000 * small.signal.values).with_held_out(held)
    large = KernelRegressionScorer(signal, small.size, 0)
    assert large.error(EncodingKind.GAUSSIAN, BANDWIDTH) == pytest.approx(
        1e6 * small.error(EncodingKind.GAUSSIAN, BANDWIDTH), rel=1e-6
    )
    assert large.baseline == pytest.approx(1e6 * small.baseline, rel=1e-6)
    assert large.held_out == small.held_out


def test_of_many_samples_some_are_used_in_the_same_proportion():
    found = twins(10, samples=6000)
    assert len(found.signal.held_out_index) == pytest.approx(410, abs=2)
    assert torch.equal(found.signal.held_out_index, twins(10, samples=6000).signal.held_out_index)
