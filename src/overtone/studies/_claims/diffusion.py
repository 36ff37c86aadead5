"""Diffusion models: the order in which they generate frequencies, and Fourier features at their input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn.encodings import Positional
from overtone.signals import synthetic
from overtone.spectra import GridTransform
from overtone.studies._claims._shared import rank_correlation, scikit_image, torch_seed
from overtone.studies._criteria import AtLeast, Average
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)

_Denoiser = Callable[[Tensor, float], Tensor]
"""The mean of the data given noisy data and the standard deviation of the noise."""


def measure_diffusion_coarse_first(
    seed: int, data: str, exponent: float, sign: int, side: int, count: int, levels: int, bands: int
) -> Measurement:
    """Measure the rank correlation of frequency with how late it settles, along the exact probability flow."""
    denoise = (
        _patch_denoiser(seed, side, 32 * count) if data == "photographs" else _wiener_denoiser(exponent, side)
    )
    noise = np.geomspace(100.0, 0.01, levels)
    start = numpy_generator(seed, "noise").standard_normal((count, side, side))
    x, guesses = torch.from_numpy(start * noise[0]), []
    # Euler's steps of the probability flow dx / d sigma = (x - denoise(x)) / sigma.
    for sigma, next_sigma in zip(noise, [*noise[1:], 0.0], strict=True):
        guesses.append(denoise(x, float(sigma)))
        x = guesses[-1] + (x - guesses[-1]) * (next_sigma / sigma)
    edges = np.linspace(0.5, side / 2, bands + 1)
    transform = GridTransform((side, side), 1 / side, data == "fields", [0.0, *edges])
    inside = slice(1, bands + 1)
    final = transform.coefficients(x.movedim(0, -1))
    final_power = transform.power(final).sum(1)[inside]
    shares = []
    for guess in guesses:
        cross = transform.cross(transform.coefficients(guess.movedim(0, -1)), final).sum(1)
        shares.append((cross[inside] / final_power).numpy())
    settled = np.array([_settling_noise(noise, share) for share in np.array(shares).T])
    centre = transform.bands.centre[inside]
    slope = float(np.polyfit(np.log(centre), np.log(settled), 1)[0])
    return Measurement(
        sign * rank_correlation(centre, -settled),
        {"": (centre, settled)},
        (f"the noise at which a band settles goes as frequency to the power {slope:.2f}",),
    )


def _wiener_denoiser(exponent: float, side: int) -> _Denoiser:
    """Return the exact denoiser of Gaussian fields of power |k|^-exponent: Wiener's filter."""
    # Fields of one exponent have the same amplitudes for every seed: any of them has the exact spectrum.
    modulus = torch.fft.fft2(
        synthetic.power_law((side, side), exponent, dtype=torch.float64).grid_values[..., 0]
    )
    power = modulus.abs().square() / side**2
    return lambda x, noise: torch.fft.ifft2(torch.fft.fft2(x) * power / (power + noise**2)).real


