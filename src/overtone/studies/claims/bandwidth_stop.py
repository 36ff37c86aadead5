"""The larger the bandwidth of Fourier features, the more noise they fit, and the earlier they have to stop."""

from __future__ import annotations

import torch
from scipy.stats import spearmanr

import overtone as ot
from overtone.records import metrics
from overtone.signals import Signal, synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk, risk

BANDWIDTHS = (4.0, 8.0, 16.0, 32.0, 64.0)
"""In cycles per array."""


def measure(seed: int, part: str, method: str, noise: float, samples: int, steps: int) -> Measured:
    """Rank correlation of bandwidth with how early the best stop is, or with the error without a stop."""
    clean = synthetic.harmonics([1, 2, 3], [1.0, 0.5, 0.3], samples=samples, seed=seed)
    rows = [
        trained(clean, noise, bandwidth, seed, steps)
        if method == "network"
        else foretold(clean, noise, bandwidth)
        for bandwidth in BANDWIDTHS
    ]
    stops, ends = zip(*rows, strict=True)
    wanted = [-stop for stop in stops] if part == "stop" else ends
    value = float(spearmanr(BANDWIDTHS, wanted).statistic) if len(set(wanted)) > 1 else 0.0
    return Measured(value, {"without a stop": (BANDWIDTHS, ends)}, (f"best stops: {stops}",))


def trained(clean: Signal, noise: float, bandwidth: float, seed: int, steps: int) -> tuple[float, float]:
    """Best step in hindsight, and last error on the clean signal."""
    seen = synthetic.add_noise(clean, noise, seed=seed) if noise else clean.with_clean(clean.values)
    run = ot.fit(
        seen, bandwidth=bandwidth, width=64, depth=2, features=64, steps=steps, held_out=0, seed=seed
    )
    found = metrics.stop(run.record)
    return float(found.step), found.last_error


def foretold(clean: Signal, noise: float, bandwidth: float) -> tuple[float, float]:
    """The same of gradient flow with the kernel of a wide network; time in units of its largest eigenvalue's."""
    features = ntk.FeatureMap.gaussian_fourier(bandwidth / 1.6449)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu(), features
    )
    eigenvalues, modes = torch.linalg.eigh(wide(clean.coords).ntk)
    eigenvalues = (eigenvalues / eigenvalues.max()).clamp(min=0)
    power = (modes.mT @ clean.values.double())[:, 0].square()
    steps = torch.logspace(-1, 4, 60, dtype=torch.float64)
    found = risk.expected_risk(eigenvalues, power, noise**2, risk.GradientFlow(), steps)
    return found.best_step, float(found.total[-1])


STUDY = Study(
    name="bandwidth-stop",
    family=Family.NOISE,
    claim="Fourier features are brittle to independent noise: the larger their bandwidth, the earlier training has to "
    "stop, and the larger the error if it does not.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions, sections 5 and 6.1 "
    "(arXiv:2006.10739), for over-fitting at large bandwidth",
    statistic="rank correlation of bandwidth with the error on the clean signal without a stop, or with how early the "
    "best stop is",
    criterion=AtLeast(0.8),
    conditions=(
        Condition("error without a stop", {"part": "end", "method": "network", "noise": 0.5}),
        Condition("earlier stop", {"part": "stop", "method": "network", "noise": 0.5}),
        Condition("earlier stop, by theory", {"part": "stop", "method": "theory", "noise": 0.5}),
    ),
    control=Condition("error without a stop, no noise", {"part": "end", "method": "network", "noise": 0.0}),
    measure=measure,
    axes=Axes(
        "Bandwidth (cycles per array)", "Mean squared error on the clean signal", log_x=True, log_y=True
    ),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 64, "steps": 5}),
        Size.QUICK: Effort(3, {"samples": 256, "steps": 150}),
        Size.FULL: Effort(20, {"samples": 1024, "steps": 10_000}),
    },
    depends="which half of the claim is meant",
    caveat="Steps are counted at one learning rate, and the theory's time in units of the kernel's largest eigenvalue. "
    "All samples are trained on, and the target lies below the smallest bandwidth: over-fitting between samples is "
    "left out.",
)
