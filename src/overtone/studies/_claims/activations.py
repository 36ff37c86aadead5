"""Activations: how fast networks with them converge, and which frequencies they favour."""

from __future__ import annotations

import math

import numpy as np
import torch

import overtone as ot
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.nn.activations._base import SpectralActivation
from overtone.nn.activations._registry import build_activation
from overtone.records import metrics
from overtone.signals import Signal, synthetic
from overtone.spectra import Bands, grid
from overtone.studies._claims._shared import activation_named, circle, scikit_image
from overtone.studies._criteria import AtLeast, AtMost
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    Numbers,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)
from overtone.theory import ntk


def measure_activations_against_relu(
    seed: int, activation: str, encoding: str, side: int, width: int, steps: int
) -> Measurement:
    """Measure log10 of ReLU's loss over the other's, averaged over the recorded steps after the tenth."""
    picture = synthetic.power_law((side, side), 3.0, seed)
    positions, relu = _error_curve(picture, "relu", encoding, seed, width, steps)
    _, other = _error_curve(picture, activation, encoding, seed, width, steps)
    # The first steps of Adam have the size of the learning rate whatever the activation.
    late = np.asarray(positions) > min(10, steps // 2)
    gain = float(np.log10(np.asarray(relu)[late] / np.asarray(other)[late]).mean())
    return Measurement(gain, {"relu": (positions, relu), activation: (positions, other)})


def _error_curve(
    picture: Signal, activation: str, encoding: str, seed: int, width: int, steps: int
) -> tuple[Numbers, Numbers]:
    """Return the recorded steps and mean squared errors."""
    record = ot.fit(
        picture,
        encoding=encoding,
        bandwidth=None if encoding == "none" else 6.0,
        activation=activation,
        width=width,
        features=64,
        steps=steps,
        held_out=0,
        seed=seed,
    ).record
    return record.step.values[1:], record.train_error.values[1:]


ACTIVATIONS_AGAINST_RELU = Study(
    name="activations-against-relu",
    topic=Topic.ACTIVATIONS,
    claim="Swish and leaky ReLU converge faster than ReLU.",
    source="Ramachandran, Zoph, Le 2017, Searching for activation functions, section 4 (arXiv:1710.05941)",
    statistic=(
        "log10 of ReLU's error over the other's at equal steps, averaged over the logarithm of the step"
    ),
    criterion=AtLeast(0.05),
    conditions=(
        Condition("swish", {"activation": "swish", "encoding": "none"}),
        Condition("leaky ReLU", {"activation": "leaky-relu", "encoding": "none"}),
        Condition("swish after Fourier features", {"activation": "swish", "encoding": "gaussian"}),
        Condition("leaky ReLU after Fourier features", {"activation": "leaky-relu", "encoding": "gaussian"}),
    ),
    control=Condition("sigmoid", {"activation": "sigmoid", "encoding": "none"}),
    positive=Condition(
        "sine, which is known to fit fields faster", {"activation": "sine", "encoding": "none"}
    ),
    measure=measure_activations_against_relu,
    axes=FigureAxes("Step", "Mean squared error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 8, "width": 8, "steps": 20}),
        StudySize.QUICK: SizeSettings(3, {"side": 24, "width": 64, "steps": 200}),
        StudySize.FULL: SizeSettings(20, {"side": 256, "width": 256, "steps": 10_000}),
    },
    factor="the activation and the encoding",
    tested=Tested.CASE,
    caveat=(
        "The networks learn fields from coordinates, not classifiers as in the source, all at one learning "
        "rate and with an initialisation that was designed for ReLU."
    ),
)


_LOW_BANDS, _HIGH_BANDS = slice(1, 4), slice(12, 17)
"""Frequencies compared, in cycles per turn."""


def measure_mixed_activations(
    seed: int, layers: list[str], draws: int, width: int, samples: int
) -> Measurement:
    """Measure where a mixed network lies between tanh throughout (0) and sine throughout (1)."""
    kinds = {"tanh": ["tanh"] * len(layers), "sine": ["sine"] * len(layers), "mixed": layers}
    shares = {}
    for kind, activations in kinds.items():
        rows = [
            _kernel_spectrum(activations, derive_seed(seed, f"{kind} {n}"), width, samples)
            for n in range(draws)
        ]
        shares[kind] = torch.stack(rows).mean(0)
    level = {
        kind: float((row[_HIGH_BANDS].mean() / row[_LOW_BANDS].mean()).log10())
        for kind, row in shares.items()
    }
    position = (level["mixed"] - level["tanh"]) / (level["sine"] - level["tanh"])
    return Measurement(position, {kind: (range(1, 33), row[1:33].numpy()) for kind, row in shares.items()})


def _kernel_spectrum(activations: list[str], seed: int, width: int, samples: int) -> torch.Tensor:
    """Return the share of the untrained tangent kernel's trace along each wave on a circle, by cycles per turn."""
    _, points = circle(samples, torch.float64)
    network = MLP(
        2, 1, width, len(activations), [activation_named(name) for name in activations], seed
    ).double()
    kernel = ntk.empirical_ntk(network, points).matrix
    # A network of finite width is not symmetric under rotation; the diagonal in the Fourier basis is its mean over
    # rotations.
    waves = torch.fft.fft(torch.eye(samples, dtype=torch.complex128), norm="ortho")
    power = torch.einsum("ki,ij,kj->k", waves, kernel.to(waves), waves.conj()).real
    return power[: samples // 2 + 1] / power.sum()


MIXED_ACTIVATIONS = Study(
    name="mixed-activations",
    topic=Topic.ACTIVATIONS,
    claim="Mixing activations across layers determines which frequencies a network is sensitive to.",
    source=(
        "Tancik et al. 2020, Fourier features let networks learn high frequency functions, section 3 "
        "(arXiv:2006.10739), for sensitivity as the tangent kernel's spectrum; the claim is often stated "
        "without a source"
    ),
    statistic=(
        "position of the mixed network between tanh throughout (0) and sine throughout (1), in the logarithm "
        "of the untrained tangent kernel's power at 12 to 16 cycles per turn over that at 1 to 3"
    ),
    criterion=AtLeast(0.1),
    conditions=(
        Condition("sine first, then tanh", {"layers": ["sine", "tanh", "tanh"]}),
        Condition("tanh first, then sine", {"layers": ["tanh", "sine", "sine"]}),
        Condition("sine last", {"layers": ["tanh", "tanh", "sine"]}),
    ),
    control=Condition(
        "tanh and sigmoid, which is a tanh of half the slope", {"layers": ["tanh", "sigmoid", "tanh"]}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_mixed_activations,
    axes=FigureAxes("Frequency (cycles per turn)", "Share of the tangent kernel", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"draws": 1, "width": 16, "samples": 64}),
        StudySize.QUICK: SizeSettings(3, {"draws": 8, "width": 64, "samples": 128}),
        StudySize.FULL: SizeSettings(20, {"draws": 20, "width": 512, "samples": 512}),
    },
    factor="the position of the other activation",
    tested=Tested.MECHANISM,
    caveat=(
        "The study compares kernels of untrained networks; features that are learned in training change "
        "them. Sines begin with their own frequency of 30, so that the mixture is one of initialisations as "
        "well."
    ),
)


def measure_periodic_activations(
    seed: int, activation: str, rate: float, side: int, width: int, steps: int
) -> Measurement:
    """Measure the PSNR of the training pixels, in dB, less that of ReLU with positional encoding at equal steps."""
    picture = _photograph_square(seed, side)
    positions, relu, relu_held_out = _psnr_curve(picture, "relu", 5e-3, width, steps, seed, "positional")
    _, other, held_out = _psnr_curve(picture, activation, rate, width, steps, seed)
    return Measurement(
        float(other[-1] - relu[-1]),
        {"": (positions, other), "ReLU after positional encoding": (positions, relu)},
        (f"on held-out pixels {held_out:.1f} dB against {relu_held_out:.1f} dB",),
    )


def _psnr_curve(
    picture: Signal,
    activation: str,
    rate: float,
    width: int,
    steps: int,
    seed: int,
    encoding: str = "none",
) -> tuple[Numbers, np.ndarray, float]:
    """Return the recorded steps, the PSNR of training pixels there, and the last PSNR of held-out ones."""
    first = build_activation(activation_named(activation))
    # Activations with a frequency of their own get a bandwidth; the others take what the signal's plan says.
    bandwidth = 2 * first.bandwidth(2) if isinstance(first, SpectralActivation) else None
    record = ot.fit(
        picture,
        encoding=encoding,
        bandwidth=bandwidth,
        activation=activation,
        # A complex unit has two numbers: its width is chosen for an equal count of parameters.
        width=2 * round(width / 2**0.5) if activation == "complex-gabor" else width,
        depth=3,
        lr=rate,
        steps=steps,
        batch=1024,
        stop=False,
        seed=seed,
    ).record
    psnr = metrics.psnr(record)
    return record.step.values[1:], psnr.train.values[1:], float(psnr.held_out[-1])


def _photograph_square(seed: int, side: int) -> Signal:
    """Return a random square of a photograph, averaged over blocks to that side."""
    source = numpy_generator(seed, "picture")
    data = scikit_image("data")
    photograph = np.asarray((data.camera(), data.coins(), data.moon())[seed % 3]) / 255.0
    zoom = 256 // side
    top, left = (int(source.integers(0, n - zoom * side + 1)) for n in photograph.shape)
    square = photograph[top : top + zoom * side, left : left + zoom * side]
    return ot.signals.image(square.reshape(side, zoom, side, zoom).mean((1, 3)).astype(np.float32))


PERIODIC_ACTIVATIONS = Study(
    name="periodic-activations",
    topic=Topic.ACTIVATIONS,
    claim=(
        "Networks of sines, Gabor wavelets or Gaussians represent pictures better than ReLU after positional "
        "encoding."
    ),
    source=(
        "Sitzmann et al. 2020, Implicit neural representations with periodic activation functions, section "
        "4.1 (arXiv:2006.09661); Saragadam et al. 2023, WIRE, section 4 (arXiv:2301.05187); Liu et al. 2024, "
        "FINER, section 4 (arXiv:2312.02434)"
    ),
    statistic=(
        "PSNR of the training pixels less that of ReLU after positional encoding, in dB, at equal steps"
    ),
    criterion=AtLeast(3.0),
    conditions=(
        Condition("SIREN", {"activation": "sine", "rate": 5e-4}),
        Condition("WIRE", {"activation": "complex-gabor", "rate": 2e-3}),
        Condition("FINER", {"activation": "finer", "rate": 5e-4}),
        Condition("Gauss", {"activation": "gauss", "rate": 5e-3}),
    ),
    control=Condition("ReLU from plain coordinates", {"activation": "relu", "rate": 1e-3}),
    positive=MET_BY_A_CONDITION,
    measure=measure_periodic_activations,
    axes=FigureAxes("Step", "PSNR of trained pixels (dB)", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 8, "width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(3, {"side": 48, "width": 64, "steps": 300}),
        StudySize.FULL: SizeSettings(20, {"side": 256, "width": 256, "steps": 2000}),
    },
    factor="the activation",
    caveat=(
        "Networks of 64 units (WIRE's are complex, and fewer by the square root of two) and 300 steps, with "
        "the scales of their sources, learning rates that suit so few steps, and the encoding's bandwidth "
        "chosen from the picture's spectrum. Held-out pixels are reported, not judged."
    ),
)


_MIDPOINTS = 32
"""Midpoints per knot of the quadrature; integrands are piecewise quadratic, so its error is 1 / (12 MIDPOINTS^2)."""


def measure_hat_conditioning(seed: int, basis: str, knots: list[int]) -> Measurement:
    """Measure the exponent of the number of knots in the condition number of a basis' Gram matrix on [0, 1]."""
    del seed
    conditions = [float(np.linalg.cond(_gram_matrix(basis, n))) for n in knots]
    slope = float(np.polyfit(np.log(knots), np.log(conditions), 1)[0])
    return Measurement(slope, {"": (knots, conditions)})


def _gram_matrix(basis: str, n: int) -> np.ndarray:
    """Return the (n, n) inner products over [0, 1] of `relu`, `hat` or `box` functions on n uniform knots."""
    x = (np.arange(n * _MIDPOINTS) + 0.5) / (n * _MIDPOINTS)
    distance = n * x[:, None] - np.arange(n)
    functions = {
        "relu": np.maximum(0, distance) / n,
        "hat": np.maximum(0, 1 - np.abs(distance)),
        "box": ((distance >= 0) & (distance < 1)).astype(float),
    }[basis]
    return functions.T @ functions / len(x)


HAT_CONDITIONING = Study(
    name="hat-conditioning",
    topic=Topic.ACTIVATIONS,
    claim=(
        "On uniform knots the Gram matrix of hat functions is well conditioned however many there are, and "
        "that of ReLU functions is not."
    ),
    source=(
        "Hong et al. 2022, On the activation function dependence of the spectral bias (arXiv:2208.04924), "
        "section 3"
    ),
    statistic=(
        "exponent with which the condition number of the Gram matrix grows with the number of uniform knots"
    ),
    criterion=AtMost(0.5),
    conditions=(Condition("hat functions", {"basis": "hat"}),),
    control=Condition("ReLU functions", {"basis": "relu"}),
    positive=Condition("box functions, which are orthogonal", {"basis": "box"}),
    measure=measure_hat_conditioning,
    axes=FigureAxes("Knots", "Condition number", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"knots": [8, 16, 32]}),
        StudySize.QUICK: SizeSettings(1, {"knots": [32, 64, 128, 256]}),
        StudySize.FULL: SizeSettings(1, {"knots": [64, 128, 256, 512, 1024]}),
    },
    tested=Tested.MECHANISM,
    limits=(0.0, math.inf),
    caveat=(
        "The source concludes from the matrix that hat functions remove the bias of ReLU functions. No "
        "network is trained here; changing the activation of a deep network, with PyTorch's default "
        "initialisation, does not remove the bias."
    ),
)


