"""Expected courses as records: against simulated descent on many draws of the noise."""

from __future__ import annotations

import math

import pytest
import torch

from overtone.errors import InputError
from overtone.records import metrics
from overtone.theory import risk

MODES, DRAWS = 24, 4000
STEPS = torch.tensor([0.0, 1.0, 4.0, 20.0, 80.0])
EDGES = torch.tensor([0.0, 8.0, 16.0, 24.0])


def problem(channels: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    k = torch.arange(1, MODES + 1, dtype=torch.float64)
    target = (MODES * k**-2).sqrt()[:, None].repeat(1, channels) * torch.arange(1, channels + 1)
    return MODES / k**2, target, (k.long() - 1) // 8


@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_the_mean_of_what_probes_would_see(channels: int) -> None:
    values, target, band = problem(channels)
    noise, rule = 0.3, risk.GradientDescent(0.5 / MODES)
    found = risk.expected_record(values, target.square(), noise, rule, STEPS, band, EDGES)
    source = torch.Generator().manual_seed(0)
    error = math.sqrt(noise) * torch.randn(DRAWS, MODES, channels, generator=source, dtype=torch.float64)
    observed = target + error
    for row, step in enumerate(STEPS.tolist()):
        fit = (1 - (1 - rule.rate * values) ** step)[:, None] * observed
        for name, parts in (
            ("residual_power", (observed - fit).square()),
            ("cross_power", observed * fit),
        ):
            power = parts.unflatten(1, (3, 8)).sum(2) / MODES
            # Five standard errors of the simulated mean.
            slack = 5 * power.std(0) / math.sqrt(DRAWS) + 1e-12
            known = torch.from_numpy(found[name].values[row])
            assert bool(((power.mean(0) - known).abs() <= slack).all())
        clean = (fit - target).square().mean((1, 2))
        assert (
            abs(float(clean.mean()) - float(found.clean_error[row]))
            <= 5 * float(clean.std()) / DRAWS**0.5 + 1e-12
        )


def test_derived_quantities_read_it() -> None:
    values, target, band = problem()
    steps = torch.arange(0.0, 400.0, 5.0)
    rule = risk.GradientDescent(0.5 / MODES)
    oracle = risk.expected_risk(values, target.square(), 0.3, rule, steps)
    found = risk.expected_record(values, target.square(), 0.3, rule, steps, band, EDGES, frequency_unit="Hz")
    assert metrics.stop(found).step == oracle.best_step
    assert found.attrs["origin"] == "predicted"
    assert found.band_high.values.tolist() == EDGES[1:].tolist()
    learned = metrics.learning_step(metrics.combine_channels(found)).values
    assert learned[0] < learned[1]
    assert float(found.noise_power.sum()) == pytest.approx(0.3)
    assert float(found.residual_power[0].sum()) == pytest.approx(float(found.target_power.sum()))


def test_times_and_edges_that_do_not_fit_are_refused() -> None:
    values, target, band = problem()
    flow = risk.GradientFlow()
    with pytest.raises(InputError, match=r"steps: expected whole steps, ascending, got \[0.0, 0.5\]"):
        risk.expected_record(values, target.square(), 0.1, flow, torch.tensor([0.0, 0.5]), band, EDGES)
    with pytest.raises(InputError, match="edges: expected 4 ascending edges"):
        risk.expected_record(values, target.square(), 0.1, flow, STEPS, band, EDGES[:3])
