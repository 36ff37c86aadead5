"""Tangent kernels of networks with Fourier features: their shape, their width, and the training they predict."""

from __future__ import annotations

import math

import numpy as np
import torch

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone._utils.steps import log_steps
from overtone.nn import MLP, encodings
from overtone.signals import synthetic
from overtone.studies._claims._shared import wide_network
from overtone.studies._criteria import AtLeast, AtMost, Between
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Topic,
)
from overtone.theory import ntk
from overtone.theory._mode_dynamics import GradientDescent
from overtone.theory.dynamics import Linearised


def measure_fourier_kernel_stationary(
    seed: int, power: float | None, points: int, width: int, depth: int, networks: int
) -> Measurement:
    """Measure the spread of kernel entries of equal distance, relative to the kernel's change with distance."""
    x = torch.arange(points, dtype=torch.float64)[:, None] / points
    kernel = torch.zeros(points, points, dtype=torch.float64)
    for number in range(networks):
        network = _tones_network(power, width, depth, derive_seed(seed, f"network {number}"))
        kernel += ntk.empirical_ntk(network, x).matrix / networks
    # Row i, column d: the entry of points i and i + d. A stationary kernel has equal rows here.
    shift = torch.arange(points)
    by_distance = kernel[shift[:, None], (shift[:, None] + shift) % points]
    half = by_distance[:, : points // 2 + 1]
    profile = half.mean(0)
    spread = float(
        (half - profile).square().mean().sqrt() / (profile - profile.mean()).square().mean().sqrt()
    )
    return Measurement(
        spread, {"": ((shift[: points // 2 + 1] / points).numpy(), (profile / profile[0]).numpy())}
    )


def _tones_network(power: float | None, width: int, depth: int, seed: int) -> torch.nn.Module:
    """Return a ReLU network on 16 tones with amplitudes j^-power, or on the coordinate less its mean."""
    if power is None:
        return torch.nn.Sequential(_Centred(), MLP(1, 1, width, depth, seed=seed)).double()
    return torch.nn.Sequential(encodings.PowerLaw(1, 16, power), MLP(32, 1, width, depth, seed=seed)).double()


class _Centred(torch.nn.Module):
    """Coordinate less its mean, x - 1/2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, 1) to the same shape."""
        return x - 0.5


FOURIER_KERNEL_STATIONARY = Study(
    name="fourier-kernel-stationary",
    topic=Topic.THEORY,
    claim=(
        "With Fourier features the tangent kernel of a network is stationary: it depends on distance alone."
    ),
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
        "domains, section 4 (arXiv:2006.10739)"
    ),
    statistic=(
        "root mean square spread of kernel entries of equal distance, relative to that of their means over "
        "distance, mean kernel of finite networks"
    ),
    criterion=AtMost(0.1),
    conditions=tuple(Condition(f"16 tones, amplitudes j^-{p:g}", {"power": p}) for p in (0.0, 1.0, 2.0)),
    control=Condition("plain coordinate", {"power": None}),
    positive=MET_BY_A_CONDITION,
    measure=measure_fourier_kernel_stationary,
    axes=FigureAxes("Distance (of the period)", "Mean kernel, relative to distance 0"),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"points": 16, "width": 16, "depth": 2, "networks": 2}),
        StudySize.QUICK: SizeSettings(3, {"points": 32, "width": 512, "depth": 2, "networks": 40}),
        StudySize.FULL: SizeSettings(20, {"points": 128, "width": 1024, "depth": 3, "networks": 64}),
    },
    factor="the amplitudes",
    limits=(0.0, math.inf),
    caveat=(
        "At infinite width it is exact, by the features' inner product; the study measures how closely "
        "networks of finite width agree with it, before training."
    ),
)


def measure_fourier_kernel_width(
    seed: int, encoded: bool, depth: int, count: int, scales: list[float], points: int
) -> Measurement:
    """Measure the exponent with which the kernel's half width falls as the scale grows."""
    widths = []
    for scale in scales:
        # Frequencies of each scale are drawn for themselves: their kernels are not stretched copies of one another.
        draw = numpy_generator(seed, f"frequencies of scale {scale}").standard_normal((count, 1))
        finite = ntk.FeatureMap.fourier(scale * torch.from_numpy(draw))
        features = (finite if count else ntk.FeatureMap.gaussian_fourier(scale)) if encoded else None
        kernel = wide_network(depth, 0.1, features=features)
        widths.append(_half_width(kernel, 1.0 if encoded else scale, points))
    slope = float(np.polyfit(np.log(scales), np.log(widths), 1)[0])
    return Measurement(slope, {"": (scales, widths)})


def _half_width(kernel: ntk.InfiniteNetwork, stretch: float, points: int) -> float:
    """Return the distance from the middle of [-1, 1] at which the kernel is halfway to its value at the end."""
    x = torch.linspace(0, 1, points, dtype=torch.float64)[:, None]
    row = kernel(stretch * (x[:1] - 0.5), stretch * (x - 0.5)).ntk[0].numpy()
    level = (row[0] + row[-1]) / 2
    # Interpolation needs rising values, whichever way the kernel changes.
    return float(np.interp(0.0, np.sign(row[-1] - row[0]) * (row - level), x[:, 0].numpy()))


FOURIER_KERNEL_WIDTH = Study(
    name="fourier-kernel-width",
    topic=Topic.THEORY,
    claim=(
        "The scale of Gaussian Fourier features tunes the width of the tangent kernel, which is its "
        "reciprocal."
    ),
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
        "domains, sections 4 and 5 (arXiv:2006.10739)"
    ),
    statistic="exponent with which the half width of the tangent kernel changes with the scale",
    criterion=Between(-1.1, -0.9),
    conditions=tuple(
        Condition(
            f"{count} random frequencies, depth {depth}", {"encoded": True, "depth": depth, "count": count}
        )
        for count, depth in ((64, 1), (64, 3), (64, 6), (256, 3))
    ),
    control=Condition(
        "coordinate multiplied by the scale, depth 3", {"encoded": False, "depth": 3, "count": 0}
    ),
    positive=Condition("infinitely many frequencies, depth 3", {"encoded": True, "depth": 3, "count": 0}),
    measure=measure_fourier_kernel_width,
    axes=FigureAxes(
        "Scale (cycles per unit; factor of the coordinate)", "Half width (units)", log_x=True, log_y=True
    ),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"scales": [2.0, 4.0], "points": 500}),
        StudySize.QUICK: SizeSettings(8, {"scales": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], "points": 5000}),
        StudySize.FULL: SizeSettings(
            20, {"scales": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0], "points": 100_000}
        ),
    },
    factor="the depth and the number of frequencies",
    revision=2,
    caveat=(
        "Infinitely many units, before training. With infinitely many frequencies the claim follows from the "
        "features' inner product, which is the positive control."
    ),
)


