"""Predictions far larger than the target leave the target in the residual, or make its powers undetermined."""

import numpy as np
import pytest
import torch
from torch import nn

from overtone import signals
from overtone.probes import Probe, ProbeWarning, Spread
from overtone.probes._residual import residual_of
from overtone.probes.views._grid import make_measurement
from tests.probes.fields import Frozen

FLOAT32 = torch.finfo(torch.float32).eps


def wave(samples: int = 64) -> signals.Signal:
    x = torch.arange(samples, dtype=torch.float32) / samples
    return signals.array(torch.cos(2 * torch.pi * 5 * x), periodic=True)


class Constant(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, inputs):
        return self.value.expand(len(inputs), 1)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9, 1e11])
def test_a_large_constant_output_has_learned_no_band(size, tmp_path):
    data = wave()
    assert data.values.dtype is torch.float32
    with Probe(data, Frozen(torch.full((64, 1), size), data.geometry), tmp_path / "grid") as probe:
        probe(0)
    inputs, targets = torch.linspace(0, 1, 64)[:, None], data.values
    with Probe.of(inputs, targets, Constant(size), tmp_path / "samples") as samples:
        samples(0)
    for record in (probe.record, samples.record):
        known = record.target_power.values[1:]
        row = record.residual_power.isel(step=0).values[1:]
        # A float64 difference of values of this size, squared and summed over the samples.
        bound = 64 * max(size * torch.finfo(torch.float64).eps, FLOAT32)
        np.testing.assert_allclose(row, known, atol=bound)
        assert np.abs(record.cross_power.isel(step=0).values[1:]).max() <= bound


def test_a_spread_measurement_keeps_the_target_too():
    data = signals.synthetic.power_law((64, 64), 2.0, seed=0)
    data = signals.array(data.grid_values[..., 0].float())
    measured = make_measurement(data, Spread(1024, seed=0))
    row = measured.row(torch.full((len(measured.index), 1), 1e8))
    # Bands that tiles resolve; in those below, the mean of few samples leaks.
    resolved = np.asarray(measured.bands.low) >= measured.geometry["measured_spread"]["tiles_resolve_from"]
    known = measured.target_power.numpy()[resolved]
    assert resolved.sum() > 5
    np.testing.assert_allclose(row["residual_power"][resolved], known, atol=1e-4 * known.sum())


def test_beyond_double_precision_the_powers_are_undetermined(tmp_path):
    data = wave()
    with (
        pytest.warns(ProbeWarning, match="so large that the target is lost"),
        Probe(data, Frozen(torch.full((64, 1), 1e17), data.geometry), tmp_path) as probe,
    ):
        probe(0)
    assert np.isnan(probe.record.residual_power).all()
    assert float(probe.record.train_error.item()) == pytest.approx(1e34, rel=1e-5)


def test_ordinary_predictions_have_the_plain_difference():
    target, prediction = torch.randn(2, 50, 1, generator=torch.Generator().manual_seed(0))
    assert torch.equal(residual_of(target, prediction), target - prediction)
    assert residual_of(target, 1e4 * prediction).dtype is torch.float64
    assert residual_of(target, torch.full_like(target, torch.inf)).isinf().all()
    zero = torch.zeros(5, 1)
    assert torch.equal(residual_of(zero, zero), zero)