def _patch_denoiser(seed: int, side: int, count: int) -> _Denoiser:
    """Return the exact denoiser of a finite set of patches: their mean, weighted by their likelihood."""
    photograph = torch.from_numpy(scikit_image("data").camera()).double()
    patches = photograph.unfold(0, side, side // 2).unfold(1, side, side // 2).reshape(-1, side * side)
    # Patches of plain sky have no structure that could settle.
    patches = patches[patches.std(1) > 5]
    order = torch.from_numpy(numpy_generator(seed, "patches").permutation(len(patches))[:count])
    chosen = patches[order] - patches.mean()
    chosen = chosen / chosen.square().mean().sqrt()

    def denoise(x: Tensor, noise: float) -> Tensor:
        distance = torch.cdist(x.flatten(1), chosen).square() / (2 * noise**2)
        return ((-distance).softmax(1) @ chosen).reshape(x.shape)

    return denoise


def _settling_noise(noise: np.ndarray, share: np.ndarray) -> float:
    """Return the noise below which the guess contains more than half of the final field, for good."""
    short = np.flatnonzero(share < 0.5)
    if not len(short):
        return float(noise[0])
    # Interpolated in the logarithm of the noise between the two levels that enclose one half.
    last = min(int(short[-1]), len(noise) - 2)
    weight = (0.5 - share[last]) / (share[last + 1] - share[last])
    return float(np.exp(np.log(noise[last]) + weight * np.log(noise[last + 1] / noise[last])))


DIFFUSION_COARSE_FIRST = Study(
    name="diffusion-coarse-first",
    topic=Topic.GENERATIVE,
    claim=(
        "Diffusion with an exact denoiser generates pictures from coarse to fine, and from fine to coarse "
        "where power grows with frequency."
    ),
    source=(
        "Dieleman 2024, Diffusion is spectral autoregression (sander.ai); Falck et al. 2025, A Fourier space "
        "perspective on diffusion models, section 3 (arXiv:2505.11278)"
    ),
    statistic=(
        "rank correlation of frequency with the lateness along the probability flow at which a band settles, "
        "with the opposite sign where power grows with frequency"
    ),
    criterion=AtLeast(0.9),
    conditions=(
        Condition("fields of power k^-1", {"data": "fields", "exponent": 1.0, "sign": 1}),
        Condition("patches of a photograph", {"data": "photographs", "exponent": 0.0, "sign": 1}),
        Condition("fields of power k^+1: fine to coarse", {"data": "fields", "exponent": -1.0, "sign": -1}),
    ),
    control=Condition("white fields", {"data": "fields", "exponent": 0.0, "sign": 1}),
    positive=Condition(
        "fields of power k^-2, as pictures have", {"data": "fields", "exponent": 2.0, "sign": 1}
    ),
    measure=measure_diffusion_coarse_first,
    axes=FigureAxes("Frequency (cycles per picture)", "Noise at which it settles (SD)", True, True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 8, "count": 4, "levels": 20, "bands": 3}),
        StudySize.QUICK: SizeSettings(5, {"side": 32, "count": 16, "levels": 40, "bands": 10}),
        StudySize.FULL: SizeSettings(20, {"side": 128, "count": 256, "levels": 400, "bands": 30}),
    },
    factor="the data's spectrum",
    tested=Tested.MECHANISM,
    average=Average.MEDIAN,
    limits=(-1.0, 1.0),
    caveat=(
        "Exact denoisers, of Gaussian fields and of a finite set of patches, and no network, which may be "
        "better at some frequencies than at others; noise is white."
    ),
)


_LEVELS = 32
"""Grey levels of pictures that have any, from -1 to 1."""

_LEVEL_STEP = 2 / (_LEVELS - 1)
"""Distance of grey levels."""


def measure_diffusion_fourier_input(
    seed: int,
    levels: bool,
    min_noise: float,
    max_noise: float,
    side: int,
    channels: int,
    batch: int,
    steps: int,
) -> Measurement:
    """Measure the error of a denoiser without Fourier features over that with them, in dB, over a range of noise."""
    pictures = _photograph_patches(seed, levels, side)
    noises = _LEVEL_STEP * np.geomspace(1 / 8, 16, 12)
    errors = [
        _denoising_errors(kind, seed, pictures, channels, batch, steps, noises)
        for kind in (_PlainDenoiser, _FourierDenoiser)
    ]
    # The limits are two of the levels; a thousandth allows for rounding.
    counted = (noises >= min_noise * _LEVEL_STEP * 0.999) & (noises <= max_noise * _LEVEL_STEP * 1.001)
    gain = 10 * np.log10(errors[0] / errors[1])
    curves = {name: (noises / _LEVEL_STEP, e) for name, e in zip(("without", "with"), errors, strict=True)}
    return Measurement(float(gain[counted].mean()), curves)


def _denoising_errors(
    kind: type[_PlainDenoiser],
    seed: int,
    pictures: Tensor,
    channels: int,
    batch: int,
    steps: int,
    noises: np.ndarray,
) -> np.ndarray:
    """Return the error of a trained denoiser's noise in new pictures, per standard deviation of the noise."""
    with torch_seed(seed, "network"):
        network = kind(channels)
    half = len(pictures) // 2
    draw = torch.Generator().manual_seed(derive_seed(seed, "noise"))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    low, high = math.log(noises[0]), math.log(noises[-1])
    for _ in range(steps):
        x = pictures[torch.randint(half, (batch,), generator=draw)]
        sigma = (low + (high - low) * torch.rand(batch, 1, 1, 1, generator=draw)).exp()
        noise = torch.randn(x.shape, generator=draw)
        optimizer.zero_grad()
        (network(x + sigma * noise, sigma) - noise).square().mean().backward()
        optimizer.step()
    errors = []
    with torch.no_grad():
        for level in noises:
            x = pictures[half : half + 256]
            noise, sigma = torch.randn(x.shape, generator=draw), torch.full((len(x), 1, 1, 1), float(level))
            errors.append(float((network(x + sigma * noise, sigma) - noise).square().mean()))
    return np.asarray(errors)