_HIGH_FROM = 8
"""Frequencies from here on count as high, in cycles per turn."""


def measure_initial_spectra(
    seed: int, other: str, gain: float, draws: int, width: int, samples: int
) -> Measurement:
    """Measure log10 of the high frequencies' share of power in ReLU networks over that in networks of `other`."""
    shares = {
        name: np.mean(
            [_output_spectrum(name, gain, derive_seed(seed, f"{n}"), width, samples) for n in range(draws)], 0
        )
        for name in ("relu", other)
    }
    frequency = np.arange(samples // 2 + 1)
    high = {name: float(power[frequency >= _HIGH_FROM].sum()) for name, power in shares.items()}
    curves = {name: (frequency[1:33], power[1:33]) for name, power in shares.items()}
    return Measurement(math.log10(high["relu"] / high[other]), curves)


def _output_spectrum(activation: str, gain: float, seed: int, width: int, samples: int) -> np.ndarray:
    """Return the share of each whole frequency in the power of a new network's output along a circle, without mean."""
    _, points = circle(samples, torch.float64)
    network = MLP(2, 1, width, 3, activation_named(activation), seed).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(gain)
        values = network(points)[:, 0]
    bands = Bands.linear((samples,), 1 / samples, periodic=True)
    power = grid(values, periodic=True, bands=bands).power[:, 0].numpy()
    power[0] = 0
    return power / power.sum()


INITIAL_SPECTRA = Study(
    name="initial-spectra",
    topic=Topic.ACTIVATIONS,
    claim="ReLU emphasises high frequencies, sigmoid and tanh low ones.",
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks, section 2 (arXiv:1806.08734), for the "
        "decay of ReLU networks; the comparison is often stated without a source"
    ),
    statistic=(
        "log10 of the share of power from 8 cycles per turn on in untrained ReLU networks over that in "
        "networks with the other activation, on a circle"
    ),
    criterion=AtLeast(0.3),
    conditions=(
        Condition("tanh", {"other": "tanh", "gain": 1.0}),
        Condition("sigmoid", {"other": "sigmoid", "gain": 1.0}),
        Condition("tanh, all weights 8 times as large", {"other": "tanh", "gain": 8.0}),
        Condition("sigmoid, all weights 8 times as large", {"other": "sigmoid", "gain": 8.0}),
    ),
    control=Condition("sine of frequency 30", {"other": "sine", "gain": 1.0}),
    positive=MET_BY_A_CONDITION,
    measure=measure_initial_spectra,
    axes=FigureAxes("Frequency (cycles per turn)", "Share of power", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"draws": 2, "width": 16, "samples": 128}),
        StudySize.QUICK: SizeSettings(3, {"draws": 20, "width": 128, "samples": 512}),
        StudySize.FULL: SizeSettings(20, {"draws": 100, "width": 1024, "samples": 2048}),
    },
    factor="the size of the weights",
    tested=Tested.CASE,
    caveat=(
        "The study measures the untrained network. Its spectrum determines where training begins, not how "
        "fast each frequency is learned."
    ),
)


STUDIES = (
    ACTIVATIONS_AGAINST_RELU,
    MIXED_ACTIVATIONS,
    PERIODIC_ACTIVATIONS,
    HAT_CONDITIONING,
    INITIAL_SPECTRA,
)
