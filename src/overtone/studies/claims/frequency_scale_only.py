"""Only the scale of random frequencies matters, not the family of their distribution."""

from __future__ import annotations

import numpy as np
import torch

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.signals import synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk

FAMILIES = ("Gaussian", "uniform", "Laplace", "log-uniform")


def measure(
    seed: int,
    exponent: float,
    families: list[str],
    scales: list[float],
    features: int,
    samples: int,
    draws: int,
) -> Measured:
    """Share of the variance of the logarithm of test error that a cubic in the logarithm of scale explains."""
    errors = np.zeros((len(families), len(scales)))
    for draw in range(draws):
        one = derive_seed(seed, f"draw {draw}")
        y = synthetic.power_law(2 * samples, exponent, seed=one, dtype=torch.float64).values[:, 0]
        for i, family in enumerate(families):
            for j, scale in enumerate(scales):
                frequencies = torch.from_numpy(scale * drawn(one, family, features))[:, None]
                errors[i, j] += np.log10(held_out_error(frequencies, y)) / draws
    x = np.tile(np.log2(scales), len(families))
    rest = errors.ravel() - np.polyval(np.polyfit(x, errors.ravel(), 3), x)
    curves = {family: (scales, 10**row) for family, row in zip(families, errors, strict=True)}
    return Measured(float(1 - rest.var() / errors.var()), curves)


def drawn(seed: int, family: str, count: int) -> np.ndarray:
    """(count,) frequencies with a standard deviation of 1."""
    source = numpy_generator(seed, family)
    sign = source.choice([-1.0, 1.0], count)
    if family == "Gaussian":
        return source.standard_normal(count)
    if family == "uniform":
        return source.uniform(-(3**0.5), 3**0.5, count)
    if family == "Laplace":
        return source.laplace(scale=0.5**0.5, size=count)
    if family == "log-uniform":
        return sign * 2 ** source.uniform(-4, 0, count) * (8 * np.log(2) / (1 - 2.0**-8)) ** 0.5
    return sign


def held_out_error(frequencies: torch.Tensor, y: torch.Tensor) -> float:
    """Mean squared error at every other sample of what a wide network fits to the rest, relative to the variance."""
    x = torch.arange(len(y), dtype=torch.float64)[:, None] / len(y)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 4, ntk.DualActivation.relu(), ntk.FeatureMap.fourier(frequencies)
    )
    kernel = wide(x, x[::2]).ntk
    ridge = 1e-6 * kernel[::2].diagonal().mean() * torch.eye(len(x[::2]), dtype=torch.float64)
    fitted = kernel[1::2] @ torch.linalg.solve(kernel[::2] + ridge, y[::2])
    return float((fitted - y[1::2]).square().mean() / y.var())


STUDY = Study(
    name="frequency-scale-only",
    family=Family.THEORY,
    claim="Only the scale of the distribution of random Fourier features matters, not its family.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
    "domains, section 6.1 and figure 4 (arXiv:2006.10739)",
    statistic="share of the variance of log test error, over families and scales, that a cubic in log scale explains",
    criterion=AtLeast(0.8),
    conditions=tuple(
        Condition(f"power k^-{a:g}", {"exponent": a, "families": list(FAMILIES)}) for a in (1.0, 2.0, 3.0)
    ),
    control=Condition(
        "with a family of one frequency", {"exponent": 2.0, "families": [*FAMILIES, "one frequency"]}
    ),
    measure=measure,
    axes=Axes(
        "Standard deviation of the frequencies (cycles per unit)", "Test error (of the variance)", True, True
    ),
    efforts={
        Size.SMOKE: Effort(
            1, {"scales": [1.0, 2.0, 4.0, 8.0, 16.0], "features": 32, "samples": 16, "draws": 1}
        ),
        Size.QUICK: Effort(
            3,
            {"scales": [0.5 * 2**i for i in range(9)], "features": 32, "samples": 64, "draws": 4},
        ),
        Size.FULL: Effort(
            20, {"scales": [0.25 * 2**i for i in range(11)], "features": 256, "samples": 512, "draws": 20}
        ),
    },
    depends="the target's spectrum",
    caveat="Infinitely wide networks, in their tangent kernel and trained to the end, so that small scales do not "
    "underfit; one dimension.",
)
