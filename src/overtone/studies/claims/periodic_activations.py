"""SIREN, WIRE, FINER and Gauss against ReLU with positional encoding."""

from __future__ import annotations

import numpy as np
import skimage.data

import overtone as ot
from overtone._utils.enums import parse_enum
from overtone._utils.seeding import numpy_generator
from overtone.nn.activations import Activation
from overtone.nn.activations._base import SpectralActivation
from overtone.nn.activations._registry import build_activation
from overtone.records import metrics
from overtone.signals import Signal
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.studies.study import Numbers


def measure(seed: int, activation: str, rate: float, side: int, width: int, steps: int) -> Measured:
    """PSNR of the pixels trained on, in dB, less that of ReLU after positional encoding with as many steps."""
    picture = part(seed, side)
    at, relu, held = course(picture, "relu", 5e-3, width, steps, seed, "positional")
    _, other, others = course(picture, activation, rate, width, steps, seed)
    return Measured(
        float(other[-1] - relu[-1]),
        {"": (at, other), "ReLU after positional encoding": (at, relu)},
        (f"on held-out pixels {others:.1f} dB against {held:.1f} dB",),
    )


def course(
    picture: Signal,
    activation: str,
    rate: float,
    width: int,
    steps: int,
    seed: int,
    encoding: str = "none",
) -> tuple[Numbers, np.ndarray, float]:
    """Recorded steps, PSNR of trained pixels there, and the last PSNR of held-out ones."""
    first = build_activation(parse_enum(Activation, activation, "activation"))
    reach = 2 * first.bandwidth(2) if isinstance(first, SpectralActivation) else None
    record = ot.fit(
        picture,
        encoding=encoding,
        bandwidth=reach,
        activation=activation,
        width=2 * round(width / 2**0.5) if activation == "complex-gabor" else width,
        depth=3,
        lr=rate,
        steps=steps,
        batch=1024,
        stop=False,
        seed=seed,
    ).record
    found = metrics.psnr(record)
    return record.step.values[1:], found.train.values[1:], float(found.held_out[-1])


def part(seed: int, side: int) -> Signal:
    """A square of a photograph, made smaller."""
    source = numpy_generator(seed, "picture")
    photograph = (
        np.asarray((skimage.data.camera(), skimage.data.coins(), skimage.data.moon())[seed % 3]) / 255.0
    )
    zoom = 256 // side
    top, left = (int(source.integers(0, n - zoom * side + 1)) for n in photograph.shape)
    square = photograph[top : top + zoom * side, left : left + zoom * side]
    return ot.signals.image(square.reshape(side, zoom, side, zoom).mean((1, 3)).astype(np.float32))


STUDY = Study(
    name="periodic-activations",
    family=Family.ACTIVATIONS,
    claim="Networks of sines, Gabor wavelets or Gaussians represent pictures better than ReLU after positional "
    "encoding.",
    source="Sitzmann et al. 2020, Implicit neural representations with periodic activation functions, section 4.1 "
    "(arXiv:2006.09661); Saragadam et al. 2023, WIRE, section 4 (arXiv:2301.05187); Liu et al. 2024, FINER, section 4 "
    "(arXiv:2312.02434)",
    statistic="PSNR of the pixels trained on less that of ReLU after positional encoding, in dB, at equal steps",
    criterion=AtLeast(3.0),
    conditions=(
        Condition("SIREN", {"activation": "sine", "rate": 5e-4}),
        Condition("WIRE", {"activation": "complex-gabor", "rate": 2e-3}),
        Condition("FINER", {"activation": "finer", "rate": 5e-4}),
        Condition("Gauss", {"activation": "gauss", "rate": 5e-3}),
    ),
    control=Condition("ReLU from plain coordinates", {"activation": "relu", "rate": 1e-3}),
    measure=measure,
    axes=Axes("Step", "PSNR of trained pixels (dB)", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 8, "width": 8, "steps": 3}),
        Size.QUICK: Effort(3, {"side": 48, "width": 64, "steps": 300}),
        Size.FULL: Effort(20, {"side": 256, "width": 256, "steps": 2000}),
    },
    depends="the activation",
    caveat="Networks of 64 units (WIRE's are complex, and fewer by the root of two) and 300 steps, with the scales of "
    "their sources, learning rates that suit so few steps, and the bandwidth of the encoding that the picture's "
    "spectrum asks for. What lies between the pixels is told beside, not judged.",
)