_FAMILIES = ("Gaussian", "uniform", "Laplace", "log-uniform")
"""Distributions of random frequencies."""


def measure_frequency_scale_only(
    seed: int,
    exponent: float,
    families: list[str],
    scales: list[float],
    features: int,
    samples: int,
    draws: int,
    stretched: bool = False,
) -> Measurement:
    """Measure the share of the variance of log test error that a cubic in log scale explains."""
    # In the control each family has another true scale than the one that is compared.
    stretches = [4.0 ** (i - (len(families) - 1) / 2) if stretched else 1.0 for i in range(len(families))]
    errors = np.zeros((len(families), len(scales)))
    for draw in range(draws):
        draw_seed = derive_seed(seed, f"draw {draw}")
        y = synthetic.power_law(2 * samples, exponent, seed=draw_seed, dtype=torch.float64).values[:, 0]
        for i, family in enumerate(families):
            for j, scale in enumerate(scales):
                frequencies = scale * stretches[i] * _unit_frequencies(draw_seed, family, features)
                errors[i, j] += np.log10(_held_out_error(torch.from_numpy(frequencies)[:, None], y)) / draws
    # One cubic for all families: what it leaves unexplained is the influence of the family.
    x = np.tile(np.log2(scales), len(families))
    residual = errors.ravel() - np.polyval(np.polyfit(x, errors.ravel(), 3), x)
    # A family that is there twice has one line.
    curves = {family: (scales, 10**row) for family, row in zip(families, errors, strict=True)}
    return Measurement(float(1 - residual.var() / errors.var()), curves)


