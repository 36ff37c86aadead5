"""Bandwidth of Fourier features: how to choose it, what it costs in noise, and what it makes possible."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import overtone as ot
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.nn.encodings import Gaussian
from overtone.planning import fresh
from overtone.records import metrics
from overtone.signals import Signal, synthetic
from overtone.studies._claims._shared import rank_correlation, wide_network
from overtone.studies._criteria import AtLeast, AtMost, Average
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
from overtone.theory import ntk, risk

_BANDWIDTHS = (4.0, 8.0, 16.0, 32.0, 64.0)
"""In cycles per array."""


def measure_fresh_choice(
    seed: int,
    exponent: float,
    noise: float,
    constant: bool,
    samples: int,
    width: int,
    steps: int,
    max_bandwidth: float = _BANDWIDTHS[-1],
) -> Measurement:
    """Measure the held-out PSNR, in dB, of the best bandwidth less that of the one chosen by untrained spectra."""
    bandwidths = [bandwidth for bandwidth in _BANDWIDTHS if bandwidth <= max_bandwidth]
    if constant:
        return _constant_choice(bandwidths, samples, width, steps, seed)
    clean = synthetic.power_law(samples, exponent, seed)
    signal = synthetic.add_noise(clean, noise, seed=seed) if noise else clean
    chosen = fresh(signal, [_untrained_network(width, bandwidth) for bandwidth in bandwidths], seeds=5)
    quality = [_held_out_psnr(signal, bandwidth, width, steps, seed) for bandwidth in bandwidths]
    best = bandwidths[int(np.argmax(quality))]
    note = f"chosen {bandwidths[chosen.best]:g}, best {best:g} cycles per array"
    return Measurement(max(quality) - quality[chosen.best], {"": (bandwidths, quality)}, (note,))


def _constant_choice(bandwidths: list[float], samples: int, width: int, steps: int, seed: int) -> Measurement:
    """Measure the larger of the losses on a smooth and a rough signal, for the one bandwidth that makes it smallest."""
    losses = []
    for exponent in (4.0, 1.0):
        signal = synthetic.power_law(samples, exponent, seed)
        quality = np.array([_held_out_psnr(signal, b, width, steps, seed) for b in bandwidths])
        losses.append(quality.max() - quality)
    larger = np.maximum(*losses)
    note = f"one bandwidth for both, {bandwidths[int(larger.argmin())]:g} cycles per array"
    return Measurement(float(larger.min()), {"": (bandwidths, larger)}, (note,))


def _untrained_network(width: int, bandwidth: float) -> Callable[[int], nn.Module]:
    """Return a function that builds an untrained network of a bandwidth for a seed."""

    def network(seed: int) -> nn.Module:
        return nn.Sequential(
            Gaussian.from_bandwidth(1, width, bandwidth, seed), MLP(2 * width, 1, width, 2, seed=seed)
        ).double()

    return network


def _held_out_psnr(signal: Signal, bandwidth: float, width: int, steps: int, seed: int) -> float:
    """Return the PSNR in dB, on samples that it was not trained on, of a network of this bandwidth."""
    run = ot.fit(
        signal,
        encoding="gaussian",
        bandwidth=bandwidth,
        width=width,
        depth=2,
        features=width,
        steps=steps,
        held_out=0.25,
        stop=False,
        seed=seed,
    )
    error = float(run.record.held_out_error.values[-1])
    return float(-10 * np.log10(error))


FRESH_CHOICE = Study(
    name="fresh-choice",
    topic=Topic.DESIGN,
    claim=(
        "The spectrum of untrained networks shows which bandwidth to choose: the one nearest to the signal's."
    ),
    source=(
        "Kania et al. 2025, FreSh: frequency shifting for accelerated neural representation learning "
        "(arXiv:2410.05050), sections 3 and 4"
    ),
    statistic="PSNR on held-out samples of the best of five bandwidths less that of the chosen one, in dB",
    criterion=AtMost(1.0),
    conditions=(
        Condition("smooth signal", {"exponent": 4.0, "noise": 0.0, "constant": False}),
        Condition("signal of a picture's roughness", {"exponent": 2.0, "noise": 0.0, "constant": False}),
        Condition("rough signal", {"exponent": 1.0, "noise": 0.0, "constant": False}),
        Condition("smooth signal with noise of a half", {"exponent": 4.0, "noise": 0.5, "constant": False}),
    ),
    control=Condition(
        "the best constant bandwidth for a smooth and a rough signal",
        {"exponent": 4.0, "noise": 0.0, "constant": True},
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_fresh_choice,
    axes=FigureAxes("Bandwidth (cycles per array)", "PSNR on held-out samples (dB)", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 32, "width": 8, "steps": 3, "max_bandwidth": 8.0}),
        StudySize.QUICK: SizeSettings(10, {"samples": 256, "width": 64, "steps": 150}),
        StudySize.FULL: SizeSettings(20, {"samples": 1024, "width": 256, "steps": 10_000}),
    },
    factor="the signal",
    first_seed=200,
    revision=2,
    limits=(0.0, math.inf),
    judgings=2,
    caveat=(
        "Signals in one dimension and Fourier features. The choice takes 25 untrained networks, and "
        "training with each bandwidth five runs; the last network of each run is judged, not its best. "
        "Noisy samples are held out with their noise. The control knows which constant is best. Judged on "
        "seeds 200 to 209; on seeds 100 to 103 the control compared networks with white noise, which any "
        "choice beats."
    ),
)


def measure_bandwidth_stop(
    seed: int, part: str, method: str, noise: float, samples: int, steps: int
) -> Measurement:
    """Measure the rank correlation of bandwidth with the earliness of the best stop, or with the last error."""
    clean = synthetic.harmonics([1, 2, 3], [1.0, 0.5, 0.3], samples=samples, seed=seed)
    rows = [
        _trained_stop(clean, noise, bandwidth, seed, steps)
        if method == "network"
        else _predicted_stop(clean, noise, bandwidth)
        for bandwidth in _BANDWIDTHS
    ]
    stops, ends = zip(*rows, strict=True)
    ranked = [-stop for stop in stops] if part == "stop" else ends
    value = rank_correlation(_BANDWIDTHS, ranked) if len(set(ranked)) > 1 else 0.0
    return Measurement(value, {"without a stop": (_BANDWIDTHS, ends)}, (f"best stops: {stops}",))


def _trained_stop(
    clean: Signal, noise: float, bandwidth: float, seed: int, steps: int
) -> tuple[float, float]:
    """Return the best step in hindsight, and the last error on the clean signal."""
    signal = synthetic.add_noise(clean, noise, seed=seed) if noise else clean.with_clean(clean.values)
    run = ot.fit(
        signal, bandwidth=bandwidth, width=64, depth=2, features=64, steps=steps, held_out=0, seed=seed
    )
    stop = metrics.stop(run.record)
    return float(stop.step), stop.last_error


def _predicted_stop(clean: Signal, noise: float, bandwidth: float) -> tuple[float, float]:
    """Return the same for gradient flow with the kernel of a wide network, time in units of its largest eigenvalue."""
    # 90 % of a normal distribution lie within 1.6449 standard deviations: that is the bandwidth.
    features = ntk.FeatureMap.gaussian_fourier(bandwidth / 1.6449)
    eigenvalues, modes = torch.linalg.eigh(wide_network(2, 0.0, features=features)(clean.coords).ntk)
    eigenvalues = (eigenvalues / eigenvalues.max()).clamp(min=0)
    power = (modes.mT @ clean.values.double())[:, 0].square()
    steps = torch.logspace(-1, 4, 60, dtype=torch.float64)
    expected = risk.expected_risk(eigenvalues, power, noise**2, risk.GradientFlow(), steps)
    return expected.best_step, float(expected.total[-1])


BANDWIDTH_STOP = Study(
    name="bandwidth-stop",
    topic=Topic.NOISE,
    claim=(
        "Fourier features are sensitive to independent noise: the larger their bandwidth, the earlier "
        "training has to stop, and the larger the error without a stop."
    ),
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions, sections 5 and "
        "6.1 (arXiv:2006.10739), for over-fitting at large bandwidth"
    ),
    statistic=(
        "rank correlation of bandwidth with the error on the clean signal without a stop, or with the "
        "earliness of the best stop"
    ),
    criterion=AtLeast(0.8),
    conditions=(
        Condition("error without a stop", {"part": "end", "method": "network", "noise": 0.5}),
        Condition("earlier stop", {"part": "stop", "method": "network", "noise": 0.5}),
    ),
    control=Condition("error without a stop, no noise", {"part": "end", "method": "network", "noise": 0.0}),
    positive=Condition("error without a stop, by theory", {"part": "end", "method": "theory", "noise": 0.5}),
    measure=measure_bandwidth_stop,
    axes=FigureAxes(
        "Bandwidth (cycles per array)", "Mean squared error on the clean signal", log_x=True, log_y=True
    ),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 64, "steps": 5}),
        StudySize.QUICK: SizeSettings(8, {"samples": 256, "steps": 150}),
        StudySize.FULL: SizeSettings(20, {"samples": 1024, "steps": 10_000}),
    },
    factor="the part of the claim",
    first_seed=200,
    average=Average.MEDIAN,
    limits=(-1.0, 1.0),
    judgings=2,
    caveat=(
        "Steps are counted at one learning rate. The theory's time is in units of the kernel's largest "
        "eigenvalue, which falls as the bandwidth grows, so that it says nothing about steps and is no "
        "condition. Judged on seeds 200 to 207; three seeds from 100 on are too few for the interval of a "
        "median. All samples are trained on, and the target lies below the smallest bandwidth: the study "
        "leaves out over-fitting between samples."
    ),
)


def measure_worst_case_functions(
    seed: int, network: str, worst: str, bandwidth: float, samples: int, width: int, steps: int
) -> Measurement:
    """Measure the share of the function's power that is not learned after training on all of its samples."""
    x = 2 * torch.arange(samples)[:, None] / samples - 1
    plain, fourier = _plain_and_fourier(width, bandwidth, seed)
    # Functions, because each of them is slow and only one is used.
    target = {
        "plain": lambda: _last_mode(plain, x),
        "own": lambda: _last_mode(fourier, x),
        "random": lambda: torch.from_numpy(
            numpy_generator(seed, "labels").standard_normal((samples, 1))
        ).float(),
    }[worst]()
    target = target / target.square().mean().sqrt()
    trained = plain if network == "plain" else fourier
    optimizer = torch.optim.Adam(trained.parameters(), 1e-3)
    losses = []
    for _ in range(steps):
        loss = (trained(x) - target).square().mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Measurement(losses[-1], {"": (range(1, steps + 1), losses)})


