"""Noise at the frequencies of the signal stays, whatever is done; noise elsewhere goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

import overtone as ot
from overtone._utils.seeding import derive_seed
from overtone.signals import Normalisation, Signal, synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.studies.study import Numbers
from overtone.theory import ntk, risk

TOP = 16
"""Highest frequency of the signal, in cycles per array."""


def measure(seed: int, method: str, shared: bool, samples: int, draws: int, steps: int) -> Measured:
    """Least mean squared error on the clean signal, at the best stop in hindsight, as a share of the noise's power."""
    least = []
    for draw in range(draws):
        signal = noisy(derive_seed(seed, f"draw {draw}"), shared, samples)
        at, left = trained(signal, seed, steps) if method == "network" else flow(signal)
        least.append(float(np.min(left)))
    band = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0] if shared else [0.0, 1.0])
    bound = float(risk.WienerBound.of(*band).total)
    return Measured(
        float(np.mean(least)), {"error": (at, left), "irreducible": (at, np.full(len(at), bound))}
    )


def noisy(seed: int, shared: bool, samples: int) -> Signal:
    """Signal and noise of equal power, in one band or in two."""
    clean = synthetic.band_noise(samples, 1, TOP + 1, derive_seed(seed, "signal"))
    low = 1 if shared else samples // 4
    noise = synthetic.band_noise(samples, low, low + TOP, derive_seed(seed, "noise"))
    values = clean.values + noise.values
    return replace(clean, values=values, clean=clean.values, normalisation=Normalisation.of(values))


def trained(signal: Signal, seed: int, steps: int) -> tuple[Numbers, Numbers]:
    """Steps, and error of a network with Fourier features that reach just beyond the signal."""
    run = ot.fit(
        signal, bandwidth=1.5 * TOP, width=64, depth=2, features=64, steps=steps, held_out=0, seed=seed
    )
    record = run.record
    return record.step.values[1:], record.clean_error.values[1:]


def flow(signal: Signal) -> tuple[Numbers, Numbers]:
    """Time, and error of gradient flow with the kernel of an infinitely wide ReLU network on the circle."""
    angle = 2 * torch.pi * signal.coords
    circle = torch.cat([angle.cos(), angle.sin()], 1)
    wide = ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu())
    eigenvalues = ntk.circulant_eigenvalues(wide(circle[:1], circle).ntk[0]).clamp(min=0)
    rule = risk.GradientFlow()
    times = rule.steps(eigenvalues, 100)
    assert signal.clean is not None
    seen, clean = torch.fft.fft(torch.cat([signal.values, signal.clean], 1).double().mT, norm="forward")
    errors = [(rule.learned(eigenvalues, float(t)) * seen - clean).abs().square().sum() for t in times]
    return times.numpy(), torch.stack(errors).numpy()


STUDY = Study(
    name="shared-band-noise",
    family=Family.NOISE,
    claim="Signal and noise of the same frequency cannot be told apart.",
    source="Wiener 1949, Extrapolation, interpolation and smoothing of stationary time series, chapter III",
    statistic="least error on the clean signal, at the best stop in hindsight, as a share of the noise's power; theory "
    "allows 0.5 where signal and noise share a band, and 0 where they do not",
    criterion=AtLeast(0.45),
    conditions=(
        Condition("network with Fourier features", {"method": "network", "shared": True}),
        Condition("kernel of a wide network", {"method": "flow", "shared": True, "draws": 20}),
    ),
    control=Condition("noise in another band", {"method": "network", "shared": False}),
    measure=measure,
    axes=Axes("Steps of training, or time of the kernel's flow", "Error as a share of the noise", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 128, "draws": 1, "steps": 10}),
        Size.QUICK: Effort(3, {"samples": 256, "draws": 4, "steps": 150}),
        Size.FULL: Effort(20, {"samples": 1024, "draws": 20, "steps": 2000}),
    },
    caveat="Signals are random waves, about which nothing is known but their power. Whoever knows more, for instance "
    "that edges are sharp or that few waves are present, can go below.",
)