def _unit_frequencies(seed: int, family: str, count: int) -> np.ndarray:
    """Return (count,) frequencies with a standard deviation of 1."""
    source = numpy_generator(seed, family)
    sign = source.choice([-1.0, 1.0], count)
    if family == "Gaussian":
        return source.standard_normal(count)
    if family == "uniform":
        return source.uniform(-(3**0.5), 3**0.5, count)
    if family == "Laplace":
        return source.laplace(scale=0.5**0.5, size=count)
    if family == "log-uniform":
        # 2^u with u in [-4, 0] has the mean square (1 - 2^-8) / (8 ln 2).
        return sign * 2 ** source.uniform(-4, 0, count) * (8 * np.log(2) / (1 - 2.0**-8)) ** 0.5
    return sign


def _held_out_error(frequencies: torch.Tensor, y: torch.Tensor) -> float:
    """Return the error at every other sample of a wide network fitted to the others, relative to the variance."""
    x = torch.arange(len(y), dtype=torch.float64)[:, None] / len(y)
    kernel = wide_network(3, 0.0, features=ntk.FeatureMap.fourier(frequencies))(x, x[::2]).ntk
    # A ridge far below every learned eigenvalue: it only makes the system solvable.
    ridge = 1e-6 * kernel[::2].diagonal().mean() * torch.eye(len(x[::2]), dtype=torch.float64)
    fitted = kernel[1::2] @ torch.linalg.solve(kernel[::2] + ridge, y[::2])
    return float((fitted - y[1::2]).square().mean() / y.var())


FREQUENCY_SCALE_ONLY = Study(
    name="frequency-scale-only",
    topic=Topic.THEORY,
    claim="Only the scale of the distribution of random Fourier features matters, not its family.",
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
        "domains, section 6.1 and figure 4 (arXiv:2006.10739)"
    ),
    statistic=(
        "share of the variance of log test error, over families and scales, that a cubic in log scale "
        "explains"
    ),
    criterion=AtLeast(0.8),
    conditions=(
        *(
            Condition(f"power k^-{a:g}", {"exponent": a, "families": list(_FAMILIES)})
            for a in (1.0, 2.0, 3.0)
        ),
        Condition(
            "with a family of one frequency", {"exponent": 2.0, "families": [*_FAMILIES, "one frequency"]}
        ),
    ),
    control=Condition(
        "families of four different scales", {"exponent": 2.0, "families": list(_FAMILIES), "stretched": True}
    ),
    positive=Condition("one family, twice", {"exponent": 2.0, "families": ["Gaussian", "Gaussian"]}),
    measure=measure_frequency_scale_only,
    axes=FigureAxes(
        "Standard deviation of the frequencies (cycles per unit)", "Test error (of the variance)", True, True
    ),
    sizes={
        StudySize.SMOKE: SizeSettings(
            1, {"scales": [1.0, 2.0, 4.0, 8.0, 16.0], "features": 32, "samples": 16, "draws": 1}
        ),
        StudySize.QUICK: SizeSettings(
            3,
            {"scales": [0.5 * 2**i for i in range(9)], "features": 32, "samples": 64, "draws": 4},
        ),
        StudySize.FULL: SizeSettings(
            20, {"scales": [0.25 * 2**i for i in range(11)], "features": 256, "samples": 512, "draws": 20}
        ),
    },
    factor="the family",
    limits=(0.0, 1.0),
    caveat=(
        "Infinitely wide networks, in their tangent kernel and trained to convergence, so that small scales "
        "do not underfit; one dimension. The wider the range of scales, the larger the share that they "
        "explain."
    ),
)


_COMPARED_LOSS = 0.05
"""Share of the first loss down to which prediction and training are compared."""

_HE_GAIN = 6**0.5
"""Factor of PyTorch's uniform weights that makes their variance 2 / fan-in."""


