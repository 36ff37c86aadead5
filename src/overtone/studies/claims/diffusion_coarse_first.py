"""Diffusion settles coarse structure first where power falls with frequency, and last where it grows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import skimage.data
import torch
from scipy.stats import spearmanr
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.signals import synthetic
from overtone.spectra import GridTransform
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

Denoiser = Callable[[Tensor, float], Tensor]
"""The mean of the data given noisy data and the standard deviation of the noise."""


def measure(
    seed: int, data: str, exponent: float, sign: int, side: int, count: int, levels: int, bands: int
) -> Measured:
    """Rank correlation of frequency with how late it settles, along the probability flow with the exact denoiser."""
    denoise = of_photographs(seed, side, 32 * count) if data == "photographs" else of_fields(exponent, side)
    noise = np.geomspace(100.0, 0.01, levels)
    start = numpy_generator(seed, "noise").standard_normal((count, side, side))
    x, guesses = torch.from_numpy(start * noise[0]), []
    for now, then in zip(noise, [*noise[1:], 0.0], strict=True):
        guesses.append(denoise(x, float(now)))
        x = guesses[-1] + (x - guesses[-1]) * (then / now)
    edges = np.linspace(0.5, side / 2, bands + 1)
    transform = GridTransform((side, side), 1 / side, data == "fields", [0.0, *edges])
    inside = slice(1, bands + 1)
    made = transform.coefficients(x.movedim(0, -1))
    final = transform.power(made).sum(1)[inside]
    shares = [
        (transform.cross(transform.coefficients(g.movedim(0, -1)), made).sum(1)[inside] / final).numpy()
        for g in guesses
    ]
    settled = np.array([crossing(noise, share) for share in np.array(shares).T])
    centre = transform.bands.centre[inside]
    slope = float(np.polyfit(np.log(centre), np.log(settled), 1)[0])
    return Measured(
        sign * float(spearmanr(centre, -settled).statistic),
        {"": (centre, settled)},
        (f"noise at which a band settles goes as frequency to the power {slope:.2f}",),
    )


def of_fields(exponent: float, side: int) -> Denoiser:
    """Of Gaussian fields of power |k|^-exponent: Wiener's filter."""
    modulus = torch.fft.fft2(
        synthetic.power_law((side, side), exponent, dtype=torch.float64).grid_values[..., 0]
    )
    power = modulus.abs().square() / side**2
    return lambda x, noise: torch.fft.ifft2(torch.fft.fft2(x) * power / (power + noise**2)).real


def of_photographs(seed: int, side: int, count: int) -> Denoiser:
    """Of a finite set of patches of a photograph, each as likely: the mean of all, weighted by their likelihood."""
    photograph = torch.from_numpy(skimage.data.camera()).double()
    patches = photograph.unfold(0, side, side // 2).unfold(1, side, side // 2).reshape(-1, side * side)
    patches = patches[patches.std(1) > 5]
    order = torch.from_numpy(numpy_generator(seed, "patches").permutation(len(patches))[:count])
    chosen = patches[order] - patches.mean()
    chosen = chosen / chosen.square().mean().sqrt()

    def denoise(x: Tensor, noise: float) -> Tensor:
        distance = torch.cdist(x.flatten(1), chosen).square() / (2 * noise**2)
        return ((-distance).softmax(1) @ chosen).reshape(x.shape)

    return denoise


def crossing(noise: np.ndarray, share: np.ndarray) -> float:
    """The noise below which the share of the final field that the guess holds stays above one half."""
    short = np.flatnonzero(share < 0.5)
    if not len(short):
        return float(noise[0])
    at = min(int(short[-1]), len(noise) - 2)
    weight = (0.5 - share[at]) / (share[at + 1] - share[at])
    return float(np.exp(np.log(noise[at]) + weight * np.log(noise[at + 1] / noise[at])))


STUDY = Study(
    name="diffusion-coarse-first",
    family=Family.GENERATIVE,
    claim="Diffusion models make pictures from coarse to fine, and the other way round where power grows with "
    "frequency.",
    source="Dieleman 2024, Diffusion is spectral autoregression (sander.ai); Falck et al. 2025, A Fourier space "
    "perspective on diffusion models, section 3 (arXiv:2505.11278)",
    statistic="rank correlation of frequency with how late along the probability flow a band settles, its sign changed "
    "where power grows with frequency",
    criterion=AtLeast(0.9),
    conditions=(
        Condition("fields of power k^-2, as pictures have", {"data": "fields", "exponent": 2.0, "sign": 1}),
        Condition("fields of power k^-1", {"data": "fields", "exponent": 1.0, "sign": 1}),
        Condition("patches of a photograph", {"data": "photographs", "exponent": 0.0, "sign": 1}),
        Condition("fields of power k^+1: fine to coarse", {"data": "fields", "exponent": -1.0, "sign": -1}),
    ),
    control=Condition("white fields", {"data": "fields", "exponent": 0.0, "sign": 1}),
    measure=measure,
    axes=Axes("Frequency (cycles per picture)", "Noise at which it settles (SD)", True, True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 8, "count": 4, "levels": 20, "bands": 3}),
        Size.QUICK: Effort(5, {"side": 32, "count": 16, "levels": 40, "bands": 10}),
        Size.FULL: Effort(20, {"side": 128, "count": 256, "levels": 400, "bands": 30}),
    },
    depends="the data's spectrum",
    caveat="Exact denoisers, of Gaussian fields and of a finite set of patches, and no network, which may be better at "
    "some frequencies than at others; noise is white.",
)