class _PlainDenoiser(nn.Module):
    """Three convolutions on the noisy picture and the logarithm of its noise."""

    features = 0

    def __init__(self, channels: int) -> None:
        super().__init__()
        sizes = [2 + self.features, channels, channels, 1]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sizes))

    def input_channels(self, z: Tensor) -> list[Tensor]:
        """Return the channels made of the noisy picture."""
        return [z]

    def forward(self, z: Tensor, sigma: Tensor) -> Tensor:
        """Return the noise in z."""
        x = torch.cat([*self.input_channels(z), (sigma / _LEVEL_STEP).log().expand_as(z)], 1)
        for layer in self.layers[:-1]:
            x = nn.functional.silu(layer(x))
        return self.layers[-1](x)


class _FourierDenoiser(_PlainDenoiser):
    """Denoiser whose input also has waves of the values: one cycle per grey level, and one per two."""

    features = 4

    def input_channels(self, z: Tensor) -> list[Tensor]:
        """Return the noisy picture and its waves."""
        waves = Positional([[0.5 / _LEVEL_STEP, 1 / _LEVEL_STEP]]).to(z.device)(z.movedim(1, -1) + 1, z.dtype)
        return [z, waves.movedim(-1, 1)]


def _photograph_patches(seed: int, levels: bool, side: int) -> Tensor:
    """Return (N, 1, side, side) patches of photographs from -1 to 1, in grey levels or with values between them."""
    data = scikit_image("data")
    cut = []
    for photograph in (data.camera(), data.moon(), data.coins()):
        values = photograph[: photograph.shape[0] // 2 * 2, : photograph.shape[1] // 2 * 2].astype(float)
        values = values.reshape(len(values) // 2, 2, -1, 2).mean((1, 3)) / 127.5 - 1
        cut.append(
            torch.from_numpy(values).unfold(0, side, side).unfold(1, side, side).reshape(-1, side, side)
        )
    patches = torch.cat(cut).float()[:, None]
    source = numpy_generator(seed, "patches")
    patches = patches[torch.from_numpy(source.permutation(len(patches)))]
    if levels:
        return ((patches + 1) / _LEVEL_STEP).round() * _LEVEL_STEP - 1
    # Averages of few pixels have levels of their own; noise of one step's width removes them.
    offset = source.uniform(-0.5, 0.5, (len(patches), 1, 1, 1))
    return patches + _LEVEL_STEP * torch.from_numpy(offset).float()


DIFFUSION_FOURIER_INPUT = Study(
    name="diffusion-fourier-input",
    topic=Topic.GENERATIVE,
    claim=(
        "Fourier features of the noisy picture, at the input of a diffusion model, help it with fine detail."
    ),
    source="Kingma et al. 2021, Variational diffusion models, section 5.1 and appendix C (arXiv:2107.00630)",
    statistic=(
        "mean squared error of the predicted noise without Fourier features, over that with them, in dB"
    ),
    criterion=AtLeast(0.5),
    conditions=(
        Condition(
            "grey levels, less noise than half a level",
            {"levels": True, "min_noise": 0.125, "max_noise": 0.5},
        ),
        Condition("no grey levels, the same noise", {"levels": False, "min_noise": 0.125, "max_noise": 0.5}),
    ),
    control=Condition(
        "grey levels, noise of two levels and more", {"levels": True, "min_noise": 2.0, "max_noise": 16.0}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_diffusion_fourier_input,
    axes=FigureAxes(
        "Standard deviation of the noise (grey levels)", "Error of the predicted noise", True, True
    ),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 8, "channels": 4, "batch": 4, "steps": 3}),
        StudySize.QUICK: SizeSettings(3, {"side": 8, "channels": 16, "batch": 32, "steps": 300}),
        StudySize.FULL: SizeSettings(20, {"side": 32, "channels": 128, "batch": 128, "steps": 20_000}),
    },
    factor="whether values come in levels",
    tested=Tested.CASE,
    caveat=(
        "Photographs of 32 grey levels, whose distance sets the features' frequencies as 256 levels do in "
        "the source, and a denoiser of three convolutions; the study does not judge likelihoods and samples."
    ),
)


STUDIES = (
    DIFFUSION_COARSE_FIRST,
    DIFFUSION_FOURIER_INPUT,
)