def measure_kernel_predicts_training(
    seed: int, power: float, assumed: float, gain: float, width: int, points: int, steps: int
) -> Measurement:
    """Measure the largest distance in decades of the predicted loss from the measured one, until 5 % of the start."""
    x = torch.arange(points, dtype=torch.float64)[:, None] / points
    y = synthetic.power_law(points, 1.0, seed=seed).values.double()
    y = (y - y.mean()) / y.std()
    trained = _gained_network(power, gain, width, seed)
    # The control assumes the kernel of other features than those that are trained.
    kernel = ntk.empirical_ntk(_gained_network(assumed, gain, width, seed), x).matrix
    linear = Linearised.of(trained(x).detach(), y, kernel)
    rate = 0.5 / (linear.gain * float(linear.eigenvalues[-1]))
    moments = list(linear.propagate(GradientDescent(), lambda _: rate, log_steps(steps)))
    losses = _descent_losses(trained, x, y, rate, [moment.step for moment in moments])
    compared = losses >= _COMPARED_LOSS * losses[0]
    predicted = np.array([moment.loss for moment in moments])
    distance = np.abs(np.log10(predicted / losses))[compared]
    positions = np.array([max(1, moment.step) for moment in moments])
    curves = {"predicted": (positions, predicted / losses[0]), "measured": (positions, losses / losses[0])}
    return Measurement(float(distance.max()) if np.isfinite(distance).all() else math.nan, curves)


def _gained_network(power: float, gain: float, width: int, seed: int) -> torch.nn.Module:
    """Return three hidden layers on 16 tones with amplitudes j^-power, `gain` times PyTorch's first weights."""
    body = MLP(32, 1, width, 3, seed=seed)
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(gain)
    return torch.nn.Sequential(encodings.PowerLaw(1, 16, power), body).double()


def _descent_losses(
    network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, rate: float, at: list[int]
) -> np.ndarray:
    """Return the mean squared errors after each of the steps `at` of gradient descent."""
    optimizer = torch.optim.SGD(network.parameters(), rate)
    losses = []
    for _ in range(at[-1] + 1):
        optimizer.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return np.array(losses)[at]


KERNEL_PREDICTS_TRAINING = Study(
    name="kernel-predicts-training",
    topic=Topic.THEORY,
    claim=(
        "The tangent kernel of a network with Fourier features, taken before training, predicts how its loss "
        "falls."
    ),
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
        "domains, section 4 and figure 3 (arXiv:2006.10739)"
    ),
    statistic=(
        "largest distance of the predicted loss from the measured one until it is 5 % of the first, in "
        "decades"
    ),
    criterion=AtMost(0.1),
    conditions=(
        Condition("512 units, amplitudes 1", {"power": 0.0, "assumed": 0.0, "width": 512}),
        Condition("512 units, amplitudes 1/j", {"power": 1.0, "assumed": 1.0, "width": 512}),
        Condition("64 units, amplitudes 1/j", {"power": 1.0, "assumed": 1.0, "width": 64}),
        Condition("512 units, PyTorch's weights", {"power": 1.0, "assumed": 1.0, "width": 512, "gain": 1.0}),
    ),
    control=Condition("kernel of other features", {"power": 0.0, "assumed": 2.0, "width": 512}),
    positive=MET_BY_A_CONDITION,
    measure=measure_kernel_predicts_training,
    axes=FigureAxes("Steps", "Loss, relative to the first", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"gain": _HE_GAIN, "points": 16, "steps": 30}),
        StudySize.QUICK: SizeSettings(3, {"gain": _HE_GAIN, "points": 32, "steps": 300}),
        StudySize.FULL: SizeSettings(20, {"gain": _HE_GAIN, "points": 32, "steps": 5000}),
    },
    factor="the width and the first weights",
    limits=(0.0, math.inf),
    caveat=(
        "Gradient descent on a small one-dimensional problem, training loss only, at half of the largest "
        "stable learning rate. The study does not test Adam, nor training after the first 95 % of the loss."
    ),
)


STUDIES = (
    FOURIER_KERNEL_STATIONARY,
    FOURIER_KERNEL_WIDTH,
    FREQUENCY_SCALE_ONLY,
    KERNEL_PREDICTS_TRAINING,
)
