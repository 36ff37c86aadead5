"""Where the error of a fitted picture or recording lies."""

from __future__ import annotations

import numpy as np
import skimage.data
from skimage.color import rgb2gray
from skimage.transform import resize

import overtone as ot
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.signals import Signal, synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

PICTURES = ("camera", "astronaut", "coffee", "rocket", "coins")
SHARES = np.arange(1, 21) / 20
NOTE, ONSET = 0.25, 0.025
"""Seconds from one note to the next, and those of them that count as its onset."""


def measure(
    seed: int, kind: str, bandwidth: float, scrambled: bool, side: int, samples: int, steps: int, width: int
) -> Measured:
    """Share of the squared error in the tenth of the samples that is edge or onset."""
    signal, sharp = picture(seed, side, scrambled) if kind == "picture" else recording(seed, samples)
    run = ot.fit(
        signal,
        encoding="gaussian" if bandwidth else "none",
        bandwidth=bandwidth or None,
        width=width,
        depth=3,
        features=64,
        steps=steps,
        held_out=0,
        seed=seed,
    )
    error = (run.predict() - signal.values)[:, 0].double().square().numpy()
    summed = np.cumsum(error[np.argsort(-sharp, kind="stable")]) / error.sum()
    part = np.arange(1, len(summed) + 1) / len(summed)
    return Measured(float(np.interp(0.1, part, summed)), {"": (SHARES, np.interp(SHARES, part, summed))})


def picture(seed: int, side: int, scrambled: bool) -> tuple[Signal, np.ndarray]:
    """A part of one of five pictures, and the length of its gradient; its phases drawn anew if `scrambled`."""
    whole = getattr(skimage.data, PICTURES[seed % len(PICTURES)])()
    draw, wide = numpy_generator(seed, "part"), 2 * min(whole.shape[:2]) // 3
    top, left = (draw.integers(n - wide) for n in whole.shape[:2])
    part = whole[top : top + wide, left : left + wide]
    gray = resize(rgb2gray(part) if part.ndim == 3 else part / 255, (side, side), anti_aliasing=True)
    if scrambled:
        noise = np.fft.fft2(numpy_generator(seed, "phases").standard_normal(gray.shape))
        field = np.fft.ifft2(np.abs(np.fft.fft2(gray - gray.mean())) * noise / np.abs(noise)).real
        gray = 0.5 + field / (4 * field.std())
    return ot.signals.array(gray), np.hypot(*np.gradient(gray)).ravel()


def recording(seed: int, samples: int) -> tuple[Signal, np.ndarray]:
    """A second of four plucked notes, and how fresh each sample's note is."""
    signal = synthetic.music(1.0, samples, derive_seed(seed, "melody"))
    return signal, -(signal.coords[:, 0].numpy() % NOTE)


STUDY = Study(
    name="lost-edges",
    family=Family.FIELDS,
    claim="Edges in pictures and transients in recordings are what is lost.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions, section 1 "
    "(arXiv:2006.10739), for blurred pictures; the claim is often stated without a source",
    statistic="share of the squared error in the tenth of a picture that has the steepest gradient, or in the first "
    "tenth of each note of a recording",
    criterion=AtLeast(0.2),
    conditions=(
        Condition("pictures, plain network", {"kind": "picture", "bandwidth": 0.0, "scrambled": False}),
        Condition("pictures, Fourier features", {"kind": "picture", "bandwidth": 6.0, "scrambled": False}),
        Condition(
            "recordings, Fourier features", {"kind": "recording", "bandwidth": 400.0, "scrambled": False}
        ),
    ),
    control=Condition(
        "pictures of the same spectrum without edges, plain network",
        {"kind": "picture", "bandwidth": 0.0, "scrambled": True},
    ),
    measure=measure,
    axes=Axes("Share of the samples, sharpest first", "Share of the squared error"),
    efforts={
        Size.SMOKE: Effort(1, {"side": 12, "samples": 1024, "steps": 3, "width": 8}),
        Size.QUICK: Effort(10, {"side": 48, "samples": 2048, "steps": 150, "width": 48}),
        Size.FULL: Effort(20, {"side": 256, "samples": 16_000, "steps": 5000, "width": 256}),
    },
    depends="what is fitted",
    caveat="The criterion is twice the share that chance gives; more than that is not asked, so that most of the error "
    "may lie elsewhere. Recordings are synthetic, of plucked notes. In the control gradient and error at a place are "
    "independent, whatever the spectrum.",
)