def _plain_and_fourier(width: int, bandwidth: float, seed: int) -> tuple[nn.Module, nn.Module]:
    """Return the plain network on [-1, 1], and the one with Fourier features of a bandwidth in cycles over it."""
    encoding = Gaussian.from_bandwidth(1, 128, bandwidth / 2, derive_seed(seed, "encoding"))
    body = MLP(encoding.out_features, 1, width, 3, seed=derive_seed(seed, "body"))
    return MLP(1, 1, width, 3, seed=derive_seed(seed, "plain")), nn.Sequential(encoding, body)


def _last_mode(network: nn.Module, x: Tensor) -> Tensor:
    """Return the (N, 1) function that the untrained network's tangent kernel learns last."""
    # In float64: the smallest eigenvalues are far below the rounding of float32.
    kernel = ntk.empirical_ntk(network.double(), x.double()).matrix
    network.float()
    return torch.linalg.eigh(kernel).eigenvectors[:, :1].float()


WORST_CASE_FUNCTIONS = Study(
    name="worst-case-functions",
    topic=Topic.NOISE,
    claim="Fourier features let networks fit worst-case functions easily.",
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions, sections 3 and 4 "
        "(arXiv:2006.10739), for the mechanism; the claim is often stated without a source"
    ),
    statistic="share of a function's power that is not learned after training on all of its samples",
    criterion=AtMost(0.1),
    conditions=(
        Condition("function that a plain network learns last", {"network": "fourier", "worst": "plain"}),
        Condition("random values", {"network": "fourier", "worst": "random"}),
        Condition("function that it learns last itself", {"network": "fourier", "worst": "own"}),
        Condition(
            "random values, bandwidth of 4", {"network": "fourier", "worst": "random", "bandwidth": 4.0}
        ),
    ),
    control=Condition("plain network, function that it learns last", {"network": "plain", "worst": "plain"}),
    positive=MET_BY_A_CONDITION,
    measure=measure_worst_case_functions,
    axes=FigureAxes("Step", "Share of power not learned", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 32, "width": 16, "steps": 5, "bandwidth": 16.0}),
        StudySize.QUICK: SizeSettings(24, {"samples": 128, "width": 64, "steps": 500, "bandwidth": 32.0}),
        StudySize.FULL: SizeSettings(
            20, {"samples": 1024, "width": 256, "steps": 20_000, "bandwidth": 256.0}
        ),
    },
    factor="whether the features have the function's frequencies",
    first_seed=300,
    limits=(0.0, math.inf),
    judgings=2,
    caveat=(
        "Functions are fitted on their samples, not predicted between them: to fit random values is no merit "
        "where they are noise. Judged on seeds 300 to 323, because 8 seeds from 100 on had left the claim "
        "undecided."
    ),
)


STUDIES = (
    FRESH_CHOICE,
    BANDWIDTH_STOP,
    WORST_CASE_FUNCTIONS,
)
