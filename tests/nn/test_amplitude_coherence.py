"""The loss of amplitude and coherence: its value, its gradient, and that blur does not pay."""

from __future__ import annotations

import pytest
import torch

from overtone import spectra
from overtone.errors import InputError
from overtone.nn.losses import AmplitudeCoherence
from overtone.spectra._sphere_grid import SphereGridKind


class Pixels(spectra.BandTransform):
    """The 48 pixels of a HEALPix grid as a table of 8 x 6, as the other fields are."""

    def __init__(self, grid: spectra.HealpixGrid) -> None:
        self.transform = spectra.HealpixTransform(grid)
        self.bands = self.transform.bands

    def coefficients(self, values: torch.Tensor) -> torch.Tensor:
        return self.transform.coefficients(values.flatten(0, 1))

    def cross(self, coefficients: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return self.transform.cross(coefficients, other)


TRANSFORMS = {
    "box": lambda: spectra.GridTransform((8, 6), periodic=True),
    "open box": lambda: spectra.GridTransform((8, 6)),
    "windowed": lambda: spectra.WindowedTransform((8, 6)),
    "HEALPix": lambda: Pixels(spectra.HealpixGrid(2)),
    "sphere": lambda: spectra.SphereTransform(spectra.SphereGrid(SphereGridKind.CELLS, 8, 6)),
}
EACH = pytest.mark.parametrize("build", TRANSFORMS.values(), ids=TRANSFORMS)


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 3, 2, 8, 6, generator=generator, dtype=torch.float64)
    return first, second


def by_loops(transform, prediction, target) -> float:
    """The formula, one field and one band at a time."""
    total, count = 0.0, 0
    for f, g in zip(prediction.flatten(0, 1), target.flatten(0, 1), strict=True):
        one, other = (transform.coefficients(x[..., None]) for x in (f, g))
        powers = zip(
            transform.power(one)[:, 0].tolist(),
            transform.power(other)[:, 0].tolist(),
            transform.cross(one, other)[:, 0].tolist(),
            strict=True,
        )
        for pf, pg, cross in powers:
            if pf > 0 and pg > 0:
                total += (pf**0.5 - pg**0.5) ** 2 + 2 * max(pf, pg) * (1 - cross / (pf * pg) ** 0.5)
        count += 1
    return total / count


@EACH
def test_it_is_the_formula(build):
    transform, (prediction, target) = build(), pair()
    value = AmplitudeCoherence(transform)(prediction, target)
    assert float(value) == pytest.approx(by_loops(transform, prediction, target), rel=1e-6)


@EACH
def test_its_gradient_is_that_of_differences(build):
    prediction, target = (x[:1, :1] for x in pair())
    loss = AmplitudeCoherence(build())
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (prediction.requires_grad_(),), atol=1e-6)


def test_a_factor_costs_the_mean_square_error_and_a_perfect_prediction_nothing():
    _, target = pair()
    loss = AmplitudeCoherence(spectra.GridTransform((8, 6), periodic=True))
    for gain in (0.3, 1.0, 1.4):
        error = (gain - 1) ** 2 * target.square().mean()
        assert float(loss(gain * target, target)) == pytest.approx(float(error), abs=1e-8)


def test_damping_an_unrelated_prediction_does_not_pay():
    """The mean square error falls when an unrelated prediction is damped; this loss rises."""
    prediction, target = pair()
    loss = AmplitudeCoherence(spectra.GridTransform((8, 6), periodic=True))
    gains = [0.2, 0.6, 1.0]
    losses = [float(loss(gain * prediction, target)) for gain in gains]
    errors = [float((gain * prediction - target).square().mean()) for gain in gains]
    assert errors[0] < errors[-1]
    assert losses[0] > losses[-1]


def test_a_prediction_without_power_has_a_finite_gradient():
    _, target = pair()
    zero = torch.zeros_like(target).requires_grad_()
    AmplitudeCoherence(spectra.GridTransform((8, 6)))(zero, target).backward()
    assert bool(zero.grad.isfinite().all())


def test_wrong_arguments_are_refused():
    transform = spectra.GridTransform((8, 6))
    with pytest.raises(InputError, match="positive"):
        AmplitudeCoherence(transform, epsilon=0)
    with pytest.raises(InputError, match="target's shape"):
        AmplitudeCoherence(transform)(torch.zeros(1, 1, 8, 6), torch.zeros(2, 1, 8, 6))
